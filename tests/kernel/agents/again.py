"""``again.py WAY FILE``: opens FILE for reading, waits until it has no name any more, tries to change it.
``again.py WAY @SOCKET``: the same with a descriptor that is received from there. Prints what came of it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable

from raw import CWD, EMPTY, FOLLOW, call, outcome, report

way, place = sys.argv[1:]


def received() -> int:
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(place[1:])
        return socket.recv_fds(end, 1, 1)[1][0]


def write(path: bytes, flags: int) -> None:
    descriptor = call("openat", CWD, path, flags)
    os.pwrite(descriptor, b"CHANGED", 0)
    os.close(descriptor)


held = received() if place.startswith("@") else os.open(place, os.O_RDONLY)
own = b"/proc/self/fd/%d" % held
WAYS: dict[str, Callable[[], object]] = {
    "write": lambda: os.pwrite(held, b"CHANGED", 0),
    "reopen": lambda: write(own, os.O_WRONLY),
    "reopen for both": lambda: write(own, os.O_RDWR),
    "reopen by its number": lambda: write(b"/proc/%d/fd/%d" % (os.getpid(), held), os.O_WRONLY),
    "reopen by /dev/fd": lambda: write(b"/dev/fd/%d" % held, os.O_WRONLY),
    "empty by opening": lambda: call("openat", CWD, own, os.O_RDONLY | os.O_TRUNC),
    "truncate": lambda: call("truncate", own, 1),
    "mode": lambda: call("fchmod", held, 0o640),
    "mode by path": lambda: call("fchmodat", CWD, own, 0o640),
    "times": lambda: os.utime(held, (5, 5)),
    "attribute": lambda: os.setxattr(held, "user.a", b"1"),
    "name": lambda: call("linkat", CWD, own, CWD, b"made", FOLLOW),
    "name by descriptor": lambda: call("linkat", held, b"", CWD, b"made", EMPTY),
}
print("open", flush=True)
while not place.startswith("@") and os.fstat(held).st_nlink:
    time.sleep(0.005)
report(outcome(WAYS[way]))
