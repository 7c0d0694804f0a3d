"""What all connections of a proxy share: who decides, how names become sockets, who carries the bytes.

Both protocols that are spoken here (``exchange.py``, ``socks.py``) go through ``decide`` and ``open_tunnel``,
so that a target means the same in both.
"""

from __future__ import annotations

import hmac
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agentgate.actions import Action, Answer, Kind, Process, Verdict
from agentgate.intercept.backend import Attribute
from agentgate.intercept.proxy import messages
from agentgate.intercept.proxy.agreement import Greeting, Mismatch
from agentgate.intercept.proxy.dial import DialFailed, Resolve, dial, dial_through
from agentgate.intercept.proxy.limits import Limits
from agentgate.intercept.proxy.messages import Reply
from agentgate.intercept.proxy.pump import Pump
from agentgate.intercept.proxy.target import Target
from agentgate.intercept.proxy.upstream import ProxyAddress, Upstream
from agentgate.intercept.proxy.wire import abort

__all__ = ["USER", "Attribute", "Decide", "House", "Refuse", "Translate", "Turned"]

Decide = Callable[[Action], Awaitable[Answer]]
"""The gate. Cancelled when the client goes away; an exception counts as a denial."""

Refuse = Callable[[Action, str], object]
"""Put a refusal on record, with its reason."""

Translate = Callable[[Target], Target]

USER = "agentgate"
"""The user name that goes with a session's secret."""


class Turned(Exception):
    """The request ends with a reply of the proxy's own."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@dataclass(slots=True)
class House:
    """``attribute`` names the process behind a client; without it ``secret``, when there is one, is what
    tells a client of the session from any other."""

    decide_action: Decide
    attribute: Attribute | None
    resolve: Resolve
    upstream: Upstream | None
    limits: Limits
    pump: Pump
    translate: Translate = lambda target: target
    secret: str = ""
    refuse: Refuse = lambda action, why: None

    def knows(self, user: str, password: str) -> bool:
        """Whether these are the session's credentials, or none are needed."""
        given, wanted = f"{user}:{password}", f"{USER}:{self.secret}"
        return not self.secret or hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())

    async def decide(self, peer: tuple[str, int], target: Target, method: str) -> Action:
        """What was allowed, when the request of the client at ``peer`` is. Raises Turned with the refusal in
        every other case."""
        chain: tuple[Process, ...] = ()
        try:
            if self.attribute is not None:
                found = await self.attribute(peer)
                if found is None:
                    raise Turned(messages.stranger())
                chain = found
            argv = chain[0].argv if chain else ()
            action = Action(Kind.NET_EGRESS, str(target), argv=argv, chain=chain, syscall=method)
            answer = await self.decide_action(action)
            if answer.verdict is not Verdict.ALLOW:
                raise Turned(messages.denied(target, answer))
            return action
        except Turned:
            raise
        except Exception:  # whatever went wrong in the gate, it is not an allow
            raise Turned(messages.undecided(target)) from None

    async def open_tunnel(self, target: Target) -> tuple[socket.socket, bytes]:
        """A connection to ``target``, which was decided, and what already came out of it. Raises Turned."""
        proxy = self.proxy(target, tunnel=True)
        try:
            if proxy:
                return await dial_through(proxy, target, self.resolve, self.limits)
            return await dial(target, self.resolve, self.limits), b""
        except DialFailed as failed:
            raise Turned(failed.reply) from None

    async def carry(
        self, client: socket.socket, server: socket.socket, target: Target, action: Action,
        *, from_client: bytes, from_server: bytes, refuse: Refuse | None = None,
    ) -> None:  # fmt: skip
        """Carry the bytes of a tunnel to ``target`` until it ends, and close both sockets.

        A TLS greeting that names another host than was decided on ends it, on record (``refuse``): a front
        of many hosts would take the connection for the other's.
        """
        try:
            if target.address is None:
                greeting = Greeting(client, server, target.host, from_client, from_server)
                from_client, from_server = await greeting.run()
        except Mismatch as refused:
            (refuse or self.refuse)(action, str(refused))
            abort(client)
            abort(server)
        except OSError:
            abort(client)
            abort(server)
        except BaseException:
            server.close()
            raise
        else:
            await self.pump.carry(client, server, from_client=from_client, from_server=from_server)

    def proxy(self, target: Target, *, tunnel: bool) -> ProxyAddress | None:
        """The operator's own proxy, where the way to ``target`` leads through it."""
        return self.upstream.route(target, tunnel=tunnel) if self.upstream else None
