"""System calls that Python does not offer, each wrapped once. Every failure is an OSError with its errno."""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Any, Final

__all__ = [
    "AT_EMPTY_PATH",
    "AT_FDCWD",
    "AT_SYMLINK_FOLLOW",
    "AT_SYMLINK_NOFOLLOW",
    "bind",
    "call",
    "capset",
    "connect",
    "linkat",
    "pidfd_getfd",
    "pidfd_open",
    "prctl",
    "read_memory",
    "renameat2",
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

_X86 = os.uname().machine == "x86_64"
_RENAMEAT2: Final = 316 if _X86 else 276
_CAPSET: Final = 126 if _X86 else 91
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
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


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


_BUFFER_SIZE = 8192
_buffer = ctypes.create_string_buffer(_BUFFER_SIZE)
_local = _Iovec(ctypes.addressof(_buffer), _BUFFER_SIZE)
_remote = _Iovec(0, 0)
_local_ref, _remote_ref = ctypes.byref(_local), ctypes.byref(_remote)
_vm_readv = _libc.process_vm_readv
_vm_readv.argtypes = [
    ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong,
]  # fmt: skip
_vm_readv.restype = ctypes.c_ssize_t
_buffer_address = ctypes.addressof(_buffer)


def read_memory(pid: int, address: int, size: int) -> bytes:
    """Up to ``size`` (at most 8,192) bytes of ``pid``'s memory at ``address``: process_vm_readv(2).

    Shorter when the mapping ends. Raises OSError (EFAULT, EPERM, ESRCH). Not thread-safe: one buffer.
    """
    _remote.base, _remote.length = address, min(size, _BUFFER_SIZE)
    count = _vm_readv(pid, _local_ref, 1, _remote_ref, 1, 0)
    if count < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return ctypes.string_at(_buffer_address, count)


def pidfd_open(pid: int) -> int:
    """A pidfd of a process or, where the kernel can, of a thread. Close it."""
    try:
        return call(_PIDFD_OPEN, ctypes.c_int(pid), ctypes.c_uint(0))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    return call(_PIDFD_OPEN, ctypes.c_int(pid), ctypes.c_uint(_PIDFD_THREAD))


def pidfd_getfd(pidfd: int, number: int) -> int:
    """A duplicate, close-on-exec, of descriptor ``number`` of that process. Close it."""
    return call(_PIDFD_GETFD, ctypes.c_int(pidfd), ctypes.c_int(number), ctypes.c_uint(0))


def renameat2(source: int, name: bytes, target: int, new: bytes, flags: int) -> None:
    call(_RENAMEAT2, ctypes.c_int(source), name, ctypes.c_int(target), new, ctypes.c_uint(flags))


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


def unshare(flags: int) -> None:
    """unshare(2). With CLONE_NEWUSER only from a process with one thread."""
    _check(_libc.unshare(ctypes.c_int(flags)))


def capset(effective: int, permitted: int) -> None:
    """capset(2), version 3, for this thread; inheritable capabilities are cleared."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    low, high = 0xFFFFFFFF, 32
    data = (ctypes.c_uint32 * 6)(effective & low, permitted & low, 0, effective >> high, permitted >> high, 0)
    call(_CAPSET, ctypes.byref(header), ctypes.byref(data))
