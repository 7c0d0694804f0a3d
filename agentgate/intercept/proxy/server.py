"""The egress proxy: a listening socket on loopback, a bounded number of connections, an orderly end."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Coroutine
from typing import Any

from agentgate.intercept.proxy import messages
from agentgate.intercept.proxy.dial import Resolve, lookup
from agentgate.intercept.proxy.exchange import Attribute, Decide, Exchange, House, Translate
from agentgate.intercept.proxy.limits import Limits
from agentgate.intercept.proxy.pump import Pump
from agentgate.intercept.proxy.upstream import Upstream
from agentgate.intercept.proxy.wire import linger

__all__ = ["Proxy"]

_DIRECT = "localhost,127.0.0.1,::1"
_FILES_EACH = 3  # descriptors a connection may need: client, server, the watch on a held client
_FILES_KEPT = 200  # left to the rest of the program
_ACCEPTED = 64  # connections taken before the loop may do something else
_PAUSE = 0.2  # seconds without accepting when there are no descriptors left
_TURNED_AWAY = 64  # clients beyond the bound that are told so at one time


class Proxy:
    """An HTTP proxy on 127.0.0.1 that asks ``decide`` before it looks up or dials anything.

    ``attribute`` names the process behind a client's (ip, port); without it requests have no process.
    ``upstream`` is the operator's own proxy; ``resolve`` stands in for the system's resolver. ``start`` and
    ``close`` belong to one running event loop.
    """

    def __init__(
        self,
        decide: Decide,
        attribute: Attribute | None = None,
        *,
        agent: str = "",
        limits: Limits | None = None,
        upstream: Upstream | None = None,
        resolve: Resolve = lookup,
    ) -> None:
        self._limits = limits or Limits()
        self._name = f"proxy {agent}".strip()  # of its thread and tasks, for whoever looks at the process
        pump = Pump(half_closed=self._limits.half_closed, name=self._name)
        self._house = House(decide, attribute, resolve, upstream, self._limits, pump)
        self._socket: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._turning_away: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens; 0 before ``start``."""
        return self._port

    @property
    def house(self) -> House:
        """What its connections share, for other ways out that are to go by the same rules."""
        return self._house

    def translate(self, translate: Translate) -> None:
        """From now on ``translate`` says what a requested target stands for, before it is decided."""
        self._house.translate = translate

    async def start(self) -> int:
        """Listen on a free port of 127.0.0.1 and return it. Raises OSError."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        listener.setblocking(False)
        self._socket = listener
        self._port = int(listener.getsockname()[1])
        self._house.pump.start()
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)
        return self._port

    async def close(self) -> None:
        """End everything at once: held requests are withdrawn, tunnels are reset. May be called twice."""
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
        self._house.pump.stop()

    def environment(self) -> dict[str, str]:
        """The variables that lead an agent's programs here, in both spellings.

        This machine stays direct: a proxy is no use there, and connections to it are decided as such.
        """
        if not self._port:
            raise RuntimeError("the proxy has not been started")
        url = f"http://127.0.0.1:{self._port}"
        names = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": url, "NO_PROXY": _DIRECT}
        return names | {name.lower(): value for name, value in names.items()} | {"NODE_USE_ENV_PROXY": "1"}

    def _bound(self) -> int:
        """How many connections at once: never so many that the program itself runs out of files."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft == resource.RLIM_INFINITY:
            return self._limits.connections
        return min(self._limits.connections, max((soft - _FILES_KEPT) // _FILES_EACH, 8))

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
                exchange = Exchange(self._house, client, (str(peer[0]), int(peer[1])))
                self._serve(client, exchange.run(), self._serving)
            elif len(self._turning_away) < _TURNED_AWAY:
                self._serve(client, self._turn_away(client, bound), self._turning_away)
            else:
                client.close()

    def _serve(
        self, client: socket.socket, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]
    ) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            tasks.discard(task)
            client.close()  # also when the task was cancelled before it began

        task = asyncio.create_task(work, name=self._name)
        tasks.add(task)
        task.add_done_callback(ended)

    async def _turn_away(self, client: socket.socket, bound: int) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(client, messages.busy(bound).encode())
        except OSError:
            return
        await linger(client, self._limits.linger)
