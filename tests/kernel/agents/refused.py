"""``refused.py STDERR ACTION TARGET``: tries one thing that is refused, with that kind of standard error, and
reports the errno, what arrived on a pipe there, and the seconds it took."""

from __future__ import annotations

import os
import socket
import stat
import sys
import time

from raw import outcome, report

kind, action, target = sys.argv[1:]
read = -1
match kind:
    case "closed":
        os.close(2)
    case "read-only":
        os.dup2(os.open("/dev/null", os.O_RDONLY), 2)
    case "pipe" | "full pipe" | "broken pipe" | "slow pipe":
        read, write = os.pipe()
        os.dup2(write, 2)
        os.close(write)
        if kind == "broken pipe":
            os.close(read)
        elif kind != "pipe":
            os.set_blocking(2, False)
            try:
                while True:
                    os.write(2, b"x" * (4096 if kind == "full pipe" else 60000))
            except BlockingIOError:
                os.set_blocking(2, True)
    case "socket":
        ours, theirs = socket.socketpair()
        os.dup2(theirs.fileno(), 2)


def connect() -> None:
    with socket.socket() as end:
        end.connect(("127.0.0.1", int(target)))


def run() -> None:
    os.execv(target, [target, "made"])


def node() -> None:
    os.mknod(target, 0o600 | stat.S_IFCHR, os.makedev(1, 3))


start = time.monotonic()
said = outcome(
    {
        "write": lambda: os.close(os.open(target, os.O_WRONLY | os.O_CREAT)),
        "remove": lambda: os.unlink(target),
        "rename": lambda: os.rename(target, target + "2"),
        "connect": connect,
        "run": run,
        "node": node,
    }[action]
)
took = time.monotonic() - start
heard = ""
if kind == "pipe":
    os.set_blocking(read, False)
    try:
        heard = os.read(read, 65536).decode()
    except BlockingIOError:
        pass
elif kind == "socket":
    ours.setblocking(False)
    try:
        heard = ours.recv(65536).decode()
    except BlockingIOError:
        pass
report([said, heard, round(took, 1)])
