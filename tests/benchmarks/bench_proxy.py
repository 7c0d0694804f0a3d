"""What the proxy costs: bytes through a CONNECT tunnel against a direct connection, and fresh tunnels.

    python tests/benchmarks/bench_proxy.py [GiB] [--rounds N] [--tunnels N] [--memory]

Server, proxy and client are three processes on loopback. Direct and tunnelled runs take turns; medians are
printed with the range seen, since other work on the machine shows there. ``--memory`` does without splice.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import signal
import socket
import statistics
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agentgate.actions import Action, Answer, Source, Verdict
from agentgate.intercept.proxy import Proxy, tunnel

MEGABYTE = 1 << 20


def serve(ready: Connection) -> None:
    """``G`` and a size in MiB: that many bytes. Anything else: an echo of one byte."""
    source = os.memfd_create("zeros")
    os.ftruncate(source, 64 * MEGABYTE)

    def one(client: socket.socket) -> None:
        with client:
            while order := client.recv(16):
                if order[:1] != b"G":
                    client.send(order)
                    continue
                left = int(order[1:]) * MEGABYTE
                while left > 0:
                    left -= os.sendfile(client.fileno(), source, 0, min(left, 64 * MEGABYTE))

    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    ready.send(listener.getsockname()[1])
    while True:
        threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()


def proxy(ready: Connection, memory: bool) -> None:
    async def decide(action: Action) -> Answer:
        return Answer(Verdict.ALLOW, Source.RULE)

    async def main() -> None:
        if memory:
            del os.splice
        found = Proxy(decide)
        ready.send(await found.start())
        await asyncio.Event().wait()

    assert tunnel.PIPE_BYTES
    asyncio.run(main())


def connect(server: int, through: int | None) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", through or server))
    if through:
        sock.send(f"CONNECT 127.0.0.1:{server} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += sock.recv(1)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
    return sock


def download(server: int, through: int | None, megabytes: int) -> float:
    """Seconds."""
    memory = bytearray(MEGABYTE)
    with connect(server, through) as sock:
        started = time.perf_counter()
        sock.send(b"G%d" % megabytes)
        left = megabytes * MEGABYTE
        while left > 0:
            left -= sock.recv_into(memory)
        return time.perf_counter() - started


def fresh(server: int, through: int | None, count: int) -> float:
    """Seconds for ``count`` connections one after another, one byte there and back on each."""
    started = time.perf_counter()
    for _ in range(count):
        with connect(server, through) as sock:
            sock.send(b"x")
            assert sock.recv(1) == b"x"
    return time.perf_counter() - started


def at_once(server: int, through: int | None, count: int) -> float:
    """Seconds to open ``count`` connections, keep them, and go once round with a byte on each."""
    started = time.perf_counter()
    socks = [connect(server, through) for _ in range(count)]
    for sock in socks:
        sock.send(b"x")
    for sock in socks:
        assert sock.recv(1) == b"x"
    seconds = time.perf_counter() - started
    for sock in socks:
        sock.close()
    return seconds


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.3g} [{min(values):.3g}-{max(values):.3g}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("gib", nargs="?", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tunnels", type=int, default=500)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ports, children = [], []
    for work, extra in ((serve, ()), (proxy, (options.memory,))):
        ours, theirs = context.Pipe()
        child = context.Process(target=work, args=(theirs, *extra), daemon=True)
        child.start()
        children.append(child)
        ports.append(ours.recv())
    server, through = ports
    pid = children[1].pid
    assert pid
    try:
        megabytes = int(options.gib * 1024)
        direct, tunnelled, used = [], [], []
        for _ in range(options.rounds):
            direct.append(megabytes / download(server, None, megabytes))
            before = cpu(pid)
            tunnelled.append(megabytes / download(server, through, megabytes))
            used.append((cpu(pid) - before) / options.gib)
        ratio = statistics.median(direct) / statistics.median(tunnelled)
        print(f"download {options.gib:g} GiB, MiB/s: direct {spread(direct)}, proxy {spread(tunnelled)}")
        print(f"  time ratio to direct {ratio:.2f}; CPU of the proxy {spread(used)} s/GiB")
        for name, measure in (("one after another", fresh), ("at once", at_once)):
            direct, tunnelled, used = [], [], []
            for _ in range(options.rounds):
                direct.append(measure(server, None, options.tunnels))
                before = cpu(pid)
                tunnelled.append(measure(server, through, options.tunnels))
                used.append((cpu(pid) - before) / options.tunnels * 1e6)
            ratio = statistics.median(tunnelled) / statistics.median(direct)
            print(f"{options.tunnels} {name}, s: direct {spread(direct)}, proxy {spread(tunnelled)}")
            print(f"  time ratio to direct {ratio:.2f}; CPU of the proxy {spread(used)} us each")
        print(f"memory of the proxy process {memory_of(pid)} MiB, load {os.getloadavg()[0]:.1f}")
    finally:
        for child in children:
            if child.pid:
                os.kill(child.pid, signal.SIGKILL)
            child.join()


if __name__ == "__main__":
    main()
