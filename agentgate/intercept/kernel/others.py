"""Held calls that act on processes (inside the agent's tree only), and those that are only noted."""

from __future__ import annotations

import errno
import os

from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import LET_GO, LetGo
from agentgate.intercept.kernel.handler import Args, Handler, fail, signed

__all__ = ["HANDLERS"]

_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1


def _on(caller: Caller, pid: int) -> LetGo:
    """By value, so there is nothing to race with: the kernel may do it if ``pid`` is one of the tree."""
    if not caller.proc.family(pid):
        raise fail(errno.EPERM)
    return LET_GO


def _signal(caller: Caller, pid: int) -> LetGo:
    if pid == 0:
        # the caller's own process group, which holds only processes of the tree; but where the agent shares
        # a terminal with the app, it may be the app's
        if os.getpgid(caller.proc.pid) == os.getpgrp():
            raise fail(errno.EPERM)
        return LET_GO
    if pid < 0:
        raise fail(errno.EPERM)  # groups and everybody: cannot be told apart here
    return _on(caller, pid)


def _which(caller: Caller, which: int, who: int, process: int) -> LetGo:
    if which != process:
        raise fail(errno.EPERM)
    return _on(caller, who)


def _by_pid(caller: Caller, args: Args) -> LetGo:
    return _on(caller, signed(args[0]))


def _chdir(caller: Caller, args: Args) -> LetGo:
    proc = caller.proc
    proc.cwd = proc.here = None
    proc.moving.add(caller.tid)  # it happens after this answer: what is read before is not kept
    return LET_GO


def _chroot(caller: Caller, args: Args) -> LetGo:
    """A process gives up the file system, as a browser's does that draws pages. Only in a user namespace of
    its own has it the right to."""
    caller.proc.owner.rooted = True
    return LET_GO


def _loosen(caller: Caller, args: Args) -> LetGo:
    """A process that shares its working directory and umask with another, or a thread that has its own."""
    caller.proc.loose = True
    return LET_GO


def _umask(caller: Caller, args: Args) -> LetGo:
    caller.proc.umask = args[0] & 0o777
    return LET_GO


HANDLERS: dict[str, Handler] = {
    "chdir": _chdir,
    "chroot": _chroot,
    "fchdir": _chdir,
    "umask": _umask,
    "clone": _loosen,
    "unshare": _loosen,
    "prlimit64": _by_pid,
    "sched_setparam": _by_pid,
    "sched_setscheduler": _by_pid,
    "sched_setaffinity": _by_pid,
    "sched_setattr": _by_pid,
    "setpriority": lambda c, a: _which(c, a[0], signed(a[1]), _PRIO_PROCESS),
    "ioprio_set": lambda c, a: _which(c, a[0], signed(a[1]), _IOPRIO_WHO_PROCESS),
    "fcntl": lambda c, a: _signal(c, signed(a[2])),  # F_SETOWN: the filter holds no other
    "kill": lambda c, a: _signal(c, signed(a[0])),
    "tkill": lambda c, a: _signal(c, signed(a[0])),
    "tgkill": lambda c, a: _signal(c, signed(a[0])),
    "rt_sigqueueinfo": lambda c, a: _signal(c, signed(a[0])),
    "rt_tgsigqueueinfo": lambda c, a: _signal(c, signed(a[0])),
}
