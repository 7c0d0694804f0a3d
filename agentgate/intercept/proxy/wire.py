"""A socket with its HTTP/1.1 state (h11): events out, events in, nothing kept beyond one read."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import h11

__all__ = ["Wire", "abort", "linger", "peek"]

_CHUNK = 256 * 1024
_DISCARD = 1024 * 1024  # bytes a refused client may still send before the connection is cut


class Wire:
    """One side of an exchange. ``sock`` is non-blocking and stays the caller's to close."""

    def __init__(
        self, sock: socket.socket, role: type[h11.CLIENT] | type[h11.SERVER], header_bytes: int
    ) -> None:
        self.sock = sock
        self.state = h11.Connection(role, max_incomplete_event_size=header_bytes)

    async def receive(self) -> Any:
        """The next event; ``h11.ConnectionClosed`` or ``h11.PAUSED`` when there will be none.

        Raises h11.RemoteProtocolError and OSError.
        """
        loop = asyncio.get_running_loop()
        while (event := self.state.next_event()) is h11.NEED_DATA:
            self.state.receive_data(await loop.sock_recv(self.sock, _CHUNK))
        return event

    async def send(self, event: h11.Event) -> None:
        """Write one event out. Raises h11.LocalProtocolError and OSError."""
        data = self.state.send(event)
        if data:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)

    @property
    def trailing(self) -> bytes:
        """What was read beyond the last event, for a connection that leaves HTTP."""
        return bytes(self.state.trailing_data[0])


async def peek(sock: socket.socket) -> bytes:
    """The next byte, which stays to be read; empty at the end. Raises OSError."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            pass
        ready = asyncio.Event()
        loop.add_reader(sock, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(sock)


def abort(sock: socket.socket) -> None:
    """Close with a reset, so that the peer does not take what it has for the whole (SO_LINGER, socket(7))."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    sock.close()


async def linger(sock: socket.socket, seconds: float) -> None:
    """End our side and read what still comes, for a while.

    Closing with unread bytes makes the kernel send a reset, which can take the answer just written from
    the peer before it is read (RFC 9112 9.6).
    """
    loop = asyncio.get_running_loop()
    try:
        sock.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(seconds):
            left = _DISCARD
            while left > 0 and (data := await loop.sock_recv(sock, 64 * 1024)):
                left -= len(data)
    except (OSError, TimeoutError):
        pass
