"""One client connection that speaks SOCKS 5 (RFC 1928, RFC 1929): CONNECT, by name or address.

The name is the client's to give and ours to look up ("socks5h"), after it was decided as for HTTP's CONNECT.
BIND and UDP ASSOCIATE are refused: the one waits for connections from outside, the other sends datagrams.
Bytes are read one field at a time, so that what follows the request belongs to the tunnel.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from agentgate.intercept.proxy.departure import Departed, UntilDeparture
from agentgate.intercept.proxy.house import House, Turned
from agentgate.intercept.proxy.target import BadTarget, Target, parse_authority
from agentgate.intercept.proxy.wire import linger

__all__ = ["VERSION", "Socks"]

VERSION = 5
_OPEN, _PASSWORD, _NO_METHOD = 0, 2, 0xFF
_CONNECT = 1
_V4, _NAME, _V6 = 1, 3, 4
_GRANTED, _FAILURE, _FORBIDDEN, _UNREACHABLE, _NO_COMMAND, _NO_ADDRESS = 0, 1, 2, 4, 7, 8
_CODES = {403: _FORBIDDEN, 502: _UNREACHABLE, 504: _UNREACHABLE}


class _Refused(Exception):
    """The exchange ends with these bytes."""

    def __init__(self, last: bytes) -> None:
        super().__init__()
        self.last = last


def _reply(code: int) -> bytes:
    """Our address is told as 0.0.0.0:0: it says nothing that a client could use."""
    return bytes((VERSION, code, 0, _V4)) + bytes(6)


class Socks:
    """``run`` serves ``sock``, which came from ``peer``, and closes it."""

    def __init__(self, house: House, sock: socket.socket, peer: tuple[str, int]) -> None:
        self._house = house
        self._sock = sock
        self._peer = peer

    async def run(self) -> None:
        """Serve one tunnel. Raises nothing but CancelledError."""
        loop = asyncio.get_running_loop()
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                async with asyncio.timeout(self._house.limits.header):
                    await self._greet()
                    target = await self._request()
                async with UntilDeparture(self._sock):
                    action = await self._house.decide(self._peer, target, "SOCKS5")
                    server, early = await self._house.open_tunnel(target)
            except Turned as turned:
                raise _Refused(_reply(_CODES.get(turned.reply.status, _FAILURE))) from None
            try:
                await loop.sock_sendall(self._sock, _reply(_GRANTED))
            except BaseException:
                server.close()
                raise
            await self._house.carry(self._sock, server, target, action, from_client=b"", from_server=early)
        except _Refused as refused:
            await self._turn_away(refused.last)
        except (EOFError, Departed, OSError, TimeoutError):
            pass
        finally:
            self._sock.close()

    async def _turn_away(self, last: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, last)
        except OSError:
            return
        await linger(self._sock, self._house.limits.linger)

    async def _take(self, count: int) -> bytes:
        loop = asyncio.get_running_loop()
        data = b""
        while len(data) < count:
            part = await loop.sock_recv(self._sock, count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    async def _counted(self) -> bytes:
        """A field behind its length."""
        return await self._take((await self._take(1))[0])

    async def _greet(self) -> None:
        """Agree on a method, and take the secret where one is needed."""
        loop = asyncio.get_running_loop()
        if (await self._take(1))[0] != VERSION:
            raise EOFError
        offered = await self._counted()
        if self._house.secret:
            method = _PASSWORD if _PASSWORD in offered else _NO_METHOD
        else:
            method = next((one for one in (_OPEN, _PASSWORD) if one in offered), _NO_METHOD)
        if method == _NO_METHOD:
            raise _Refused(bytes((VERSION, _NO_METHOD)))
        await loop.sock_sendall(self._sock, bytes((VERSION, method)))
        if method == _PASSWORD:
            if (await self._take(1))[0] != 1:
                raise EOFError
            user, password = [(await self._counted()).decode("utf-8", "replace") for _ in range(2)]
            if not self._house.knows(user, password):
                raise _Refused(b"\1\1")
            await loop.sock_sendall(self._sock, b"\1\0")

    async def _request(self) -> Target:
        """Where the client wants to go, in one spelling."""
        version, command, reserved, kind = await self._take(4)
        if version != VERSION or reserved:
            raise _Refused(_reply(_FAILURE))
        if kind == _V4:
            host = str(ipaddress.IPv4Address(await self._take(4)))
        elif kind == _V6:
            host = f"[{ipaddress.IPv6Address(await self._take(16))}]"
        elif kind == _NAME:
            host = (await self._counted()).decode("latin-1")
        else:
            raise _Refused(_reply(_NO_ADDRESS))
        port = int.from_bytes(await self._take(2), "big")
        if command != _CONNECT:
            raise _Refused(_reply(_NO_COMMAND))
        try:
            if not host.isascii():
                raise BadTarget("a name in bytes of no known encoding")
            return self._house.translate(parse_authority(f"{host}:{port}"))
        except BadTarget:
            raise _Refused(_reply(_FAILURE)) from None
