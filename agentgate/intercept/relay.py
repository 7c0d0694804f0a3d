"""The relay: a listener on loopback for connections that the warden leads here, each to a name and a port
that were decided, from programs that know no proxy.

The name is looked up now, and only now; the connection goes to the first of its addresses that answers, and
by the same rules as the proxy's (no address of this machine, the operator's own proxy honoured). A failure
looks to the program like any other: the connection is reset. Why stands on the screen and in the record.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from agentgate.actions import Action, Kind
from agentgate.intercept.backend import Destination, Directions
from agentgate.intercept.proxy.house import House, Refuse, Turned
from agentgate.intercept.proxy.listener import Listener
from agentgate.intercept.proxy.target import BadTarget, Target, parse_authority
from agentgate.intercept.proxy.wire import abort

__all__ = ["Relay"]


class Relay:
    """``start``, ``serve``, ``close``, all in one event loop. ``tell`` gets one line for the operator."""

    def __init__(self, house: House, refuse: Refuse, tell: Callable[[str], None]) -> None:
        self._house = house
        self._refuse = refuse
        self._tell = tell
        self._directions: Directions | None = None
        self._listener = Listener(self._serve, house.limits.connections, name="relay")

    def start(self) -> int:
        """Listen on a port of 127.0.0.1 and return it; nobody is served yet. Raises OSError."""
        return self._listener.listen()

    def serve(self, directions: Directions) -> None:
        """``directions`` tells where a connection is to go."""
        self._directions = directions
        self._listener.begin()

    async def close(self) -> None:
        """Reset everything."""
        await self._listener.close()

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
            server, early = await self._house.open_tunnel(target)
        except BadTarget:
            return
        except Turned as turned:
            if turned.reply.status == 403:
                self._refuse(self._action(where, target), turned.reply.text)
            self._tell(turned.reply.text)
            return
        with contextlib.suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await self._house.carry(
            client, server, target, self._action(where, target), from_client=b"", from_server=early,
            refuse=self._mismatch,
        )  # fmt: skip

    def _mismatch(self, action: Action, why: str) -> None:
        self._refuse(action, why)
        self._tell(f"denied net_egress {action.target}: {why}")

    @staticmethod
    def _action(where: Destination, target: Target) -> Action:
        argv = where.chain[0].argv if where.chain else ()
        return Action(Kind.NET_EGRESS, str(target), argv=argv, chain=where.chain, syscall="connect")
