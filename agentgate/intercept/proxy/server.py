"""The egress proxy: one port on loopback on which HTTP and SOCKS are spoken, and an orderly end."""

from __future__ import annotations

import asyncio
import socket

from agentgate.intercept.proxy import messages, socks
from agentgate.intercept.proxy.dial import Resolve, lookup
from agentgate.intercept.proxy.exchange import Exchange
from agentgate.intercept.proxy.house import USER, Attribute, Decide, House, Refuse, Translate
from agentgate.intercept.proxy.limits import Limits
from agentgate.intercept.proxy.listener import Listener
from agentgate.intercept.proxy.pump import Pump
from agentgate.intercept.proxy.upstream import Upstream
from agentgate.intercept.proxy.wire import linger, peek

__all__ = ["Proxy"]

_DIRECT = "localhost,127.0.0.1,::1"


class Proxy:
    """An HTTP and SOCKS proxy on 127.0.0.1 that asks ``decide`` before it looks up or dials anything.

    ``attribute`` names the process behind a client's (ip, port), and turns away whom it does not know;
    without it requests have no process, and ``secret``, if not empty, is what clients must present.
    ``refuse`` is told of tunnels that turned out to lead elsewhere. ``upstream`` is the operator's own
    proxy; ``resolve`` stands in for the system's resolver. ``start`` and ``close`` belong to one running
    event loop.
    """

    def __init__(
        self,
        decide: Decide,
        attribute: Attribute | None = None,
        *,
        secret: str = "",
        refuse: Refuse | None = None,
        agent: str = "",
        limits: Limits | None = None,
        upstream: Upstream | None = None,
        resolve: Resolve = lookup,
    ) -> None:
        self._limits = limits or Limits()
        name = f"proxy {agent}".strip()  # of its thread and tasks, for whoever looks at the process
        pump = Pump(half_closed=self._limits.half_closed, name=name)
        self._house = House(decide, attribute, resolve, upstream, self._limits, pump, secret=secret)
        if refuse:
            self._house.refuse = refuse
        self._listener = Listener(
            self._serve, self._limits.connections, name=name, turn_away=self._turn_away
        )  # fmt: skip
        self._port = 0

    @property
    def port(self) -> int:
        """Where it listens; 0 before ``start``."""
        return self._port

    @property
    def connections(self) -> int:
        """How many are being served."""
        return self._listener.connections

    @property
    def house(self) -> House:
        """What its connections share, for other ways out that are to go by the same rules."""
        return self._house

    def translate(self, translate: Translate) -> None:
        """From now on ``translate`` says what a requested target stands for, before it is decided."""
        self._house.translate = translate

    async def start(self) -> int:
        """Listen on a free port of 127.0.0.1 and return it. Raises OSError."""
        self._port = self._listener.listen()
        self._house.pump.start()
        self._listener.begin()
        return self._port

    async def close(self) -> None:
        """End everything at once: held requests are withdrawn, tunnels are reset. May be called twice."""
        await self._listener.close()
        self._house.pump.stop()

    def environment(self) -> dict[str, str]:
        """The variables that lead an agent's programs here, in both spellings.

        This machine stays direct: a proxy is no use there, and connections to it are decided as such.
        ALL_PROXY says http too, though SOCKS is spoken on the same port: Python's httpx, and with it many
        an agent's own client, fails at a socks5h:// address unless a package for it is installed.
        """
        if not self._port:
            raise RuntimeError("the proxy has not been started")
        known = f"{USER}:{self._house.secret}@" if self._house.secret else ""
        url = f"http://{known}127.0.0.1:{self._port}"
        names = {"HTTP_PROXY": url, "HTTPS_PROXY": url, "ALL_PROXY": url, "NO_PROXY": _DIRECT}
        return names | {name.lower(): value for name, value in names.items()} | {"NODE_USE_ENV_PROXY": "1"}

    async def _serve(self, client: socket.socket, peer: tuple[str, int]) -> None:
        """Either protocol; the first byte tells which."""
        try:
            async with asyncio.timeout(self._house.limits.header):
                first = await peek(client)
        except (TimeoutError, OSError):
            return
        kind = socks.Socks if first == bytes((socks.VERSION,)) else Exchange
        await kind(self._house, client, peer).run()

    async def _turn_away(self, client: socket.socket, bound: int) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(client, messages.busy(bound).encode())
        except OSError:
            return
        await linger(client, self._limits.linger)
