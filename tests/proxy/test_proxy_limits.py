"""Bounds: slow headers, large headers, too many connections."""

from __future__ import annotations

import asyncio
import resource

import pytest
from proxy_tools import Client, Gate, ask, client, echo, hello, proxying, serving, until

from agentgate.intercept.proxy import Limits, Proxy


async def test_a_header_that_never_ends_is_cut(gate: Gate) -> None:
    async with proxying(Proxy(gate.decide, limits=Limits(header=0.3))) as port, client(port) as connection:
        await connection.send(b"CONNECT evil.example:443 HTTP/1.1\r\n")

        async def trickle() -> None:
            while True:
                await connection.send(b"X: y\r\n")
                await asyncio.sleep(0.02)

        slow = asyncio.create_task(trickle())
        answer = await connection.rest()
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert gate.asked == []


async def test_a_connection_without_a_request_is_closed_silently(gate: Gate) -> None:
    async with proxying(Proxy(gate.decide, limits=Limits(header=0.2))) as port:
        assert await ask(port, b"") == b""


async def test_between_requests_the_wait_is_longer_but_a_begun_header_is_not(gate: Gate) -> None:
    limits = Limits(header=0.5, idle=60)
    async with serving(hello) as server, proxying(Proxy(gate.decide, limits=limits)) as port:
        request = f"GET http://{server.target}/ HTTP/1.1\r\nHost: {server.target}\r\n\r\n".encode()
        async with client(port) as connection:
            await connection.send(request)
            await connection.response()
            await asyncio.sleep(0.9)
            await connection.send(request)
            await connection.response()
            await connection.send(request[:20])
            assert (await connection.response())[0].startswith(b"HTTP/1.1 408 ")
            assert await connection.rest() == b""


async def test_an_unused_connection_is_closed_silently_in_the_end(gate: Gate) -> None:
    limits = Limits(header=60, idle=0.2)
    async with (
        serving(hello) as server,
        proxying(Proxy(gate.decide, limits=limits)) as port,
        client(port) as connection,
    ):
        request = f"GET http://{server.target}/ HTTP/1.1\r\nHost: {server.target}\r\n\r\n"
        await connection.send(request.encode())
        await connection.response()
        assert await connection.rest() == b""


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("where", ["header", "target"])
async def test_a_huge_header_is_refused(gate: Gate, ended: bool, where: str) -> None:
    padding = b"a" * 70_000
    path, field = (padding, b"") if where == "target" else (b"", padding)
    request = b"GET http://evil.example/" + path + b" HTTP/1.1\r\nHost: evil.example\r\nX: " + field
    async with proxying(Proxy(gate.decide)) as port:
        answer = await ask(port, request + (b"\r\n\r\n" if ended else b"a" * 70_000))
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert gate.asked == []


async def test_a_large_but_tolerable_header_passes(gate: Gate) -> None:
    async with serving(hello) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        head = f"GET http://{server.target}/ HTTP/1.1\r\nHost: {server.target}\r\nX: {'a' * 60_000}\r\n\r\n"
        await connection.send(head.encode())
        assert (await connection.response())[0].startswith(b"HTTP/1.1 200 ")


async def test_connections_beyond_the_bound_are_turned_away(gate: Gate) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide, limits=Limits(connections=3))) as port:
        request = f"CONNECT {server.target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        clients = [await Client.to(port) for _ in range(3)]
        for connection in clients:
            await connection.send(request)
            assert (await connection.head()).startswith(b"HTTP/1.1 200 ")
        answer = await ask(port, request)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"more than 3 connections" in answer
        assert len(gate.asked) == 3
        clients.pop().close()

        async def admitted() -> bytes:
            async with client(port) as connection:
                await connection.send(request)
                return await connection.head()

        async with asyncio.timeout(10):
            while not (await admitted()).startswith(b"HTTP/1.1 200 "):
                await asyncio.sleep(0.02)
        for connection in clients:
            connection.close()


async def test_the_bound_leaves_descriptors_to_the_program(gate: Gate) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (230, hard))
    try:
        async with proxying(Proxy(gate.decide)) as port:
            gate.hold.add("evil.example:443")
            clients = [await Client.to(port) for _ in range(10)]
            for connection in clients:
                await connection.send(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await ask(port, b"")
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert len(gate.asked) == 10
            for connection in clients:
                connection.close()
            await until(lambda: len(gate.withdrawn) == 10)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
