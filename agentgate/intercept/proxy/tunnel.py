"""Bytes between two connected sockets, both ways, moved inside the kernel where it can.

Synchronous, one turn at a time: the pump calls ``Tunnel.turn`` when a socket is ready and never waits in it.
splice(2) moves pages through a pipe without copying them to this process: half the CPU of recv and send. A
pipe is borrowed for a turn and kept only while a slow receiver has not taken all of it, so idle tunnels
hold none; a pipe's pages count against a per-user limit (pipe(7), pipe-user-pages-soft).
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Carrier", "Carriers", "Flow", "Traffic", "Tunnel"]

PIPE_BYTES = 1024 * 1024
BUFFER_BYTES = 256 * 1024
_MOVE = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE if hasattr(os, "splice") else 0
_KEPT = 4  # empty pipes kept for the next turn


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes carried from the client and to it, and whether both sides ended in order."""

    sent: int
    received: int
    orderly: bool


class Carrier(Protocol):
    """Takes bytes from a socket and hands them to another. ``held`` counts those taken, not yet handed on.

    Both calls raise BlockingIOError when the socket is not ready.
    """

    held: int

    def fill(self, source: socket.socket) -> int:
        """Bytes taken; 0 at the end of the stream. Only called when nothing is held."""

    def drain(self, sink: socket.socket) -> int:
        """Bytes handed on."""

    def close(self) -> None: ...


class SplicePipe:
    """A pipe that splice(2) fills and drains."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()
        self.held = 0
        try:
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:  # the user has many pipes open: a small one is slower, no more
            pass

    def fill(self, source: socket.socket) -> int:
        count = os.splice(source.fileno(), self._in, PIPE_BYTES, flags=_MOVE)
        self.held += count
        return count

    def drain(self, sink: socket.socket) -> int:
        count = os.splice(self._out, sink.fileno(), self.held, flags=_MOVE)
        self.held -= count
        return count

    def close(self) -> None:
        os.close(self._in)
        os.close(self._out)


class Buffer:
    """The same through memory of this process."""

    def __init__(self) -> None:
        self._memory = memoryview(bytearray(BUFFER_BYTES))
        self._start = 0
        self.held = 0

    def fill(self, source: socket.socket) -> int:
        self._start = 0
        self.held = source.recv_into(self._memory)
        return self.held

    def drain(self, sink: socket.socket) -> int:
        count = sink.send(self._memory[self._start : self._start + self.held])
        self._start += count
        self.held -= count
        return count

    def close(self) -> None:
        self._memory.release()


class Carriers:
    """Lends carriers. ``splices`` is False where splice(2) is not to be had; then memory is used."""

    def __init__(self, *, splices: bool = True) -> None:
        self.splices = splices and hasattr(os, "splice")
        self._idle: list[Carrier] = []

    def take(self) -> Carrier:
        if self._idle:
            return self._idle.pop()
        if self.splices:
            try:
                return SplicePipe()
            except OSError:  # no more descriptors: memory does as well
                pass
        return Buffer()

    def give(self, carrier: Carrier) -> None:
        """Take a carrier back; one that still holds bytes of its tunnel is thrown away with them."""
        wanted = isinstance(carrier, SplicePipe) == self.splices
        if carrier.held or not wanted or len(self._idle) >= _KEPT:
            carrier.close()
        else:
            self._idle.append(carrier)

    def unspliceable(self, carrier: Carrier) -> Carrier:
        """Memory in place of a pipe, for good: the kernel knows splice, but not for these sockets."""
        self.splices = False
        carrier.close()
        self.close()
        return Buffer()

    def close(self) -> None:
        for carrier in self._idle:
            carrier.close()
        self._idle.clear()


class Flow:
    """One direction of a tunnel. ``early`` is what was read from ``source`` before it became a tunnel."""

    __slots__ = ("_carrier", "_early", "closed", "ended", "moved", "sink", "source")

    def __init__(self, source: socket.socket, sink: socket.socket, early: bytes) -> None:
        self.source = source
        self.sink = sink
        self.moved = 0
        self.ended = False  # the source has sent its last byte
        self.closed = False  # and the sink has been told
        self._early = memoryview(early)
        self._carrier: Carrier | None = None

    @property
    def wants_read(self) -> bool:
        return not self.ended and not self.wants_write

    @property
    def wants_write(self) -> bool:
        return bool(self._early) or self._carrier is not None

    def turn(self, carriers: Carriers) -> None:
        """Move what can be moved now, once. Raises OSError when either side is broken."""
        try:
            self._move(carriers)
        except (BlockingIOError, InterruptedError):
            pass
        finally:
            if self._carrier is not None and not self._carrier.held:
                carriers.give(self._carrier)
                self._carrier = None
        if self.ended and not self.wants_write and not self.closed:
            self.closed = True
            self.sink.shutdown(socket.SHUT_WR)

    def _move(self, carriers: Carriers) -> None:
        while self._early:
            count = self.sink.send(self._early)
            self._early = self._early[count:]
            self.moved += count
        if self._carrier is None and not self.ended:
            self._carrier = carriers.take()
            self.ended = self._fill(carriers) == 0
        while self._carrier is not None and self._carrier.held:
            self.moved += self._carrier.drain(self.sink)

    def _fill(self, carriers: Carriers) -> int:
        assert self._carrier is not None
        try:
            return self._carrier.fill(self.source)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS) or isinstance(self._carrier, Buffer):
                raise
            self._carrier = carriers.unspliceable(self._carrier)
            return self._carrier.fill(self.source)

    def release(self, carriers: Carriers) -> None:
        """Give up what is held."""
        if self._carrier is not None:
            carriers.give(self._carrier)
            self._carrier = None


class Tunnel:
    """Two flows between ``client`` and ``server``, which are non-blocking and belong to the tunnel."""

    def __init__(
        self, client: socket.socket, server: socket.socket, from_client: bytes = b"", from_server: bytes = b""
    ) -> None:
        self.client = client
        self.server = server
        self.up = Flow(client, server, from_client)
        self.down = Flow(server, client, from_server)

    @property
    def done(self) -> bool:
        return self.up.closed and self.down.closed

    @property
    def half_closed(self) -> bool:
        return self.up.closed != self.down.closed

    def wants(self, sock: socket.socket) -> tuple[bool, bool]:
        """Is there something to read from ``sock``, to write to it?"""
        into, out_of = (self.down, self.up) if sock is self.client else (self.up, self.down)
        return out_of.wants_read, into.wants_write

    def turn(self, sock: socket.socket, carriers: Carriers, *, readable: bool, writable: bool) -> None:
        """``sock`` is ready: move what follows from it. Raises OSError when the tunnel is broken."""
        into, out_of = (self.down, self.up) if sock is self.client else (self.up, self.down)
        if readable and out_of.wants_read:
            out_of.turn(carriers)
        if writable and into.wants_write:
            into.turn(carriers)

    def traffic(self, *, orderly: bool) -> Traffic:
        return Traffic(self.up.moved, self.down.moved, orderly)
