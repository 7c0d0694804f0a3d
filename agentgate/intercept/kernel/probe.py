"""What this kernel can do, found out by trying, not by its version."""

from __future__ import annotations

import errno
import os
import select
import signal
import sys

from agentgate.intercept.kernel import landlock, libc, notify
from agentgate.intercept.kernel.abi import native
from agentgate.intercept.kernel.bpf import ALLOW, NOTIFY, NUMBER, Assembler

__all__ = ["missing", "wait_killable"]

_PR_SET_NO_NEW_PRIVS = 38
_ANSWER = 4711


def missing() -> str:
    """What keeps the kernel gate from running here, in one line; empty when nothing does.

    Cheap: whether a listener can really be installed is told by the warden when it tries.
    """
    if sys.platform != "linux":
        return f"{sys.platform} has no seccomp"
    if native() is None:
        return f"no system call table for {os.uname().machine}"
    if not landlock.abi_version():
        return "the kernel has no Landlock (5.13 or later, and 'landlock' in the lsm= list)"
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail", encoding="ascii") as actions:
            if "user_notif" not in actions.read().split():
                return "the kernel has no seccomp user notification (5.0 or later)"
    except OSError:
        return "/proc/sys/kernel/seccomp is not there: no seccomp filters in this kernel"
    return ""


def wait_killable() -> bool:
    """Whether SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV exists and works: on some kernels a process that is
    filtered with it dies at its first held call. A child tries, so nothing else can be harmed.

    Call from a process with one thread.
    """
    asm = Assembler()
    held = asm.label()
    asm.load(NUMBER)
    asm.if_equal(_getppid(), held)
    asm.ret(ALLOW)
    asm.mark(held)
    asm.ret(NOTIFY)
    program = asm.assemble()
    read, write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
            listener = notify.install(program, wait_killable=True)
            os.write(write, b"%d" % listener)
            os._exit(0 if os.getppid() == _ANSWER else 1)
        except BaseException:
            os._exit(2)
    os.close(write)
    try:
        number = os.read(read, 16)
        if number:
            _answer(pid, int(number))
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status) == 0
    except OSError as error:
        if error.errno != errno.ECHILD:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return False
    finally:
        os.close(read)


def _getppid() -> int:
    abi = native()
    assert abi is not None
    return abi.numbers["getppid"]


def _answer(pid: int, number: int) -> None:
    pidfd = libc.pidfd_open(pid)
    descriptor = libc.pidfd_getfd(pidfd, number)
    try:
        listener = notify.Listener(descriptor, sync_wake_up=False)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if poll.poll(2000):
            call = listener.receive()
            if call is not None:
                listener.give(call.id, _ANSWER)
    finally:
        os.close(descriptor)
        os.close(pidfd)
