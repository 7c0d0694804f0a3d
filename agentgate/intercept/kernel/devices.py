"""Character devices and /proc files that an agent may write without a question, and those it never may."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
from typing import TYPE_CHECKING

__all__ = ["Ptys", "harmless", "proc_refusal"]

if TYPE_CHECKING:
    from agentgate.intercept.kernel.procs import Proc

# null, zero, full, random, urandom (admin-guide/devices.txt)
_HARMLESS = frozenset(os.makedev(1, minor) for minor in (3, 5, 7, 8, 9))
_PTMX = os.makedev(5, 2)
_PTS_MAJOR = 136
_TIOCGPTN = 0x80045430

# What a process may tell the kernel about itself. uid_map & co. are how user namespaces are set up.
_OWN_FILES = frozenset(
    b"comm oom_score_adj oom_adj coredump_filter timerslack_ns clear_refs uid_map gid_map setgroups "
    b"projid_map autogroup mem".split()
)


class Ptys:
    """The pseudo-terminals of the session: the one it runs on, and those that its processes opened.

    Other terminals, such as the one the control room is shown on, are files like any other: asked about. A
    pair's number goes to the next one as soon as it is closed, so each is held by a descriptor (O_PATH, which
    keeps no terminal open) that tells by its link count whether it is still the one that was made.
    """

    def __init__(self) -> None:
        self._given: set[tuple[int, int]] = set()
        self._made: dict[tuple[int, int], int] = {}

    def adopt(self, descriptor: int) -> None:
        """``descriptor`` is the session's from the start, and open to its end."""
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISCHR(status.st_mode):
                self._given.add((status.st_dev, status.st_rdev))

    def note(self, descriptor: int, device: int) -> None:
        """A process of the session opened ``device``; when that made a new pair, its slave is its own."""
        if device != _PTMX:
            return
        number = struct.unpack("=I", fcntl.ioctl(descriptor, _TIOCGPTN, bytes(4)))[0]
        with contextlib.suppress(OSError):  # of another devpts: its slave is asked about
            slave = os.open(f"/dev/pts/{number}", os.O_PATH | os.O_CLOEXEC)
            status = os.fstat(slave)
            for key in [key for key in self._made if not self._lives(key)]:
                os.close(self._made.pop(key))
            self._made[status.st_dev, status.st_rdev] = slave

    def made(self, status: os.stat_result) -> bool:
        """Whether this is a terminal that a process of the session opened itself."""
        key = (status.st_dev, status.st_rdev)
        return stat.S_ISCHR(status.st_mode) and key in self._made and self._lives(key)

    def _lives(self, key: tuple[int, int]) -> bool:
        return os.fstat(self._made[key]).st_nlink > 0

    def own(self, status: os.stat_result) -> bool:
        """Whether the terminal with this ``status`` is one of the session's."""
        key = (status.st_dev, status.st_rdev)
        return key in self._given or (key in self._made and self._lives(key))


def harmless(status: os.stat_result, proc: Proc) -> bool:
    """Whether writing this device has no effect beyond the session."""
    if not stat.S_ISCHR(status.st_mode):
        return False
    device = status.st_rdev
    if device in _HARMLESS or device == _PTMX:
        return True
    return os.major(device) == _PTS_MAJOR and proc.ptys.own(status)


def proc_refusal(path: bytes, proc: Proc) -> str:
    """Why this file below /proc is not written; empty when it is the process' own to write."""
    parts = path.split(b"/")[2:]
    if parts and parts[0].isdigit() and proc.family(int(parts[0])):
        if len(parts) == 4 and parts[1] == b"task":
            parts = parts[2:]
        if len(parts) == 2 and parts[1] in _OWN_FILES:
            return ""
    return "files below /proc change the kernel or other processes"
