"""connect(2) as a program meets it: ``connecting.py WAY WHERE [MORE]``; prints errno names, one a step.

WHERE is a TCP port of 127.0.0.1, or the path of a unix socket.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import socket
import struct
import sys
import threading
import time

from raw import report

libc = ctypes.CDLL(None, use_errno=True)
way, where = sys.argv[1], sys.argv[2]
steps: list[object] = []


def address(at: str = where) -> bytes:
    if at.isdigit():
        return (
            struct.pack("=H", socket.AF_INET) + struct.pack("!H", int(at)) + bytes((127, 0, 0, 1)) + bytes(8)
        )
    return struct.pack("=H", socket.AF_UNIX) + at.encode() + b"\0"


def connect(sock: socket.socket, raw: bytes) -> str:
    """One connect(2), without what Python makes of it."""
    if libc.connect(sock.fileno(), raw, len(raw)) == 0:
        return "ok"
    return errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))


def made() -> socket.socket:
    return socket.socket(socket.AF_INET if where.isdigit() else socket.AF_UNIX)


def wait_and_ask(sock: socket.socket) -> None:
    """How programs find out how a connection went that they did not wait for."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    steps.append(bool(poll.poll(15_000)))
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    steps.append(errno.errorcode.get(code, code))


def later() -> None:
    """Not blocking, then poll, then SO_ERROR, then connect once more."""
    sock = made()
    sock.setblocking(False)
    steps.append(connect(sock, address()))
    wait_and_ask(sock)
    steps.append(connect(sock, address()))


def twice() -> None:
    """Connected, connected again, taken apart, connected to the other port."""
    sock = made()
    unspecified = struct.pack("=H", socket.AF_UNSPEC) + bytes(14)
    order = (address(), address(), unspecified, address(sys.argv[3]))
    steps.extend(connect(sock, raw) for raw in order)
    steps.append(sock.getpeername()[1] == int(sys.argv[3]) if steps[-1] == "ok" else "")


def interrupted(restart: bool) -> None:
    rang: list[int] = []
    signal.signal(signal.SIGALRM, lambda *_: rang.append(1))
    signal.siginterrupt(signal.SIGALRM, not restart)
    sock = made()
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    start = time.monotonic()
    print("waits", flush=True)
    steps.append(connect(sock, address()))
    steps.append(time.monotonic() - start < 0.9)
    steps.append(len(rang))
    if not restart:
        steps.append(connect(sock, address()))


def timed() -> None:
    sock = made()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, 200_000))
    start = time.monotonic()
    steps.append(connect(sock, address()))
    steps.append(0.15 < time.monotonic() - start < 0.9)


def patient() -> None:
    sock = made()
    print("waits", flush=True)
    steps.append(connect(sock, address()))


def swapped() -> None:
    """Another thread puts another socket at the number while connect is held."""
    sock, other = made(), made()
    number = sock.fileno()

    def swap() -> None:
        while not os.path.exists("go"):
            time.sleep(0.01)
        os.dup2(other.fileno(), number)
        open("swapped", "w").close()

    kept = os.dup(number)
    thread = threading.Thread(target=swap)
    thread.start()
    steps.append(connect(sock, address()))
    thread.join()
    for descriptor in (kept, number):
        with socket.socket(fileno=os.dup(descriptor)) as looked:
            try:
                steps.append(looked.getpeername()[1] == int(where))
            except OSError as error:
                steps.append(errno.errorcode[error.errno or 0])


WAYS = {
    "later": later, "twice": twice, "interrupted": lambda: interrupted(False),
    "restarted": lambda: interrupted(True), "timed": timed, "patient": patient, "swapped": swapped,
}  # fmt: skip
WAYS[way]()
report(steps)
