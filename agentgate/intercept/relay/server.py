"""The relay: a listener on loopback for connections that the warden leads here, each to a name and a port
that were decided.

The name is looked up now, and only now; the connection goes to the first of its addresses that answers, and
by the same rules as the proxy's (no address of this machine, the operator's own proxy honoured). A failure
looks to the program like any other: the connection is reset. Why stands on the screen and in the record.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from agentgate.actions import Action, Answer, Kind
from agentgate.intercept.backend import Destination, Directions
from agentgate.intercept.proxy.dial import DialFailed, dial, dial_through
from agentgate.intercept.proxy.exchange import House
from agentgate.intercept.proxy.target import BadTarget, Target, parse_authority
from agentgate.intercept.proxy.wire import abort
from agentgate.intercept.relay.listen import Greeting, Mismatch

__all__ = ["Refuse", "Relay"]

_TLS = 443
_PAUSE = 0.2  # seconds without accepting when there are no descriptors left
_ACCEPTED = 64  # connections taken before the loop may do something else

Refuse = Callable[[Action, str], Answer]
"""Put a refusal on record, with its reason."""


class Relay:
    """``start``, ``serve``, ``close``, all in one event loop. ``tell`` gets one line for the operator."""

    def __init__(self, house: House, refuse: Refuse, tell: Callable[[str], None]) -> None:
        self._house = house
        self._refuse = refuse
        self._tell = tell
        self._directions: Directions | None = None
        self._listener: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> int:
        """Listen on a port of 127.0.0.1 and return it; nobody is served yet. Raises OSError."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)
        return int(self._listener.getsockname()[1])

    def serve(self, directions: Directions) -> None:
        """``directions`` tells where a connection is to go."""
        assert self._listener
        self._directions = directions
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    async def close(self) -> None:
        """Reset everything."""
        if self._listener:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        if self._pause:
            self._pause.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, listener: socket.socket) -> None:
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
            if len(self._tasks) >= self._house.limits.connections:
                abort(client)
                continue
            task = asyncio.create_task(self._serve(client, (str(peer[0]), int(peer[1]))), name="relay")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket, peer: tuple[str, int]) -> None:
        assert self._directions
        try:
            where = await self._directions(peer)
            if where is not None:
                await self._connect(client, where)
        finally:
            if client.fileno() >= 0:  # the pump took it otherwise
                abort(client)

    async def _connect(self, client: socket.socket, where: Destination) -> None:
        try:
            target = parse_authority(f"{where.name}:{where.port}")
            server, early = await self._dial(target)
        except BadTarget:
            return
        except DialFailed as failed:
            if failed.reply.status == 403:
                self._refuse(self._action(where, target), failed.reply.text)
            self._tell(failed.reply.text)
            return
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said = b""
            if target.port == _TLS:
                said, early = await Greeting(client, server, where.name, early).run()
        except Mismatch as refused:
            self._refuse(self._action(where, target), str(refused))
            self._tell(f"denied net_egress {target}: {refused}")
            abort(server)
            return
        except OSError:
            abort(server)
            return
        except BaseException:
            server.close()
            raise
        await self._house.pump.carry(client, server, from_client=said, from_server=early)

    async def _dial(self, target: Target) -> tuple[socket.socket, bytes]:
        house = self._house
        proxy = house.upstream.route(target, tunnel=True) if house.upstream else None
        if proxy:
            return await dial_through(proxy, target, house.resolve, house.limits)
        return await dial(target, house.resolve, house.limits), b""

    @staticmethod
    def _action(where: Destination, target: Target) -> Action:
        argv = where.chain[0].argv if where.chain else ()
        return Action(Kind.NET_EGRESS, str(target), argv=argv, chain=where.chain, syscall="connect")
