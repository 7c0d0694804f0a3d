"""What a program of the session tries: ``names_agent.py WAY ARGUMENTS...``; prints one line of JSON."""

from __future__ import annotations

import errno
import json
import os
import random
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable


def client_hello(name: str) -> bytes:
    """The first bytes of a TLS client that wants ``name``, as the ssl module writes them."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def talk(host: str, port: str, say: bytes = b"you") -> str:
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(say)
        return sock.recv(100).decode("latin-1")


def later(host: str, port: str) -> str:
    """Not blocking, as event loops connect."""
    import asyncio

    async def go() -> str:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"you")
        said = (await reader.read(100)).decode()
        writer.close()
        return said

    return asyncio.run(go())


def mapped(host: str, port: str) -> str:
    """Through an IPv6 socket."""
    address = socket.gethostbyname(host)
    with socket.socket(socket.AF_INET6) as sock:
        sock.settimeout(10)
        sock.connect(("::ffff:" + address, int(port)))
        sock.sendall(b"you")
        return sock.recv(100).decode()


def proxied(host: str, port: str) -> str:
    """By the address, through the proxy of the environment."""
    proxy = os.environ["HTTPS_PROXY"].rpartition(":")[2]
    address = socket.gethostbyname(host)
    with socket.create_connection(("127.0.0.1", int(proxy)), timeout=10) as sock:
        sock.sendall(f"CONNECT {address}:{port} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        said = sock.recv(1000)
        if b" 200 " not in said:
            return said.decode()
        sock.sendall(b"you")
        return sock.recv(100).decode()


def greeting(host: str, port: str, name: str) -> str:
    return talk(host, port, client_hello(name))


def halves(host: str, port: str, name: str) -> str:
    """A TLS greeting in small pieces."""
    hello = client_hello(name)
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(hello), 50):
            sock.sendall(hello[at : at + 50])
        return sock.recv(100).decode("latin-1")


def listens(host: str, port: str) -> str:
    """The server speaks first."""
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        return sock.recv(100).decode()


def several(sock: socket.socket, to: tuple[str, int]) -> None:
    """sendmmsg(2), which Python does not offer: one message."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    packed = socket.inet_pton(sock.family, to[0])
    name = struct.pack("=H", sock.family) + struct.pack("!H", to[1])
    name += packed + bytes(8) if len(packed) == 4 else bytes(4) + packed + bytes(4)
    kept = [ctypes.create_string_buffer(data, len(data)) for data in (name, b"out")]
    vector = ctypes.create_string_buffer(struct.pack("@PN", ctypes.addressof(kept[1]), 3))
    places = ctypes.addressof(kept[0]), len(name), ctypes.addressof(vector), 1, 0, 0, 0
    message = ctypes.create_string_buffer(struct.pack("@PIPNPNi", *places).ljust(64, b"\0"))
    if libc.sendmmsg(sock.fileno(), message, 1, 0) != 1:
        raise OSError(ctypes.get_errno(), "sendmmsg")


def send(way: str, host: str, port: str) -> str:
    to = host, int(port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        if way == "sendto":
            sock.sendto(b"out", to)
        elif way == "sendmsg":
            sock.sendmsg([b"out"], [], 0, to)
        elif way == "sendmmsg":
            several(sock, to)
        elif way == "connected":
            sock.connect(to)
            sock.send(b"out")
        elif way == "bound":
            sock.bind((host, 0))
            sock.sendto(b"out", to)
        elif way == "pktinfo":  # from every interface that there is outside
            for number, _ in socket.if_nameindex():
                try:
                    info = struct.pack("=i4s4s", number, bytes(4), bytes(4))
                    sock.sendmsg([b"out"], [(socket.IPPROTO_IP, 8, info)], 0, to)
                except OSError:
                    pass
        elif way == "device":
            for _, name in socket.if_nameindex():
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
                    sock.sendto(b"out", to)
                except OSError:
                    pass
        elif way == "raced":
            inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            inside.bind(("127.0.0.9", 0))
            places = [inside.getsockname(), to]
            where, aimed = places[:1], [0, 0]
            stop = threading.Event()

            def swap() -> None:
                while not stop.is_set():
                    where[0] = random.choice(places)

            thread = threading.Thread(target=swap)
            thread.start()
            while min(aimed) < 100:  # whoever the processor is given to
                try:
                    aim = where[0]
                    aimed[aim is to] += 1
                    sock.sendto(b"out", aim)
                except OSError:
                    pass
            stop.set()
            thread.join()
        elif way == "passed on":
            one, other = socket.socketpair()
            socket.send_fds(one, [b"x"], [sock.fileno()])
            _, (descriptor,), _, _ = socket.recv_fds(other, 1, 1)
            socket.socket(fileno=descriptor).sendto(b"out", to)
    return "sent"


def pair() -> str:
    """Two processes of the session talk over UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        code = (
            "import socket,sys; s=socket.socket(2,2); s.sendto(b'ping',('127.0.0.1',int(sys.argv[1])));"
            "s.settimeout(10); print(s.recv(10).decode())"
        )
        command = [sys.executable, "-c", code, str(sock.getsockname()[1])]
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        said, peer = sock.recvfrom(10)
        sock.sendto(b"pong", peer)
        out, _ = child.communicate(timeout=10)
        return f"{said.decode()} {out.decode().strip()}"


def flags() -> list[object]:
    """What a UDP socket is made with."""
    kind = socket.SOCK_DGRAM
    with (
        socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK) as one,
        socket.socket(socket.AF_INET6, kind, socket.IPPROTO_UDP) as other,
    ):
        other.set_inheritable(True)
        return [
            one.getblocking() or os.get_blocking(one.fileno()), one.get_inheritable(), int(one.family),
            os.get_blocking(other.fileno()), int(other.family), int(other.type) & 0xF,
        ]  # fmt: skip


def query(name: str, kind: int, server: str, way: str) -> list[int]:
    """A DNS query by hand: [answer code, number of answers]."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    data = struct.pack(">HHHHHH", 4711, 0x100, 1, 0, 0, 0) + question + b"\0" + struct.pack(">HH", kind, 1)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    if way == "tcp":
        with socket.socket(family) as sock:
            sock.settimeout(10)
            sock.connect((server, 53))
            sock.sendall(len(data).to_bytes(2, "big") + data)
            answer = sock.recv(2000)[2:]
    else:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(10)
            sock.sendto(data, (server, 53))
            answer, peer = sock.recvfrom(2000)
            assert peer[:2] == (server, 53), peer
    number, bits, _, answers = struct.unpack(">HHHH", answer[:8])
    assert number == 4711 and bits & 0x8000
    return [bits & 0xF, answers]


def dns(name: str, kind: str, server: str, way: str) -> list[int]:
    return query(name, int(kind), server, way)


def resolved(name: str) -> list[str]:
    return sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)})


def reverse(name: str) -> str:
    return socket.gethostbyaddr(socket.gethostbyname(name))[0]


def signals(pid: str) -> list[str]:
    """Do something to the process ``pid``."""
    out = []
    for attempt in (
        lambda: os.kill(int(pid), 9),
        lambda: os.sched_setscheduler(int(pid), os.SCHED_IDLE, os.sched_param(0)),
        lambda: os.readlink(f"/proc/{pid}/cwd"),
        lambda: os.open(f"/proc/{pid}/ns/net", os.O_RDONLY),
    ):
        try:
            attempt()
            out.append("done")
        except OSError as error:
            out.append(errno.errorcode[error.errno or 0])
    return out


WAYS: dict[str, Callable[..., object]] = {
    "talk": talk, "later": later, "mapped": mapped, "proxied": proxied, "greeting": greeting,
    "halves": halves, "listens": listens, "send": send, "pair": pair, "flags": flags, "dns": dns,
    "resolved": resolved, "reverse": reverse, "signals": signals,
}  # fmt: skip

if __name__ == "__main__":
    try:
        found = WAYS[sys.argv[1]](*sys.argv[2:])
    except socket.gaierror as error:
        found = f"gaierror {error.errno}"
    except OSError as error:
        found = errno.errorcode.get(error.errno or 0, str(error))
    print(json.dumps(found))
