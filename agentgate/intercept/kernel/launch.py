"""From a forked child to the agent: terminal, limits, capabilities, Landlock, seccomp, execve.

The order matters: everything that the filter would hold comes before it, and the agent's own execve comes
after it, so that the very first program is seen by the warden like all others.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import struct
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentgate.intercept.kernel import caps, landlock, libc, notify

__all__ = ["Plan", "Started", "launch"]

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_READY = struct.Struct("=i")


@dataclass(frozen=True)
class Plan:
    """What the child becomes; ``program`` is the assembled filter, ``landlock_abi`` the kernel's."""

    command: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    stdio: tuple[int, int, int]
    controlling: bool
    program: bytes
    landlock_abi: int
    wait_killable: bool


@dataclass(frozen=True)
class Started:
    """The child waits in ``go`` until the warden listens. ``trouble`` reads, until the child runs its
    program, why it could not."""

    pid: int
    listener: int
    go: socket.socket
    trouble: int


def launch(plan: Plan) -> Started:
    """Fork the agent's first process. Raises OSError with the step that failed in its text.

    Must be called from a process with one thread: the child goes on in Python.
    """
    ours, theirs = socket.socketpair()
    trouble, report = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.close(trouble)
        _child(plan, theirs, report)  # never returns
    theirs.close()
    os.close(report)
    ready = ours.recv(_READY.size)
    if len(ready) < _READY.size:
        text = os.read(trouble, 4096).decode("utf-8", "replace")
        os.close(trouble)
        ours.close()
        os.waitpid(pid, 0)
        code, _, words = (text or "0:the agent's process ended before it started").partition(":")
        raise OSError(int(code), words)
    pidfd = libc.pidfd_open(pid)
    try:
        listener = libc.pidfd_getfd(pidfd, _READY.unpack(ready)[0])
    finally:
        os.close(pidfd)
    return Started(pid, listener, ours, trouble)


def _child(plan: Plan, warden: socket.socket, report: int) -> None:
    step = "start"
    try:
        step = "terminal"
        _terminal(plan)
        step = "signals and limits"
        _ordinary(plan)
        for name, value in (("report", report), ("warden", warden.fileno())):
            step = f"descriptor for the {name}"
            os.set_inheritable(value, False)
        step = "capabilities"
        if os.geteuid() == 0:
            caps.drop()
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
        step = "working directory"
        os.chdir(plan.cwd)
        step = "Landlock"
        landlock.restrict(plan.landlock_abi)
        step = "seccomp"
        listener = notify.install(plan.program, wait_killable=plan.wait_killable)
        warden.sendall(_READY.pack(listener))
        warden.recv(1)  # until the warden has its own duplicate and listens
        os.close(listener)
        step = f"run {plan.command[0]}"
        os.execvpe(plan.command[0], list(plan.command), dict(plan.env))
    except BaseException as error:
        code = error.errno if isinstance(error, OSError) and error.errno else 0
        text = os.strerror(code) if code else str(error)
        with contextlib.suppress(OSError):
            os.write(report, f"{code}:{step}: {text}".encode("utf-8", "replace"))
        os._exit(127)


def _terminal(plan: Plan) -> None:
    if plan.controlling:
        os.setsid()
        fcntl.ioctl(plan.stdio[0], termios.TIOCSCTTY, 0)
    # move them out of the way first: one of them may itself be 0, 1 or 2
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 3) for descriptor in plan.stdio]
    for number, descriptor in enumerate(moved):
        os.dup2(descriptor, number, inheritable=True)
        os.close(descriptor)


def _ordinary(plan: Plan) -> None:
    """What a program expects: default signals, no descriptors but three; and no core files, which the
    kernel itself would write."""
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in range(1, signal.NSIG):
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout = sys.stderr = None
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):
                os.set_inheritable(int(name), False)
