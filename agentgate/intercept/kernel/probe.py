"""What this kernel can do, found out by trying, not by its version.

Each starts a child that runs under a small filter. The warden asks `wait_killable`; ``agentgate doctor``
runs them all, each in a process that may be lost: a bad kernel kills or hangs who tries. They raise OSError,
whose text says which step failed. What can be told without trying stands in ``support.py``.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
from collections.abc import Callable, Iterator

from agentgate.intercept.kernel import libc, notify
from agentgate.intercept.kernel.abi import native
from agentgate.intercept.kernel.bpf import ALLOW, NOTIFY, NUMBER, Assembler

__all__ = [
    "SECOND_LISTENER",
    "inject",
    "listener",
    "memory",
    "sync_wake_up",
    "take",
    "wait_killable",
]

SECOND_LISTENER = "another seccomp listener is already here"
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_ANSWER = 4711
_WORD = b"agentgate"
_PATIENCE = 2000  # milliseconds


def wait_killable() -> bool:
    """Whether SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV exists and works: on some kernels a process that is
    filtered with it dies at its first held call. A child tries, so nothing else can be harmed.

    Call from a process with one thread.
    """
    try:
        with _held(lambda: os.getppid() == _ANSWER, wait_killable=True) as child:
            call = child.held()
            child.listener.give(call.id, _ANSWER)
            return child.succeeded()
    except OSError:
        return False


def listener() -> None:
    """A filter with a listener can be installed, and a call that it holds be answered."""
    with _held(lambda: os.getppid() == _ANSWER) as child:
        child.listener.give(child.held().id, _ANSWER)
        if not child.succeeded():
            raise OSError(0, "the held call did not return what it was given")


def sync_wake_up() -> None:
    """SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP: caller and warden take turns on one processor."""
    with _held(lambda: bool(os.getppid())) as child, _step("ask for turns on one processor"):
        child.listener.sync_wake_up()


def inject() -> None:
    """SECCOMP_IOCTL_NOTIF_ADDFD: a held call returns a descriptor that the warden opened."""

    def work() -> bool:
        return os.read(os.getppid(), 100) == _WORD

    with _held(work) as child:
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            os.write(write, _WORD)
            call = child.held()
            with _step("give a descriptor to a held process"):
                child.listener.inject(call.id, read, cloexec=True)
            if not child.succeeded():
                raise OSError(0, "the held call did not return the descriptor it was given")
        finally:
            os.close(read)
            os.close(write)


def memory() -> None:
    """process_vm_readv(2) of a held child: where paths and addresses are read."""
    place = ctypes.create_string_buffer(len(_WORD))  # at the same address in the child

    def work() -> bool:
        place.raw = _WORD
        return bool(os.getppid())

    with _held(work) as child:
        call = child.held()
        with _step("read the memory of a held process"):
            if libc.read_memory(child.pid, ctypes.addressof(place), len(_WORD)) != _WORD:
                raise OSError(0, "the memory of a held process reads as something else")
        child.listener.give(call.id, 1)


def take() -> None:
    """pidfd_getfd(2): take a duplicate of a child's descriptor, as connections are made."""
    reading, writing = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            inner, other = os.pipe()
            os.write(other, _WORD)
            os.write(writing, b"%d" % inner)
            signal.pause()
        finally:
            os._exit(2)
    os.close(writing)
    try:
        number = int(os.read(reading, 16))
        with _step("take a descriptor of a child"):
            pidfd = libc.pidfd_open(pid)
            try:
                taken = libc.pidfd_getfd(pidfd, number)
            finally:
                os.close(pidfd)
        if os.read(taken, 100) != _WORD:
            raise OSError(0, "a descriptor that was taken from a child is another one")
        os.close(taken)
    finally:
        os.close(reading)
        _end(pid)


class _Held:
    """A child that runs, or hangs, under the filter."""

    def __init__(self, pid: int, pidfd: int, listener: notify.Listener) -> None:
        self.pid = pid
        self._pidfd = pidfd
        self.listener = listener

    def held(self) -> notify.Call:
        """Its held call. Raises OSError when none comes."""
        call = self.listener.receive() if _ready(self.listener.descriptor) else None
        if call is None:
            raise OSError(0, "no held call arrived: the filtered process ended, or the kernel told nothing")
        return call

    def succeeded(self) -> bool:
        """Whether its work was done, and well."""
        if not _ready(self._pidfd):
            raise OSError(0, "a held call was answered and never returned")
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status) == 0


@contextlib.contextmanager
def _held(work: Callable[[], bool], *, wait_killable: bool = False) -> Iterator[_Held]:
    """A child that does ``work`` under a filter that holds getppid(2), and nothing else."""
    program = _holding_getppid()
    read, write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        _filtered(program, write, work, wait_killable)
    os.close(write)
    closing = contextlib.ExitStack()
    closing.callback(os.close, read)
    child = None
    try:
        said = os.read(read, 16)
        number = int(said or b"-0")
        if not said:
            raise OSError(0, "the process that installed the filter died of it")
        if number < 0:
            raise OSError(-number, f"install a seccomp listener: {os.strerror(-number)}")
        with _step("take the listener of a child"):
            pidfd = libc.pidfd_open(pid)
            closing.callback(os.close, pidfd)
            descriptor = libc.pidfd_getfd(pidfd, number)
            closing.callback(os.close, descriptor)  # whoever is still held is told ENOSYS
        child = _Held(pid, pidfd, notify.Listener(descriptor, sync_wake_up=False))
        yield child
    finally:
        closing.close()
        if child is None or child.pid:
            _end(pid)


def _filtered(program: bytes, write: int, work: Callable[[], bool], wait_killable: bool) -> None:
    try:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
        try:
            descriptor = notify.install(program, wait_killable=wait_killable)
        except OSError as error:
            os.write(write, b"-%d" % (error.errno or errno.EIO))
            os._exit(2)
        os.write(write, b"%d" % descriptor)
        os._exit(0 if work() else 1)
    finally:
        os._exit(2)


def _holding_getppid() -> bytes:
    abi = native()
    if abi is None:
        raise OSError(errno.ENOSYS, f"no system call table for {os.uname().machine}")
    asm = Assembler()
    held = asm.label()
    asm.load(NUMBER)
    asm.if_equal(abi.numbers["getppid"], held)
    asm.ret(ALLOW)
    asm.mark(held)
    asm.ret(NOTIFY)
    return asm.assemble()


def _ready(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(_PATIENCE))


@contextlib.contextmanager
def _step(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not error.errno:
            raise
        raise OSError(error.errno, f"{what}: {os.strerror(error.errno)}") from None


def _end(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(OSError):
        os.waitpid(pid, 0)
