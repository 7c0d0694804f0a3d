"""Work for a client that is given up as soon as the client goes away.

A held connection may have unread bytes (a TLS greeting sent early, a pipelined request), so its end cannot
be found by reading. Linux tells it apart: EPOLLRDHUP (epoll_ctl(2)) on an epoll instance of its own, which
the loop watches like any other file. Elsewhere the socket is looked at twice a second.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Departed", "departure", "unless_departed"]

T = TypeVar("T")


class Departed(Exception):
    """The client went away before the work was done; the work has been cancelled."""


def _settle(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)


async def departure(sock: socket.socket) -> None:
    """Return when the peer of ``sock`` has ended its side or reset the connection."""
    if not hasattr(select, "EPOLLRDHUP"):
        await _departure_by_looking(sock)
        return
    loop = asyncio.get_running_loop()
    gone = loop.create_future()
    with select.epoll() as watch:
        watch.register(sock.fileno(), select.EPOLLRDHUP)  # EPOLLHUP and EPOLLERR come unasked
        loop.add_reader(watch.fileno(), _settle, gone)
        try:
            await gone
        finally:
            loop.remove_reader(watch.fileno())


async def _departure_by_looking(sock: socket.socket, seconds: float = 0.5) -> None:
    while True:
        try:
            if not sock.recv(1, socket.MSG_PEEK):
                return
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            return
        await asyncio.sleep(seconds)


async def unless_departed(sock: socket.socket, work: Coroutine[Any, Any, T], name: str = "proxy work") -> T:
    """The result of ``work``, which is cancelled when the peer of ``sock`` goes away (Departed) or when
    the caller is cancelled. Nothing of it runs any more when this returns."""
    task = asyncio.create_task(work, name=name)
    watch = asyncio.create_task(departure(sock), name="proxy departure")
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Departed
        return task.result()
    finally:
        watch.cancel()
        task.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)
