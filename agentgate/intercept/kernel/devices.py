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

    Other terminals, such as the one the control room is shown on, are files like any other: asked about.
    """

    def __init__(self) -> None:
        # By device number, each with a descriptor (O_PATH) of its slave: numbers are used again, and the
        # next terminal of that number is somebody else's.
        self._own: dict[int, int] = {}

    def adopt(self, descriptor: int) -> None:
        """``descriptor`` is the session's from the start."""
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            if stat.S_ISCHR(status.st_mode):
                self._keep(status.st_rdev, f"/proc/self/fd/{descriptor}")

    def note(self, descriptor: int, device: int) -> None:
        """A process of the session opened ``device``; when that made a new pair, its slave is its own."""
        if device == _PTMX:
            number = struct.unpack("=I", fcntl.ioctl(descriptor, _TIOCGPTN, bytes(4)))[0]
            self._keep(os.makedev(_PTS_MAJOR, number), f"/dev/pts/{number}")

    def _keep(self, device: int, path: str) -> None:
        with contextlib.suppress(OSError):
            held = os.open(path, os.O_PATH | os.O_CLOEXEC)
            for old in [old for old in self._own if old == device or old not in self]:
                self._drop(old)
            self._own[device] = held

    def _drop(self, device: int) -> None:
        held = self._own.pop(device, None)
        if held is not None:
            os.close(held)

    def __contains__(self, device: int) -> bool:
        held = self._own.get(device)
        if held is None:
            return False
        if os.fstat(held).st_nlink:
            return True
        self._drop(device)  # its master was closed, and with it the name went (devpts_pty_kill)
        return False


def harmless(status: os.stat_result, proc: Proc) -> bool:
    """Whether writing this device has no effect beyond the session."""
    if not stat.S_ISCHR(status.st_mode):
        return False
    device = status.st_rdev
    if device in _HARMLESS or device == _PTMX:
        return True
    return os.major(device) == _PTS_MAJOR and device in proc.ptys


def proc_refusal(path: bytes, proc: Proc) -> str:
    """Why this file below /proc is not written; empty when it is the process' own to write."""
    parts = path.split(b"/")[2:]
    if parts and parts[0].isdigit() and proc.family(int(parts[0])):
        if len(parts) == 4 and parts[1] == b"task":
            parts = parts[2:]
        if len(parts) == 2 and parts[1] in _OWN_FILES:
            return ""
    return "files below /proc change the kernel or other processes"
