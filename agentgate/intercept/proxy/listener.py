"""A listening socket on loopback, a bounded number of connections, each in a task of its own."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from agentgate.intercept.proxy.wire import abort

__all__ = ["Listener", "Serve"]

_BACKLOG = 1024
_FILES_EACH = 3  # descriptors a connection may need: client, server, the watch on a held client
_FILES_KEPT = 200  # left to the rest of the program
_ACCEPTED = 64  # connections taken before the loop may do something else
_PAUSE = 0.2  # seconds without accepting when there are no descriptors left
_TURNED_AWAY = 64  # clients beyond the bound that are told so at one time

Serve = Callable[[socket.socket, tuple[str, int]], Coroutine[Any, Any, None]]
"""Serves one client, a non-blocking socket, from (ip, port), and closes it."""


class Listener:
    """``listen``, ``begin``, ``close``, all in one event loop.

    ``most`` connections are served by ``serve``. Beyond that ``turn_away`` says so to the client, with the
    bound that it met; where there is none, or too many are told already, the connection is cut.
    """

    def __init__(
        self,
        serve: Serve,
        most: int,
        *,
        name: str,
        turn_away: Callable[[socket.socket, int], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self._serve = serve
        self._most = most
        self._name = name  # of the tasks, for whoever looks at the process
        self._turn_away = turn_away
        self._socket: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._turning_away: set[asyncio.Task[None]] = set()

    def listen(self) -> int:
        """Take a free port of 127.0.0.1 and return it; clients wait until ``begin``. Raises OSError."""
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._socket.setblocking(False)
        return int(self._socket.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many are being served."""
        return len(self._serving)

    def begin(self) -> None:
        """Serve who comes."""
        assert self._socket is not None
        asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)

    async def close(self) -> None:
        """Cancel what is being served, and wait for its end. May be called twice."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._pause is not None:
            self._pause.cancel()
        tasks = [*self._serving, *self._turning_away]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _bound(self) -> int:
        """How many connections at once: never so many that the program itself runs out of files."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return self._most
        return min(self._most, max((soft - _FILES_KEPT) // _FILES_EACH, 8))

    def _accept(self, listener: socket.socket) -> None:
        bound = self._bound()
        for _ in range(_ACCEPTED):
            try:
                client, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptors or memory at the moment (accept(2)): clients wait in the queue
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                self._pause = loop.call_later(_PAUSE, loop.add_reader, listener, self._accept, listener)
                return
            client.setblocking(False)
            if len(self._serving) < bound:
                self._run(client, self._serve(client, (str(peer[0]), int(peer[1]))), self._serving)
            elif self._turn_away and len(self._turning_away) < _TURNED_AWAY:
                self._run(client, self._turn_away(client, bound), self._turning_away)
            else:
                abort(client)

    def _run(
        self, client: socket.socket, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]
    ) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            client.close()  # also when the task was cancelled before it began

        task = asyncio.create_task(work, name=self._name)
        tasks.add(task)
        task.add_done_callback(ended)
