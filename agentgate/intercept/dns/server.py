"""The DNS forwarder: every query of the session ends here, whatever address it was sent to.

It lives in the app's loop. What it knows it answers at once; a new name once the warden knows what its
address stands for; what only a name server can tell once it was decided.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agentgate.actions import Action, Answer, Kind, Verdict
from agentgate.intercept.backend import Announce
from agentgate.intercept.dns.machine import Machine
from agentgate.intercept.dns.pool import Pool
from agentgate.intercept.dns.resolvers import Onward, ask
from agentgate.intercept.proxy.target import BadTarget, parse_authority

if TYPE_CHECKING:
    from agentgate.intercept.dns.messages import Query

__all__ = ["Forwarder"]

_DATAGRAM, _ANCILLARY = 4096, 256
_AT_ONCE = 64  # datagrams read before the loop may do something else
_PENDING = 256  # queries that wait for somebody; beyond that they are dropped, as UDP may
_CONNECTIONS = 128
_IDLE, _DECIDE = 10.0, 60.0  # seconds: of a TCP client's silence; of a question, for clients give up too
_IP_PKTINFO, _IPV6_PKTINFO = 8, 50  # linux/in.h, linux/in6.h
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_SHARED = ipaddress.ip_network("100.64.0.0/10")  # RFC 7793

Decide = Callable[[Action], Awaitable[Answer]]


class Forwarder:
    """``start``, then ``serve``, then ``close``, all in one event loop."""

    def __init__(
        self, pool: Pool, decide: Decide, *, machine: Machine | None = None, onward: Onward = ask
    ) -> None:
        self._pool = pool
        self._decide = decide
        self._machine = machine or Machine()
        self._onward = onward
        self._announce: Announce | None = None
        self._sockets: list[socket.socket] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending: set[tuple[object, bytes]] = set()
        self._clients = 0
        self._told: set[str] = set()  # addresses that the warden knows
        self._written: dict[str, None] = {}  # names that a program wrote; see _completion

    async def start(self) -> int:
        """Listen for TCP queries on a port of 127.0.0.1 and return it. Raises OSError."""
        listener = socket.create_server(("127.0.0.1", 0))
        # in two steps, so that a start that is broken off leaves a server that close() knows
        self._server = await asyncio.start_server(self._client, sock=listener, start_serving=False)
        await self._server.start_serving()
        return int(listener.getsockname()[1])

    def serve(self, sockets: list[socket.socket], announce: Announce) -> None:
        """Answer on these UDP sockets, which are told what address was meant; ``announce`` tells the warden
        of a name before it is answered."""
        self._announce = announce
        loop = asyncio.get_running_loop()
        for sock in sockets:
            self._sockets.append(sock)
            loop.add_reader(sock, self._datagrams, sock)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()
        if self._server:
            self._server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- over UDP

    def _datagrams(self, sock: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, _, peer = sock.recvmsg(_DATAGRAM, _ANCILLARY)
            except OSError:  # nothing more; or an error of an earlier answer, which nobody took
                return
            key = peer, data
            if key in self._pending or len(self._pending) >= _PENDING:
                continue  # a client that asks again while its question is open
            self._pending.add(key)
            task = asyncio.create_task(self._datagram(sock, data, _from(ancillary), peer))
            self._tasks.add(task)

            def ended(task: asyncio.Task[None], key: tuple[object, bytes] = key) -> None:
                self._tasks.discard(task)
                self._pending.discard(key)

            task.add_done_callback(ended)

    async def _datagram(
        self, sock: socket.socket, data: bytes, source: list[tuple[int, int, bytes]], peer: object
    ) -> None:
        answer = await self._answer(data, datagram=True)
        if answer:
            with contextlib.suppress(OSError):
                sock.sendmsg([answer], source, 0, peer)  # type: ignore[arg-type]

    # -- over TCP

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            while self._clients <= _CONNECTIONS:
                async with asyncio.timeout(_IDLE):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(size)
                answer = await self._answer(data, datagram=False)
                if not answer:
                    return
                writer.write(len(answer).to_bytes(2, "big") + answer)
                async with asyncio.timeout(_IDLE):
                    await writer.drain()
        except (OSError, EOFError, TimeoutError):
            pass
        finally:
            self._clients -= 1
            writer.close()

    # -- answers

    async def _answer(self, data: bytes, *, datagram: bool) -> bytes:
        """The answer's bytes, none when there is none."""
        from agentgate.intercept.dns import messages  # slow to import, and many sessions need it not

        query = messages.read(data)
        if query is None:
            return b""
        room = query.room if datagram else 0
        if not query.name or query.kind in ("AXFR", "IXFR"):
            return messages.refused(query, room)
        if query.kind in ("A", "AAAA"):
            return await self._host(query, room)
        if query.kind in ("HTTPS", "SVCB", "ANY"):
            return messages.empty(query, room)  # an address in it would be another's; RFC 8482
        if query.kind == "PTR" and query.reversed and (known := self._reverse(query.reversed)) is not None:
            return messages.pointer(query, known, room) if known else messages.missing(query, room)
        return await self._elsewhere(query, room)

    async def _host(self, query: Query, room: int) -> bytes:
        from agentgate.intercept.dns import messages

        name = query.name
        local = self._machine.addresses(name)
        if local is not None:
            return messages.addresses(query, local, room)
        try:
            target = parse_authority(f"{name}:53")
        except BadTarget:
            return messages.missing(query, room)
        if target.address is not None or name.endswith(".invalid") or self._completion(name):
            return messages.missing(query, room)
        if query.kind == "AAAA":
            return messages.empty(query, room)  # so that the client takes the other
        given = self._pool.give(target.host)
        self._told.discard(given.forgotten)
        if given.address not in self._told:
            assert self._announce
            await self._announce(given.address, target.host, given.forgotten)
            self._told.add(given.address)
        return messages.addresses(query, [given.address], room)

    def _completion(self, name: str) -> bool:
        """Whether ``name`` is only a try: where resolv.conf(5) has ``ndots`` above 1, a name with few dots is
        first looked up with every domain of the search list behind it. Each try would "resolve", so such a
        one is told that there is none, and the name itself comes next. A name that a program wrote out with
        that domain is known by being tried so itself before."""
        written = self._machine.completed(name)
        if "." not in written or self._machine.ndots <= 1:
            return False
        self._written[written] = None
        while len(self._written) > 1024:
            del self._written[next(iter(self._written))]
        return name not in self._written

    def _reverse(self, address: str) -> list[str] | None:
        """The names of ``address``, none where nobody outside can know; None where a name server may."""
        name = self._pool.name(address)
        if name:
            return [name]
        found = ipaddress.ip_address(address)
        names = self._machine.names(address)
        inside = not found.is_global or (found.version == 4 and found in _SHARED)
        return names if names or inside else None

    async def _elsewhere(self, query: Query, room: int) -> bytes:
        """What only a name server can tell: decided, then asked."""
        from agentgate.intercept.dns import messages

        if not _NAME.fullmatch(query.name):
            return messages.refused(query, room)
        action = Action(Kind.NET_EGRESS, f"udp://{query.name}:53", syscall=f"DNS {query.kind}")
        try:
            async with asyncio.timeout(_DECIDE):
                answer = await self._decide(action)
        except TimeoutError:
            return messages.refused(query, room)
        if answer.verdict is not Verdict.ALLOW:
            return messages.refused(query, room)
        self._machine.refresh()
        found = await self._onward(query.name, query.kind, self._machine.servers)
        return messages.passed_on(query, found, room) if found else messages.failed(query, room)


def _from(ancillary: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """The control message that makes an answer come from the address that the query was sent to: clients
    drop it otherwise (ip(7), ipv6(7))."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            meant = data[8:12]  # struct in_pktinfo: ifindex, spec_dst, addr
            return [(level, kind, struct.pack("=I4s4s", 0, meant, meant))]
        if level == socket.IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            return [(level, kind, struct.pack("=16sI", data[:16], 0))]
    return []
