"""A held request: the client waits, nothing is dialled; a client that leaves takes its question back."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import time

import pytest
from proxy_tools import (
    SECONDS,
    Client,
    Gate,
    Reader,
    Upstream,
    Writer,
    client,
    echo,
    hello,
    proxying,
    serving,
    until,
)

from agentgate.intercept.proxy import Proxy
from agentgate.intercept.proxy.departure import Departed, UntilDeparture


def request(kind: str, target: str) -> bytes:
    if kind == "CONNECT":
        return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()
    return f"{kind} http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()


@pytest.mark.parametrize("kind", ["CONNECT", "GET"])
async def test_held_until_decided(gate: Gate, kind: str) -> None:
    async with serving(hello) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        gate.hold.add(server.target)
        await connection.send(request(kind, server.target))
        await asyncio.wait_for(gate.holding.wait(), SECONDS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.reader.read(1), 0.2)
        assert server.accepted == 0
        gate.release.set()
        assert (await connection.head()).startswith(b"HTTP/1.1 200 ")
        assert server.accepted == 1


@pytest.mark.parametrize("kind", ["CONNECT", "GET"])
@pytest.mark.parametrize("how", ["end", "half", "reset"])
@pytest.mark.parametrize("early", [b"", b"\x16\x03\x01" * 10_000])
async def test_a_client_that_leaves_withdraws_its_question(
    gate: Gate, kind: str, how: str, early: bytes
) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        gate.hold.add(server.target)
        connection = await Client.to(port)
        await connection.send(request(kind, server.target) + early)
        await asyncio.wait_for(gate.holding.wait(), SECONDS)
        if how == "half":
            connection.writer.write_eof()
        elif how == "reset":
            sock = connection.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.writer.transport.abort()
        else:
            connection.close()
        await until(lambda: gate.withdrawn == [server.target])
        gate.release.set()
        await asyncio.sleep(0.05)
        assert server.accepted == 0
        connection.close()


async def test_closing_the_proxy_withdraws_all_questions(gate: Gate) -> None:
    async with serving(echo) as server:
        gate.hold.add(server.target)
        proxy = Proxy(gate.decide)
        port = await proxy.start()
        clients = [await Client.to(port) for _ in range(5)]
        for connection in clients:
            await connection.send(request("CONNECT", server.target))
        await until(lambda: len(gate.asked) == 5)
        await asyncio.wait_for(proxy.close(), SECONDS)
        assert len(gate.withdrawn) == 5
        for connection in clients:
            assert await connection.rest() == b""
            connection.close()
        assert server.accepted == 0


async def test_waiting_takes_no_processor_time(gate: Gate) -> None:
    """Also with bytes unread, which would make a naive watch spin."""
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        gate.hold.add(server.target)
        clients = [await Client.to(port) for _ in range(20)]
        for connection in clients:
            await connection.send(request("CONNECT", server.target) + b"\x16\x03\x01" * 1000)
        await until(lambda: len(gate.asked) == 20)
        await asyncio.sleep(0.2)
        before = time.process_time()
        await asyncio.sleep(1.0)
        assert time.process_time() - before < 0.2
        for connection in clients:
            connection.close()
        await until(lambda: len(gate.withdrawn) == 20)


async def test_idle_tunnels_take_no_processor_time(gate: Gate) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        clients = [await Client.to(port) for _ in range(20)]
        for connection in clients:
            await connection.send(request("CONNECT", server.target) + b"x")
            await connection.head()
            await connection.exactly(1)
        clients[0].writer.write_eof()
        before = time.process_time()
        await asyncio.sleep(1.0)
        assert time.process_time() - before < 0.2
        for connection in clients:
            connection.close()


async def test_client_that_leaves_while_the_server_thinks_frees_the_server(gate: Gate) -> None:
    ended = asyncio.Event()

    async def ponder(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        upstream.received.append(b"asked")
        await reader.read(-1)
        ended.set()

    async with serving(ponder) as server, proxying(Proxy(gate.decide)) as port:
        async with client(port) as connection:
            await connection.send(request("GET", server.target))
            await until(lambda: server.received == [b"asked"])
        await asyncio.wait_for(ended.wait(), SECONDS)


@pytest.mark.parametrize("epoll", [True, False])
async def test_departure_is_seen_and_the_work_finished_before_the_return(
    epoll: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not epoll:  # as on systems without it, where only an end without bytes before it is seen
        monkeypatch.delattr(select, "EPOLLRDHUP")
    steps = []
    ours, theirs = socket.socketpair()

    def leave() -> None:
        assert steps == ["begun"]
        if epoll:
            theirs.send(b"unread")
        theirs.close()

    with ours:
        ours.setblocking(False)
        asyncio.get_running_loop().call_later(0.1, leave)
        with pytest.raises(Departed):
            async with asyncio.timeout(SECONDS), UntilDeparture(ours):
                try:
                    steps.append("begun")
                    await asyncio.sleep(SECONDS * 2)
                finally:
                    await asyncio.sleep(0.01)
                    steps.append("cleaned")
    assert steps == ["begun", "cleaned"]
    await asyncio.sleep(0)  # no cancellation is left over


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    ours, theirs = socket.socketpair()

    async def work() -> None:
        async with UntilDeparture(ours):
            await asyncio.sleep(SECONDS * 2)

    with ours, theirs:
        ours.setblocking(False)
        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
