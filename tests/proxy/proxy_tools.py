"""What the proxy's tests share: a gate that records, servers that count, a raw client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from agentgate.actions import Action, Answer, Decision, Ruling, Source, Verdict
from agentgate.intercept.proxy import Proxy

ALLOW = Answer(Verdict.ALLOW, Source.RULE, Ruling(Decision.ALLOW, Source.RULE, 1, 3))
DENY = Answer(
    Verdict.DENY, Source.RULE, Ruling(Decision.DENY, Source.RULE, 4, 20, "nothing leaves for evil.example")
)

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter

SECONDS = 10.0  # a bound for every single wait in these tests


@dataclass
class Gate:
    """Answers ALLOW, except for targets in ``deny``; targets in ``hold`` wait for ``release``."""

    deny: set[str] = field(default_factory=set)
    hold: set[str] = field(default_factory=set)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[Action] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    holding: asyncio.Event = field(default_factory=asyncio.Event)

    async def decide(self, action: Action) -> Answer:
        self.asked.append(action)
        if action.target in self.hold:
            self.holding.set()
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.withdrawn.append(action.target)
                raise
        return DENY if action.target in self.deny else ALLOW

    @property
    def targets(self) -> list[str]:
        return [action.target for action in self.asked]


@dataclass
class Upstream:
    """A server on loopback. ``accepted`` counts connections; ``received`` what each one sent, if kept."""

    port: int = 0
    accepted: int = 0
    received: list[bytes] = field(default_factory=list)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(
    handler: Callable[[Upstream, Reader, Writer], Awaitable[None]],
) -> AsyncIterator[Upstream]:
    """A loopback server whose connections are all closed at the end."""
    upstream = Upstream()
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream.accepted += 1
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            await handler(upstream, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def proxying(proxy: Proxy) -> AsyncIterator[int]:
    port = await proxy.start()
    try:
        yield port
    finally:
        await asyncio.wait_for(proxy.close(), SECONDS)


class Client:
    """A raw client of the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), SECONDS)

    async def head(self) -> bytes:
        """A response's head, including the empty line."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), SECONDS)

    async def exactly(self, count: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), SECONDS)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        return await asyncio.wait_for(self.reader.read(-1), SECONDS)

    async def response(self) -> tuple[bytes, bytes]:
        """A response with Content-Length: its head and its body."""
        head = await self.head()
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        return head, await self.exactly(length)

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def client(port: int) -> AsyncIterator[Client]:
    found = await Client.to(port)
    try:
        yield found
    finally:
        found.close()
        try:
            await found.writer.wait_closed()
        except OSError:
            pass


async def ask(port: int, request: bytes) -> bytes:
    """Send ``request`` and read to the end of the connection."""
    async with client(port) as connection:
        await connection.send(request)
        return await connection.rest()


async def until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait for ``condition`` to hold."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def echo(upstream: Upstream, reader: Reader, writer: Writer) -> None:
    """Send back what comes, then end."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def hello(upstream: Upstream, reader: Reader, writer: Writer) -> None:
    """An HTTP server: keeps each request (head and Content-Length body), says hello, keeps alive."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
        upstream.received.append(head + body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-From: server\r\n\r\nhello\n")
        await writer.drain()
