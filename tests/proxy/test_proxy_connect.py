"""CONNECT over real sockets: decided before anything is dialled, then every byte both ways."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import struct

import pytest
from proxy_tools import (
    SECONDS,
    Client,
    Gate,
    Reader,
    Upstream,
    Writer,
    ask,
    client,
    echo,
    proxying,
    serving,
    until,
)

from agentgate.actions import Kind, Process
from agentgate.intercept.proxy import Limits, Proxy

MEGABYTE = 1024 * 1024


async def opened(connection: Client, target: str, early: bytes = b"") -> None:
    await connection.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode() + early)
    assert (await connection.head()).startswith(b"HTTP/1.1 200 ")


async def test_allowed_tunnel_carries_both_ways(gate: Gate) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await opened(connection, server.target)
        for size in (1, 1000, 3 * MEGABYTE):
            data = os.urandom(size)
            sending = asyncio.create_task(connection.send(data))
            assert await connection.exactly(size) == data
            await sending
        assert server.accepted == 1
        assert gate.targets == [server.target]
        assert gate.asked[0].kind is Kind.NET_EGRESS
        assert gate.asked[0].syscall == "CONNECT"


async def test_denied_is_told_why_and_nothing_is_dialled(gate: Gate) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        gate.deny.add(server.target)
        answer = await ask(port, f"CONNECT {server.target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 Forbidden")
        assert b"X-AgentGate: denied" in head
        assert b"Content-Type: text/plain" in head
        why = "rule 4 (line 20): nothing leaves for evil.example"
        assert body.decode() == f"agentgate: denied net_egress {server.target} ({why})\n"
        await asyncio.sleep(0.05)
        assert server.accepted == 0


async def test_denied_answer_survives_bytes_sent_early(gate: Gate) -> None:
    """Unread bytes at close would make the kernel reset the connection and lose the answer."""
    gate.deny.add("evil.example:443")
    async with proxying(Proxy(gate.decide)) as port:
        for _ in range(20):
            answer = await ask(
                port, b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n" + b"\x16\x03" * 40000
            )
            assert answer.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
async def test_a_client_without_host_or_of_http_1_0(gate: Gate, version: str) -> None:
    host = "Host: other:1\r\n" if version == "HTTP/1.1" else ""
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(f"CONNECT {server.target} {version}\r\n{host}\r\n".encode())
        assert await connection.head() == b"HTTP/1.1 200 Connection established\r\n\r\n"
        await connection.send(b"ping")
        assert await connection.exactly(4) == b"ping"


async def test_bytes_after_the_header_go_first(gate: Gate) -> None:
    early = os.urandom(50_000)
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await opened(connection, server.target, early)
        await connection.send(b"later")
        assert await connection.exactly(len(early) + 5) == early + b"later"


async def test_server_that_speaks_first(gate: Gate) -> None:
    async def greet(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        writer.write(b"220 ready\r\n")
        await echo(upstream, reader, writer)

    async with serving(greet) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await opened(connection, server.target)
        assert await connection.exactly(11) == b"220 ready\r\n"


async def test_end_of_client_reaches_server_and_answer_still_comes(gate: Gate) -> None:
    async def sum_up(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        data = await reader.read(-1)  # to the end
        writer.write(hashlib.sha256(data).hexdigest().encode())

    data = os.urandom(5 * MEGABYTE)
    async with serving(sum_up) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await opened(connection, server.target)
        await connection.send(data)
        connection.writer.write_eof()
        assert await connection.rest() == hashlib.sha256(data).hexdigest().encode()


async def test_end_of_server_reaches_client_and_client_may_still_send(gate: Gate) -> None:
    done = asyncio.Event()

    async def end_first(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        writer.write(b"bye")
        writer.write_eof()
        upstream.received.append(await reader.read(-1))
        done.set()

    async with serving(end_first) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await opened(connection, server.target)
        assert await connection.rest() == b"bye"
        await connection.send(b"x" * MEGABYTE)
        connection.writer.write_eof()
        await asyncio.wait_for(done.wait(), SECONDS)
        assert server.received == [b"x" * MEGABYTE]


async def test_reset_of_server_is_a_reset_for_the_client(gate: Gate) -> None:
    """A stream cut short must not look like a stream that ended."""

    async def reset(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.readexactly(4)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serving(reset) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await opened(connection, server.target, b"ping")
        with pytest.raises(ConnectionResetError):
            await connection.rest()


async def test_slow_receiver_gets_everything(gate: Gate) -> None:
    """More than all buffers hold: the pump must stop reading, and go on when there is room."""
    data = os.urandom(1024) * 32 * 1024

    async def flood(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        writer.write(data)
        await writer.drain()

    async with serving(flood) as server, proxying(Proxy(gate.decide)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        connection = Client(reader, writer)
        await opened(connection, server.target)
        await asyncio.sleep(0.3)  # nothing is read meanwhile
        got = hashlib.sha256()
        while part := await asyncio.wait_for(reader.read(65536), SECONDS):
            got.update(part)
        assert got.digest() == hashlib.sha256(data).digest()
        connection.close()


async def test_many_tunnels_at_once(gate: Gate) -> None:
    async def one(port: int, target: str, number: int) -> None:
        async with client(port) as connection:
            await opened(connection, target)
            data = number.to_bytes(4, "big") * 5000
            sending = asyncio.create_task(connection.send(data))
            assert await connection.exactly(len(data)) == data
            await sending

    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        await asyncio.gather(*(one(port, server.target, number) for number in range(120)))
        assert server.accepted == 120


async def test_close_cuts_open_tunnels(gate: Gate) -> None:
    async with serving(echo) as server:
        proxy = Proxy(gate.decide)
        port = await proxy.start()
        connection = await Client.to(port)
        await opened(connection, server.target)
        await connection.send(b"ping")
        assert await connection.exactly(4) == b"ping"
        await asyncio.wait_for(proxy.close(), SECONDS)
        with pytest.raises(ConnectionResetError):
            await connection.rest()
        await proxy.close()
        connection.close()
        with pytest.raises(ConnectionRefusedError):
            await Client.to(port)


async def test_half_closed_and_silent_is_cut_in_the_end(gate: Gate) -> None:
    async def mute(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await asyncio.sleep(SECONDS * 2)

    limits = Limits(half_closed=0.3)
    async with (
        serving(mute) as server,
        proxying(Proxy(gate.decide, limits=limits)) as port,
        client(port) as idle,
        client(port) as half,
    ):
        await opened(idle, server.target)
        await opened(half, server.target)
        half.writer.write_eof()
        with pytest.raises(ConnectionResetError):
            await half.rest()
        with pytest.raises(TimeoutError):  # both sides open: no end to its life
            await asyncio.wait_for(idle.reader.read(1), 0.7)


async def test_a_stranger_is_neither_asked_about_nor_connected(gate: Gate) -> None:
    seen = []

    async def nobody(peer: tuple[str, int]) -> None:
        seen.append(peer)

    async with (
        serving(echo) as server,
        proxying(Proxy(gate.decide, nobody)) as port,
        client(port) as connection,
    ):
        await connection.send(f"CONNECT {server.target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, body = await connection.response()
        assert head.startswith(b"HTTP/1.1 403 ")
        assert body == b"agentgate: not a process of this session\n"
        assert seen == [connection.writer.get_extra_info("sockname")]
        assert (gate.asked, server.accepted) == ([], 0)


async def test_the_client_s_process_is_in_the_question(gate: Gate) -> None:
    chain = (Process(7, ("curl", "x"), "/usr/bin/curl", 1), Process(3, ("bash",), "/bin/bash", 1))

    async def known(peer: tuple[str, int]) -> tuple[Process, ...]:
        return chain

    async with (
        serving(echo) as server,
        proxying(Proxy(gate.decide, known)) as port,
        client(port) as connection,
    ):
        await opened(connection, server.target)
        assert gate.asked[0].chain == chain
        assert gate.asked[0].argv == ("curl", "x")


@pytest.mark.parametrize("broken", ["decide", "attribute"])
async def test_an_error_in_the_gate_is_a_denial(broken: str) -> None:
    async def fails(_: object) -> None:
        raise ValueError("broken")

    proxy = Proxy(fails) if broken == "decide" else Proxy(Gate().decide, fails)  # type: ignore[arg-type]
    async with serving(echo) as server, proxying(proxy) as port:
        answer = await ask(port, f"CONNECT {server.target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"could not decide" in answer
        assert server.accepted == 0


@pytest.mark.parametrize(
    "request_line",
    [
        b"CONNECT user@evil.example:443 HTTP/1.1",
        b"CONNECT evil.example HTTP/1.1",
        b"CONNECT evil.example:0 HTTP/1.1",
        b"CONNECT evil.example:65536 HTTP/1.1",
        b"CONNECT 0x7f.1:80 HTTP/1.1",
        b"CONNECT 2130706433:80 HTTP/1.1",
        b"CONNECT evil.example\x00.allowed.example:443 HTTP/1.1",
        b"CONNECT evil.example%00.allowed.example:443 HTTP/1.1",
        b"CONNECT [fe80::1%25eth0]:443 HTTP/1.1",
        b"CONNECT http://evil.example:443/ HTTP/1.1",
        b"CONNECT evil.example:443 HTTP/1.1\r\nContent-Length: 5",
        b"CONNECT evil.example:443 HTTP/1.1\r\nTransfer-Encoding: chunked",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: again",
        b"CONNECT  evil.example:443 HTTP/1.1",
        b"CONNECT evil.example:443",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_refused_before_it_is_decided(gate: Gate, request_line: bytes) -> None:
    async with proxying(Proxy(gate.decide)) as port:
        answer = await ask(port, request_line + b"\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"agentgate: request refused: " in answer
        assert gate.asked == []


async def test_target_is_decided_in_one_spelling(gate: Gate) -> None:
    gate.deny |= {"evil.example:443", "127.0.0.1:443", "[2001:db8::1]:443"}
    async with proxying(Proxy(gate.decide)) as port:
        for spelling in ("EVIL.example.:443", "[::ffff:7f00:1]:443", "[2001:DB8:0::1]:443"):
            answer = await ask(port, f"CONNECT {spelling} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 403 ")
    assert gate.targets == ["evil.example:443", "127.0.0.1:443", "[2001:db8::1]:443"]


async def test_an_idle_tunnel_ends_when_the_client_does(gate: Gate) -> None:
    ended = asyncio.Event()

    async def watch(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.read(-1)
        ended.set()

    proxy = Proxy(gate.decide)
    async with serving(watch) as server, proxying(proxy) as port:
        async with client(port) as connection:
            await opened(connection, server.target)
        await asyncio.wait_for(ended.wait(), SECONDS)
        await until(lambda: not proxy.connections)
