"""SOCKS 5 on the proxy's port: decided like CONNECT, bounded, for the session's programs only."""

from __future__ import annotations

import asyncio
import os
import shutil
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
from test_proxy_programs import needs_curl, run

from agentgate.actions import Process
from agentgate.intercept.proxy import Limits, Proxy

GREETING, CHOSEN = b"\5\1\0", b"\5\0"
GRANTED = b"\5\0\0\1" + bytes(6)


def refused(code: int) -> bytes:
    return bytes((5, code, 0, 1)) + bytes(6)


def wants(host: str | bytes, port: int, command: int = 1) -> bytes:
    """A request: a name is a name, what is in brackets or dotted an address of that kind."""
    head, tail = bytes((5, command, 0)), struct.pack("!H", port)
    if isinstance(host, bytes):
        return head + b"\3" + bytes((len(host),)) + host + tail
    if ":" in host:
        return head + b"\4" + socket.inet_pton(socket.AF_INET6, host) + tail
    return head + b"\1" + socket.inet_aton(host) + tail


async def asked(port: int, request: bytes, greeting: bytes = GREETING) -> bytes:
    """What is answered to a request up to the end of the connection, without the method that was chosen."""
    async with client(port) as connection:
        await connection.send(greeting)
        assert await connection.exactly(2) == CHOSEN
        await connection.send(request)
        return await connection.rest()


async def resolve(name: str) -> list[str]:
    raise AssertionError(f"{name} was looked up")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", b"127.0.0.1", b"localhost", "::ffff:127.0.0.1", b"[::ffff:7f00:1]"]
)
async def test_a_tunnel_by_address_and_by_name(gate: Gate, host: str | bytes) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(GREETING)
        assert await connection.exactly(2) == CHOSEN
        early = os.urandom(50_000)
        await connection.send(wants(host, server.port) + early)
        assert await connection.exactly(10) == GRANTED
        assert await connection.exactly(len(early)) == early
        connection.writer.write_eof()
        assert await connection.rest() == b""
    name = "localhost" if host == b"localhost" else "127.0.0.1"
    assert gate.targets == [f"{name}:{server.port}"]
    assert gate.asked[0].syscall == "SOCKS5"


async def test_all_at_once(gate: Gate) -> None:
    """A client that does not wait for answers, and a server that speaks first."""

    async def greet(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        writer.write(b"220 ready\r\n")
        await echo(upstream, reader, writer)

    async with serving(greet) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(GREETING + wants("127.0.0.1", server.port) + b"EHLO\r\n")
        assert await connection.exactly(2 + 10 + 11) == CHOSEN + GRANTED + b"220 ready\r\n"
        assert await connection.exactly(6) == b"EHLO\r\n"


async def test_denied_is_neither_looked_up_nor_dialled(gate: Gate) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide, resolve=resolve)) as port:
        gate.deny |= {"evil.example:443", server.target}
        assert await asked(port, wants(b"EVIL.example.", 443)) == refused(2)
        assert await asked(port, wants("127.0.0.1", server.port)) == refused(2)
        assert gate.targets == ["evil.example:443", server.target]
        assert server.accepted == 0


@pytest.mark.parametrize("command", [2, 3, 0, 9])
async def test_only_connect(gate: Gate, command: int) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        assert await asked(port, wants("127.0.0.1", server.port, command)) == refused(7)
        assert gate.asked == [] and server.accepted == 0


@pytest.mark.parametrize("name", [
    b"", b"evil.example\0.allowed.example", b"0x7f.1", b"2130706433", b"127.1", b"0177.0.0.1",
    b"a@evil.example",
    b"evil.example:443", b"evil_example", "b\u00fccher.example".encode(), b"\xff\xfe", b"[fe80::1%eth0]",
    b"-x.example",
    b"evil..example", b"a" * 64 + b".example", b"evil.example/", b"evil.example\r\nX: y",
])  # fmt: skip
async def test_names_that_two_readers_take_for_two_are_refused(gate: Gate, name: bytes) -> None:
    async with proxying(Proxy(gate.decide, resolve=resolve)) as port:
        assert await asked(port, wants(name, 443)) == refused(1)
        assert gate.asked == []


@pytest.mark.parametrize(("request_", "answer"), [
    (b"\5\1\0\7" + bytes(6), refused(8)), (b"\5\1\1\1" + bytes(6), refused(1)),
    (b"\4\1\0\1" + bytes(6), refused(1)), (wants("127.0.0.1", 0), refused(1)),
])  # fmt: skip
async def test_malformed(gate: Gate, request_: bytes, answer: bytes) -> None:
    async with proxying(Proxy(gate.decide)) as port:
        assert await asked(port, request_) == answer
        assert gate.asked == []


async def test_a_name_that_stands_for_this_machine_is_refused(gate: Gate) -> None:
    async def rebound(name: str) -> list[str]:
        return ["169.254.169.254"]

    async with proxying(Proxy(gate.decide, resolve=rebound)) as port:
        assert await asked(port, wants(b"metadata.example", 80)) == refused(2)


async def test_what_cannot_be_reached(gate: Gate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = free.getsockname()[1]
    async with proxying(Proxy(gate.decide)) as port:
        assert await asked(port, wants("127.0.0.1", gone)) == refused(4)


async def test_without_a_method_that_is_known(gate: Gate) -> None:
    async with proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(b"\5\1\1")  # GSSAPI only
        assert await connection.rest() == b"\5\xff"


async def test_a_held_tunnel_is_withdrawn_with_its_client(gate: Gate) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        gate.hold.add(server.target)
        async with client(port) as connection:
            await connection.send(GREETING + wants("127.0.0.1", server.port) + b"early")
            await asyncio.wait_for(gate.holding.wait(), SECONDS)
        await until(lambda: gate.withdrawn == [server.target])
        assert server.accepted == 0


@pytest.mark.parametrize("so_far", [b"\5", b"\5\4\0", GREETING, GREETING + b"\5\1\0\3\x40abc"])
async def test_half_a_request_is_cut_in_time(gate: Gate, so_far: bytes) -> None:
    proxy = Proxy(gate.decide, limits=Limits(header=0.4))
    async with proxying(proxy) as port, client(port) as connection:
        begin = time.monotonic()
        await connection.send(so_far)
        await connection.rest()
        assert time.monotonic() - begin < SECONDS / 2
        await until(lambda: not proxy.connections)
        assert gate.asked == []


async def test_a_request_byte_by_byte_has_no_more_time(gate: Gate) -> None:
    async with proxying(Proxy(gate.decide, limits=Limits(header=0.5))) as port, client(port) as connection:
        await connection.send(GREETING)
        begin = time.monotonic()
        for byte in wants(b"slow.example", 443):
            try:
                await connection.send(bytes((byte,)))
            except OSError:
                break
            await asyncio.sleep(0.1)
        assert await _ended(connection)
        assert time.monotonic() - begin < SECONDS / 2 and gate.asked == []


async def _ended(connection: Client) -> bool:
    try:
        return await connection.rest() in (b"", CHOSEN)
    except OSError:
        return True


async def test_strangers_and_the_session_s_own(gate: Gate) -> None:
    async def attribute(peer: tuple[str, int]) -> tuple[Process, ...] | None:
        return (Process(7, ("git", "push")),) if known else None

    known = False
    async with serving(echo) as server, proxying(Proxy(gate.decide, attribute)) as port:
        assert await asked(port, wants("127.0.0.1", server.port)) == refused(2)
        assert gate.asked == [] and server.accepted == 0
        known = True
        async with client(port) as connection:
            await connection.send(GREETING + wants("127.0.0.1", server.port))
            assert await connection.exactly(12) == CHOSEN + GRANTED
        assert gate.asked[0].argv == ("git", "push")


def login(user: bytes, password: bytes) -> bytes:
    return b"\1" + bytes((len(user),)) + user + bytes((len(password),)) + password


async def test_the_secret(gate: Gate) -> None:
    async with serving(echo) as server, proxying(Proxy(gate.decide, secret="0123")) as port:
        async with client(port) as connection:
            await connection.send(GREETING)
            assert await connection.rest() == b"\5\xff"
        for user, password in (
            (b"agentgate", b"0124"),
            (b"agentgate", b""),
            (b"", b"0123"),
            (b"\xff", b"0123"),
        ):
            async with client(port) as connection:
                await connection.send(b"\5\2\0\2" + login(user, password) + wants("127.0.0.1", server.port))
                assert await connection.rest() == b"\5\2\1\1"
        assert gate.asked == [] and server.accepted == 0
        async with client(port) as connection:
            await connection.send(
                b"\5\2\0\2" + login(b"agentgate", b"0123") + wants("127.0.0.1", server.port)
            )
            assert await connection.exactly(14) == b"\5\2\1\0" + GRANTED


async def test_who_offers_a_password_needs_none(gate: Gate) -> None:
    """A client that only ever offers one, where none is needed."""
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(b"\5\1\2" + login(b"any", b"thing") + wants("127.0.0.1", server.port))
        assert await connection.exactly(14) == b"\5\2\1\0" + GRANTED


@needs_curl
@pytest.mark.parametrize("secret", ["", "0123abcd"])
@pytest.mark.parametrize("scheme", ["socks5h", "socks5"])
async def test_curl(gate: Gate, scheme: str, secret: str) -> None:
    proxy = Proxy(gate.decide, secret=secret)
    async with serving(hello) as server, proxying(proxy) as port:
        user = f"agentgate:{secret}@" if secret else ""
        command = ("curl", "-sS", "--proxy", f"{scheme}://{user}127.0.0.1:{port}")
        assert await run(proxy, *command, f"http://localhost:{server.port}/") == (0, "hello\n", "")
        name = "localhost" if scheme == "socks5h" else "127.0.0.1"
        gate.deny |= {f"{name}:{server.port}", f"[::1]:{server.port}"}
        status, out, _ = await run(proxy, *command, f"http://localhost:{server.port}/")
        assert status == 97 and out == "" and server.accepted == 1


async def test_git_over_ssh_s_way(gate: Gate) -> None:
    """``nc -X 5``, as ssh's ProxyCommand has it."""
    if not shutil.which("nc"):
        pytest.skip("not here: nc")
    proxy = Proxy(gate.decide)
    async with serving(echo) as server, proxying(proxy) as port:
        script = f"printf hello | nc -N -X 5 -x 127.0.0.1:{port} 127.0.0.1 {server.port}"
        status, out, err = await run(proxy, "sh", "-c", script)
        if "invalid option" in err or "usage" in err.lower():
            pytest.skip("not here: a netcat that speaks SOCKS")
        assert (status, out) == (0, "hello")
