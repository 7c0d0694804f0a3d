"""connect(2) on the caller's behalf, in the warden's one thread, which must not wait for anybody.

A socket that blocks can let connect wait for minutes, and what a socket does is the caller's to change at
any moment; so an alarm stands over every try. On loopback the kernel is through before it rings. What is
interrupted goes on by itself (TCP: the handshake, which poll(2) tells the end of) or has not begun (a unix
listener whose queue is full), and is tried again later: connect(2) then gives what it would have given.

The caller meets what it would meet in the kernel's own wait (connect(2), socket(7)): the end of its
SO_SNDTIMEO, and its signals, which end the call or begin it anew. The filter lets only death interrupt a
held call, so a caller that waits here is looked at for signals now and then.
"""

from __future__ import annotations

import _socket
import errno
import os
import select
import signal
import socket
import struct
import time

from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import NotYet

__all__ = ["Connecting", "hear_alarms"]

# Seconds until the alarm. On this machine it will not ring, and one that is far costs a tenth to set: the
# clock's hardware need not be told. Everywhere else it will.
_NEAR, _FAR = 4e-3, 100e-6
_AGAIN = 1e-3  # between its rings, until it was heard
_PAUSE = 0.02  # seconds between tries of what nothing tells about, and between looks for signals
_ERESTARTSYS = 512  # what the kernel itself answers: EINTR, or the call once more (signal(7), SA_RESTART)
_TIMEVAL = struct.Struct("@ll")


def hear_alarms() -> None:
    """Let SIGALRM do nothing but interrupt. Call it once, before anything connects."""
    signal.signal(signal.SIGALRM, lambda number, frame: None)


class Connecting:
    """One connect call, to an address of this machine or not (``near``). Each call of the object is a try:
    0, or OSError as connect(2), or NotYet."""

    __slots__ = ("_address", "_begun", "_caller", "_deadline", "_looked", "_patience", "_sock")

    def __init__(self, caller: Caller, sock: _socket.socket, address: bytes, *, near: bool = True) -> None:
        self._caller = caller
        self._sock = sock
        self._address = address
        self._patience = _NEAR if near else _FAR
        self._begun = False
        self._deadline = 0.0
        self._looked = 0.0

    def __call__(self) -> int:
        if self._begun:
            self._wait()
        signal.setitimer(signal.ITIMER_REAL, self._patience, _AGAIN)
        try:
            libc.connect(self._sock.fileno(), self._address)
        except OSError as error:
            if error.errno != errno.EINTR:
                raise
        else:
            return 0
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if not self._begun:
            self._begun = True
            self._patience = _FAR
            self._deadline = self._timeout()
            self._looked = time.monotonic()
        raise self._later()

    @property
    def _tells(self) -> bool:
        """Whether poll(2) tells the end."""
        return self._sock.family != socket.AF_UNIX

    def _later(self) -> NotYet:
        return NotYet(self._sock.fileno() if self._tells else -1)

    def _wait(self) -> None:
        """Return when it may be tried. Raises NotYet, or OSError when the caller waits no longer."""
        if self._tells:
            poll = select.poll()
            poll.register(self._sock.fileno(), select.POLLOUT)
            if poll.poll(0):
                return
        now = time.monotonic()
        if self._deadline and now >= self._deadline:
            raise _error(errno.EINPROGRESS if self._tells else errno.EAGAIN)
        if now < self._looked + _PAUSE:
            raise self._later()
        self._looked = now
        self._look_for_signals()
        if self._tells:
            raise self._later()

    def _timeout(self) -> float:
        """When SO_SNDTIMEO ends, 0 for never."""
        seconds, micro = _TIMEVAL.unpack(
            self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.size)
        )
        return time.monotonic() + seconds + micro / 1e6 if seconds or micro else 0.0

    def _look_for_signals(self) -> None:
        """Raise what a signal that waits for the caller makes of the call."""
        values: dict[bytes, bytes] = {}
        with open(f"/proc/{self._caller.tid}/status", "rb") as status:
            for line in status:
                name, _, value = line.partition(b":")
                values[name] = value
        blocked = int(values[b"SigBlk"], 16)
        own, shared = (int(values[name], 16) & ~blocked for name in (b"SigPnd", b"ShdPnd"))
        if not own and not shared:
            return
        # A signal of the whole process can be taken by another thread before this one is woken; then the
        # kernel would hand the number of a new start out as an error.
        sure = own or int(values[b"Threads"]) == 1
        raise _error(_ERESTARTSYS if sure and not self._deadline else errno.EINTR)


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
