"""Seccomp user notification (seccomp_unotify(2)): install the filter, receive calls, answer them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
from typing import NamedTuple

from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.abi import number_of

__all__ = ["Call", "Listener", "install"]

_SECCOMP = number_of("seccomp")
_SET_MODE_FILTER = 1
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5


def _ioctl(direction: int, number: int, size: int) -> int:
    return (direction << 30) | (size << 16) | (ord("!") << 8) | number


_RECV, _SEND = _ioctl(3, 0, 80), _ioctl(3, 1, 24)
_ID_VALID, _ADDFD, _SET_FLAGS = _ioctl(1, 2, 8), _ioctl(1, 3, 24), _ioctl(1, 4, 8)
_CONTINUE, _SYNC_WAKE_UP = 1, 1

_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
_ADD = struct.Struct("=QIIII")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def install(program: bytes, *, wait_killable: bool) -> int:
    """Filter this thread and all it starts; returns the listener (close-on-exec). Needs no_new_privs.

    ``wait_killable``: once received, a held call is interrupted by nothing but death; without it a
    process that gets signals repeats its call at each (one held open became 30 questions).
    """
    code = ctypes.create_string_buffer(program, len(program))
    record = _Program(len(program) // 8, ctypes.addressof(code))
    flags = _NEW_LISTENER | (_WAIT_KILLABLE if wait_killable else 0)
    return libc.call(_SECCOMP, ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(flags), ctypes.byref(record))


class Call(NamedTuple):
    """One held call. ``pid`` is the calling thread's id; ``args`` the six raw registers."""

    id: int
    pid: int
    number: int
    args: tuple[int, int, int, int, int, int]


class Listener:
    """The supervisor's end. A process that died meanwhile (ENOENT) is no error: nobody waits then."""

    def __init__(self, descriptor: int, *, sync_wake_up: bool) -> None:
        self.descriptor = descriptor
        self._buffer = bytearray(80)
        self._zero = bytes(80)
        if sync_wake_up:
            with contextlib.suppress(OSError):
                self.sync_wake_up()

    def sync_wake_up(self) -> None:
        """From now on the caller runs on this CPU next when it is answered, which saves a migration.
        Raises OSError before Linux 6.6."""
        fcntl.ioctl(self.descriptor, _SET_FLAGS, _SYNC_WAKE_UP)

    def receive(self) -> Call | None:
        """The next call, None when the caller died before it was received. Call after poll(2) says so."""
        buffer = self._buffer
        buffer[:] = self._zero  # the kernel insists on zeroes
        try:
            fcntl.ioctl(self.descriptor, _RECV, buffer, True)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return None
            raise
        fields = _NOTIFICATION.unpack(buffer)
        return Call(fields[0], fields[1], fields[3], fields[6:])

    def give(self, call: int, value: int) -> None:
        """The call returns ``value``."""
        self._send(call, value, 0, 0)

    def fail(self, call: int, error: int) -> None:
        """The call fails with errno ``error``."""
        self._send(call, 0, -error, 0)

    def let_go(self, call: int) -> None:
        """The kernel carries the call out, in the caller's rights. Only where nothing depends on memory."""
        self._send(call, 0, 0, _CONTINUE)

    def inject(self, call: int, descriptor: int, *, cloexec: bool) -> None:
        """The call returns a new descriptor of the caller's that is a duplicate of ``descriptor``.

        In two steps, though SECCOMP_ADDFD_FLAG_SEND would save one: when that is interrupted (a debugger,
        a suspended machine) the caller can be told 0, its own standard input. Raises OSError (EMFILE) when
        the caller has no free number; the call is then still to be answered.
        """
        # a bytearray, because only for one of these does ioctl() tell the call's own return value
        order = bytearray(_ADD.pack(call, 0, descriptor, 0, os.O_CLOEXEC if cloexec else 0))
        while True:
            try:
                number = fcntl.ioctl(self.descriptor, _ADDFD, order)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    return
                if error.errno != errno.EINTR:
                    raise
            else:
                self._send(call, number, 0, 0)
                return

    def alive(self, call: int) -> bool:
        """Whether somebody still waits for this answer."""
        try:
            fcntl.ioctl(self.descriptor, _ID_VALID, struct.pack("=Q", call))
        except OSError:
            return False
        return True

    def _send(self, call: int, value: int, error: int, flags: int) -> None:
        try:
            fcntl.ioctl(self.descriptor, _SEND, _RESPONSE.pack(call, value, error, flags))
        except OSError as failure:
            if failure.errno != errno.ENOENT:
                raise
