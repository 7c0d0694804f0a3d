"""The name service of one session: pool, forwarder and relay, put together."""

from __future__ import annotations

import socket
from collections.abc import Callable

from agentgate.intercept.backend import Announce, Directions
from agentgate.intercept.dns.machine import Machine
from agentgate.intercept.dns.pool import Pool
from agentgate.intercept.dns.resolvers import Onward, ask
from agentgate.intercept.dns.server import Decide, Forwarder
from agentgate.intercept.proxy.house import Refuse
from agentgate.intercept.proxy.server import Proxy
from agentgate.intercept.proxy.target import Target
from agentgate.intercept.relay import Relay

__all__ = ["Names"]

_REMEMBERED = 64  # lines said; a program that tries again and again must not fill the screen


class Names:
    """What ``Launch.names`` wants. ``proxy`` has been started; its resolver, limits, pump and upstream serve
    the relay too. ``tell`` gets lines for the operator."""

    def __init__(
        self,
        proxy: Proxy,
        decide: Decide,
        refuse: Refuse,
        tell: Callable[[str], None],
        *,
        machine: Machine | None = None,
        onward: Onward = ask,
    ) -> None:
        self._pool = Pool()
        self._say = tell
        self._said: dict[str, None] = {}
        self._forwarder = Forwarder(self._pool, decide, machine=machine, onward=onward)
        self._relay = Relay(proxy.house, refuse, self._tell)
        self.pool = str(self._pool.network)
        self.relay_port = 0
        self.dns_port = 0

    async def start(self) -> None:
        """Raises OSError."""
        self.relay_port = self._relay.start()
        self.dns_port = await self._forwarder.start()

    def serve(self, sockets: list[socket.socket], announce: Announce, directions: Directions) -> None:
        self._forwarder.serve(sockets, announce)
        self._relay.serve(directions)

    def unavailable(self, why: str) -> None:
        self._say(f"no UDP, and names only through the proxy: a private network cannot be had here ({why})")

    def translate(self, target: Target) -> Target:
        """The name behind a target whose host is an address of the pool; every other target itself."""
        name = self._pool.name(target.host) if target.address is not None else ""
        return Target(name, target.port) if name else target

    def _tell(self, text: str) -> None:
        if text not in self._said:
            while len(self._said) >= _REMEMBERED:
                del self._said[next(iter(self._said))]
            self._said[text] = None
            self._say(text)

    async def close(self) -> None:
        await self._relay.close()
        await self._forwarder.close()
