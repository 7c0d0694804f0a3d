"""One client connection, from its first request to its end.

Each request is read whole, normalised, decided, and only then is anything looked up or dialled. The socket
is a raw non-blocking one, driven by the loop's ``sock_*`` calls, so that it can leave for the pump when it
becomes a tunnel.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import h11

from agentgate.intercept.proxy import headers, messages
from agentgate.intercept.proxy.departure import Departed, UntilDeparture
from agentgate.intercept.proxy.dial import DialFailed, dial
from agentgate.intercept.proxy.headers import BadRequest, Wanted
from agentgate.intercept.proxy.house import House, Turned
from agentgate.intercept.proxy.messages import Reply
from agentgate.intercept.proxy.relay import ClientFault, ServerFault, relay
from agentgate.intercept.proxy.wire import Wire, abort, linger

__all__ = ["Exchange"]


class Exchange:
    """``run`` serves ``sock``, which came from ``peer``, and closes it."""

    def __init__(self, house: House, sock: socket.socket, peer: tuple[str, int]) -> None:
        self._house = house
        self._sock = sock
        self._peer = peer
        self._wire = Wire(sock, h11.SERVER, house.limits.header_bytes)
        self._method = b""  # of the request being served

    async def run(self) -> None:
        """Serve requests until either side ends the connection. Raises nothing but CancelledError."""
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            patience = self._house.limits.header
            while await self._one(patience):
                patience = self._house.limits.idle
        except (ClientFault, Departed, OSError, h11.LocalProtocolError):
            pass
        except ServerFault:  # in the middle of a response: what came must not look complete
            abort(self._sock)
        finally:
            self._sock.close()

    async def _one(self, patience: float) -> bool:
        """Serve one request; False when the connection is not to be used again."""
        try:
            found = await self._read(patience)
            if found is None:
                return False
            request, wanted = found
            if wanted.tunnel:
                return await self._tunnel(wanted)
            return await self._plain(request, wanted)
        except Turned as turned:
            return await self._reply(turned.reply)

    async def _read(self, patience: float) -> tuple[h11.Request, Wanted] | None:
        """The next request. None at the end of the connection, or of the wait for a first byte."""
        head = bytearray(self._wire.trailing)
        try:
            async with asyncio.timeout(self._house.limits.header if head else patience) as clock:
                request = await self._head(head, clock)
        except TimeoutError:
            if not head:
                return None
            raise Turned(messages.refused("the header did not come in time", 408)) from None
        except h11.RemoteProtocolError as error:
            status = 431 if error.error_status_hint == 431 else 400
            raise Turned(messages.refused(str(error), status)) from None
        if request is None:
            return None
        try:
            wanted = headers.read(request, bytes(head))
        except BadRequest as error:
            raise Turned(messages.refused(str(error), error.status)) from None
        if self._house.secret and not self._house.knows(*headers.credentials(request)):
            raise Turned(messages.unknown())
        wanted = replace(wanted, target=self._house.translate(wanted.target))
        if wanted.tunnel:  # h11 gives the end of the (empty) body before it stops reading
            await self._wire.receive()
        return request, wanted

    async def _head(self, head: bytearray, clock: asyncio.Timeout) -> h11.Request | None:
        """Read up to the end of the header; ``head`` then holds its bytes and no others."""
        loop = asyncio.get_running_loop()
        limits = self._house.limits
        state = self._wire.state
        while (event := state.next_event()) is h11.NEED_DATA:
            data = await loop.sock_recv(self._sock, limits.header_bytes)
            if data and not head:
                clock.reschedule(min(clock.when() or 0.0, loop.time() + limits.header))  # it has begun
            head += data
            state.receive_data(data)
        del head[len(head) - len(self._wire.trailing) :]
        if len(head) > limits.header_bytes:
            raise h11.RemoteProtocolError("header too large", error_status_hint=431)
        if not isinstance(event, h11.Request):
            return None
        self._method = event.method
        return event

    async def _tunnel(self, wanted: Wanted) -> bool:
        async with UntilDeparture(self._sock):
            action = await self._house.decide(self._peer, wanted.target, wanted.method)
            upstream, early = await self._house.open_tunnel(wanted.target)
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, messages.ESTABLISHED)
        except BaseException:
            upstream.close()
            raise
        await self._house.carry(
            self._sock, upstream, wanted.target, action, from_client=self._wire.trailing, from_server=early
        )
        return False

    async def _plain(self, request: h11.Request, wanted: Wanted) -> bool:
        # One server connection per request: the next may be for another host, and is decided anew.
        async with UntilDeparture(self._sock):
            upstream = await self._forward(request, wanted)
        if upstream is not None:
            await self._house.pump.carry(
                self._sock, upstream.sock, from_client=self._wire.trailing, from_server=upstream.trailing
            )
            return False
        return await self._again()

    async def _forward(self, request: h11.Request, wanted: Wanted) -> Wire | None:
        """Decide, dial, relay. The server's wire when the connection became another protocol's."""
        house, target = self._house, wanted.target
        await house.decide(self._peer, target, wanted.method)
        proxy = house.proxy(target, tunnel=False)
        try:
            if proxy:
                sock = await dial(proxy.target, house.resolve, house.limits, trusted=True)
            else:
                sock = await dial(target, house.resolve, house.limits)
        except DialFailed as failed:
            raise Turned(failed.reply) from None
        switched = False
        try:
            server = Wire(sock, h11.CLIENT, house.limits.header_bytes)
            authorization = proxy.authorization if proxy else ""
            sent = headers.onward(request, wanted, absolute=proxy is not None, authorization=authorization)
            switched = await relay(self._wire, server, sent)
            return server if switched else None
        except ServerFault as fault:
            if self._wire.state.our_state is h11.SEND_RESPONSE:  # nothing of a response was passed on yet
                raise Turned(messages.failed(target, str(fault))) from None
            raise
        finally:
            if not switched:
                sock.close()

    async def _reply(self, reply: Reply) -> bool:
        """Answer in the proxy's own name."""
        state = self._wire.state
        if state.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return False
        try:  # a body that is here already is dropped; one that is not ends the connection
            while isinstance(state.next_event(), h11.Data):
                pass
        except h11.RemoteProtocolError:
            pass
        unread = state.their_state in (h11.SEND_BODY, h11.ERROR)
        last = unread or self._method == b"CONNECT" or reply.mark == "refused"
        extra = [("Connection", "close")] if last else []
        response = h11.Response(
            status_code=reply.status, reason=reply.reason, headers=[*reply.headers, *extra]
        )
        await self._wire.send(response)
        if self._method != b"HEAD":
            await self._wire.send(h11.Data(data=reply.body))
        await self._wire.send(h11.EndOfMessage())
        return await self._again()

    async def _again(self) -> bool:
        """Ready the connection for its next request, or end it so that the client can read all."""
        state = self._wire.state
        if state.our_state is h11.DONE and state.their_state is h11.DONE:
            state.start_next_cycle()
            self._method = b""
            return True
        await linger(self._sock, self._house.limits.linger)
        return False
