"""Work for a client that is given up as soon as the client goes away.

A held connection may have unread bytes (a TLS greeting sent early, a pipelined request), so its end cannot
be found by reading. Linux tells it apart: EPOLLRDHUP (epoll_ctl(2)) on an epoll instance of its own, which
the loop watches like any other file. Elsewhere the socket is looked at twice a second.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from types import TracebackType

__all__ = ["Departed", "UntilDeparture"]

_LOOK = 0.5  # seconds, where the kernel does not tell


class Departed(Exception):
    """The client went away before the work was done; the work has been cancelled."""


class UntilDeparture:
    """``async with UntilDeparture(sock):`` cancels its body when the peer of ``sock`` ends its side or
    resets the connection, and then raises Departed, as ``asyncio.timeout`` does with time.

    A peer that has only ended its sending side counts as gone: over TCP the two look the same.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._gone = False

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelled_before = task.cancelling()
        self._stop = (_told if hasattr(select, "EPOLLRDHUP") else _looked)(self._sock, self._depart)

    def _depart(self) -> None:
        if not self._gone:
            self._gone = True
            self._stop()  # or the loop would call again and again while the work winds up
            self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        if self._gone and self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise Departed from None


def _told(sock: socket.socket, depart: Callable[[], None]) -> Callable[[], None]:
    """Have the kernel tell; returns what ends that."""
    loop = asyncio.get_running_loop()
    watch = select.epoll()
    try:
        watch.register(sock.fileno(), select.EPOLLRDHUP)  # EPOLLHUP and EPOLLERR come unasked
        loop.add_reader(watch.fileno(), depart)
    except BaseException:
        watch.close()
        raise

    def stop() -> None:
        if not watch.closed:
            loop.remove_reader(watch.fileno())
            watch.close()

    return stop


def _looked(sock: socket.socket, depart: Callable[[], None]) -> Callable[[], None]:
    """Look now and then; an end behind unread bytes is not seen. Returns what ends it."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def look() -> None:
        nonlocal timer
        try:
            ended = not sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            ended = False
        except OSError:
            ended = True
        if ended:
            depart()
        else:
            timer = loop.call_later(_LOOK, look)

    def stop() -> None:
        if timer is not None:
            timer.cancel()

    timer = loop.call_later(_LOOK, look)
    return stop
