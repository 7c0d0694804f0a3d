"""System calls that Python does not offer, each wrapped once. Every failure is an OSError with its errno."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Any, Final

from agentgate.intercept.kernel.abi import number_of

__all__ = [
    "AT_EMPTY_PATH",
    "AT_FDCWD",
    "AT_SYMLINK_FOLLOW",
    "AT_SYMLINK_NOFOLLOW",
    "bind",
    "call",
    "capset",
    "connect",
    "leads",
    "linkat",
    "pidfd_getfd",
    "pidfd_open",
    "prctl",
    "read_memory",
    "renameat2",
    "tee",
    "unshare",
    "utimensat",
]

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

AT_FDCWD: Final = -100
AT_SYMLINK_NOFOLLOW: Final = 0x100
AT_SYMLINK_FOLLOW: Final = 0x400
AT_EMPTY_PATH: Final = 0x1000

_RENAMEAT2, _CAPSET = number_of("renameat2"), number_of("capset")
_PIDFD_OPEN, _PIDFD_GETFD = number_of("pidfd_open"), number_of("pidfd_getfd")
_PIDFD_THREAD: Final = os.O_EXCL  # pidfd_open(2): a thread that leads no group, since Linux 6.9


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def call(number: int, *args: Any) -> int:
    """syscall(2) with integer or pointer arguments."""
    return _check(_syscall(ctypes.c_long(number), *args))


def prctl(option: int, *args: int) -> int:
    """prctl(2); missing arguments are 0."""
    padded = [ctypes.c_ulong(arg) for arg in (*args, 0, 0, 0, 0)[:4]]
    return _check(_libc.prctl(ctypes.c_int(option), *padded))


_BUFFER_SIZE = 8192
_buffer = bytearray(_BUFFER_SIZE)
_view = memoryview(_buffer)
_fill_iovec = struct.Struct("=QQ").pack_into
_iovecs = bytearray(32)  # ours, then the other process'
_buffer_at = ctypes.addressof((ctypes.c_char * _BUFFER_SIZE).from_buffer(_buffer))
_iovecs_at = ctypes.addressof((ctypes.c_char * 32).from_buffer(_iovecs))
_fill_iovec(_iovecs, 0, _buffer_at, _BUFFER_SIZE)
# Made once: a conversion of each argument at each call would cost more than the call (3.3 us instead of 6).
_vm_readv = _libc["process_vm_readv"]
_vm_readv.restype = ctypes.c_ssize_t
_WHERE = (
    ctypes.c_size_t(_iovecs_at), ctypes.c_ulong(1), ctypes.c_size_t(_iovecs_at + 16), ctypes.c_ulong(1),
    ctypes.c_ulong(0),
)  # fmt: skip


def read_memory(pid: int, address: int, size: int) -> bytes:
    """Up to ``size`` (at most 8,192) bytes of ``pid``'s memory at ``address``: process_vm_readv(2).

    Shorter when the mapping ends. Raises OSError (EFAULT, EPERM, ESRCH). Not thread-safe: one buffer.
    """
    _fill_iovec(_iovecs, 16, address, min(size, _BUFFER_SIZE))
    count = _vm_readv(pid, *_WHERE)
    if count < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return bytes(_view[:count])


def pidfd_open(pid: int) -> int:
    """A pidfd of a process or, where the kernel can, of a thread. Close it."""
    try:
        return call(_PIDFD_OPEN, ctypes.c_int(pid), ctypes.c_uint(0))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    return call(_PIDFD_OPEN, ctypes.c_int(pid), ctypes.c_uint(_PIDFD_THREAD))


_open_pidfd = _libc["syscall"]
_open_pidfd.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_uint]
_open_pidfd.restype = ctypes.c_long


def leads(tid: int) -> bool:
    """Whether ``tid`` is a process, that is the first thread of one. Raises OSError when it is gone."""
    try:
        descriptor = _check(_open_pidfd(_PIDFD_OPEN, tid, 0))
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return False
        raise
    os.close(descriptor)
    return True


_getfd = _libc["syscall"]
_getfd.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_uint]
_getfd.restype = ctypes.c_long


def pidfd_getfd(pidfd: int, number: int) -> int:
    """A duplicate, close-on-exec, of descriptor ``number`` of that process. Close it."""
    return _check(_getfd(_PIDFD_GETFD, pidfd, number, 0))


_rename = _libc["syscall"]
_rename.argtypes = [
    ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint,
]  # fmt: skip
_rename.restype = ctypes.c_long


def renameat2(source: int, name: bytes, target: int, new: bytes, flags: int) -> None:
    _check(_rename(_RENAMEAT2, source, name, target, new, flags))


def linkat(source: int, name: bytes, target: int, new: bytes, flags: int) -> None:
    _check(_libc.linkat(ctypes.c_int(source), name, ctypes.c_int(target), new, ctypes.c_int(flags)))


def utimensat(directory: int, name: bytes | None, times: bytes | None, flags: int) -> None:
    """utimensat(2) with ``times`` as two raw struct timespec (so UTIME_NOW and UTIME_OMIT pass)."""
    _check(_libc.utimensat(ctypes.c_int(directory), name, times, ctypes.c_int(flags)))


def fchownat(directory: int, name: bytes, uid: int, gid: int, flags: int) -> None:
    _check(
        _libc.fchownat(
            ctypes.c_int(directory), name, ctypes.c_uint(uid), ctypes.c_uint(gid), ctypes.c_int(flags)
        )
    )


def connect(descriptor: int, address: bytes) -> None:
    """connect(2) with a raw struct sockaddr."""
    _check(_libc.connect(ctypes.c_int(descriptor), address, ctypes.c_uint(len(address))))


def bind(descriptor: int, address: bytes) -> None:
    """bind(2) with a raw struct sockaddr."""
    _check(_libc.bind(ctypes.c_int(descriptor), address, ctypes.c_uint(len(address))))


_tee = _libc.tee
_tee.restype = ctypes.c_ssize_t
_SPLICE_F_NONBLOCK: Final = 2


def tee(source: int, target: int, count: int) -> int:
    """tee(2) between two pipes, without waiting. Raises OSError (EAGAIN: empty, but somebody may write)."""
    return _check(
        _tee(
            ctypes.c_int(source), ctypes.c_int(target), ctypes.c_size_t(count),
            ctypes.c_uint(_SPLICE_F_NONBLOCK),
        )
    )  # fmt: skip


def unshare(flags: int) -> None:
    """unshare(2). With CLONE_NEWUSER only from a process with one thread."""
    _check(_libc.unshare(ctypes.c_int(flags)))


def setns(namespace: int, kind: int) -> None:
    """setns(2). Raises OSError."""
    _check(_libc.setns(ctypes.c_int(namespace), ctypes.c_int(kind)))


def capset(effective: int, permitted: int) -> None:
    """capset(2), version 3, for this thread; inheritable capabilities are cleared."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    low, high = 0xFFFFFFFF, 32
    data = (ctypes.c_uint32 * 6)(effective & low, permitted & low, 0, effective >> high, permitted >> high, 0)
    call(_CAPSET, ctypes.byref(header), ctypes.byref(data))
