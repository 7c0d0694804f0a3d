"""Plain HTTP over real sockets: every request decided on its own, framing made anew, bodies streamed."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest
from proxy_tools import (
    ALLOW,
    SECONDS,
    Client,
    Gate,
    Reader,
    Upstream,
    Writer,
    ask,
    client,
    hello,
    proxying,
    serving,
)

from agentgate.actions import Action, Answer
from agentgate.intercept.proxy import Proxy


def get(target: str, path: str = "/", *headers: str, method: str = "GET") -> bytes:
    lines = [f"{method} http://{target}{path} HTTP/1.1", f"Host: {target}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def head_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}


async def test_request_goes_on_in_origin_form_without_what_ends_at_a_proxy(gate: Gate) -> None:
    async with serving(hello) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(
            get(
                server.target,
                "/a?b=c",
                "X-Kept: 1",
                "Proxy-Authorization: Basic x",
                "Proxy-Connection: keep-alive",
                "Connection: keep-alive, X-Dropped, Host, Content-Length",
                "X-Dropped: 1",
                "Keep-Alive: 5",
                "TE: trailers",
                "Upgrade: h2c",
            )
        )
        head, body = await connection.response()
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"X-From: server" in head
        assert body == b"hello\n"
        (request,) = server.received
        assert request.startswith(b"GET /a?b=c HTTP/1.1\r\n")
        assert head_of(request) == {"host": server.target, "x-kept": "1", "connection": "close"}
        assert gate.asked[0].syscall == "GET"


async def test_a_connection_header_cannot_take_the_framing_away(gate: Gate) -> None:
    async with serving(hello) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        fields = ("Connection: Content-Length, Transfer-Encoding, Host", "Content-Length: 4")
        await connection.send(get(server.target, "/", *fields, method="POST") + b"body")
        assert (await connection.response())[0].startswith(b"HTTP/1.1 200 ")
        assert head_of(server.received[0])["content-length"] == "4"
        assert server.received[0].endswith(b"\r\n\r\nbody")


async def test_each_request_of_a_connection_is_decided(gate: Gate) -> None:
    async with serving(hello) as server, serving(hello) as other, proxying(Proxy(gate.decide)) as port:
        gate.deny.add(other.target)
        async with client(port) as connection:
            for target, status in [(server.target, b"200"), (other.target, b"403"), (server.target, b"200")]:
                await connection.send(get(target))
                head, _ = await connection.response()
                assert head.split(b" ")[1] == status
        assert gate.targets == [server.target, other.target, server.target]
        assert (server.accepted, other.accepted) == (2, 0)


async def test_pipelined_denied_request_behind_an_allowed_one(gate: Gate) -> None:
    async with serving(hello) as server, serving(hello) as other, proxying(Proxy(gate.decide)) as port:
        gate.deny.add(other.target)
        async with client(port) as connection:
            await connection.send(
                get(server.target) + get(other.target, "/x", method="HEAD") + get(server.target)
            )
            assert (await connection.response())[0].startswith(b"HTTP/1.1 200 ")
            assert (await connection.head()).startswith(b"HTTP/1.1 403 ")  # to HEAD: no body
            assert (await connection.response())[0].startswith(b"HTTP/1.1 200 ")
        assert other.accepted == 0


async def test_denied_with_a_body_of_its_own(gate: Gate) -> None:
    """The body of a denied request goes nowhere, and is never read as the next request."""
    async with serving(hello) as server, proxying(Proxy(gate.decide)) as port:
        gate.deny.add("evil.example:80")
        inner = get(server.target)
        small = get("evil.example", "/", f"Content-Length: {len(inner)}", method="POST") + inner
        async with client(port) as connection:
            await connection.send(small + get(server.target))
            assert (await connection.response())[0].startswith(b"HTTP/1.1 403 ")
            assert (await connection.response())[0].startswith(b"HTTP/1.1 200 ")
        large = get("evil.example", "/", "Content-Length: 999999", method="POST") + inner * 2000
        answer = await ask(port, large)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"Connection: close" in answer
        assert gate.targets == ["evil.example:80", server.target, "evil.example:80"]
        assert server.accepted == 1


async def _hash_body(upstream: Upstream, reader: Reader, writer: Writer) -> None:
    """Read a body in whatever framing it comes; answer its hash, chunked."""
    head = await reader.readuntil(b"\r\n\r\n")
    upstream.received.append(head)
    found = hashlib.sha256()
    fields = head_of(head)
    if fields.get("transfer-encoding") == "chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            found.update(await reader.readexactly(size))
            await reader.readline()
        await reader.readline()
    else:
        found.update(await reader.readexactly(int(fields.get("content-length", "0"))))
    text = found.hexdigest().encode()
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for part in (text[:10], text[10:]):
        writer.write(b"%x;ext=1\r\n%s\r\n" % (len(part), part))
    writer.write(b"0\r\nX-Trailer: 1\r\n\r\n")
    await writer.drain()


async def _dechunked(connection: Client) -> bytes:
    body = b""
    while size := int(await asyncio.wait_for(connection.reader.readline(), SECONDS), 16):
        body += await connection.exactly(size)
        assert await connection.exactly(2) == b"\r\n"
    assert await connection.exactly(2) == b"\r\n"
    return body


@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_both_ways(gate: Gate, chunked: bool) -> None:
    data = os.urandom(1_500_000)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(data)}"
    async with (
        serving(_hash_body) as server,
        proxying(Proxy(gate.decide)) as port,
        client(port) as connection,
    ):
        for _ in range(2):  # the connection stays usable
            await connection.send(get(server.target, "/", framing, method="PUT"))
            if chunked:
                for start in range(0, len(data), 70_000):
                    part = data[start : start + 70_000]
                    await connection.send(b"%X;a=b\r\n%s\r\n" % (len(part), part))
                await connection.send(b"0\r\nX-Trailer: 1\r\n\r\n")
            else:
                await connection.send(data)
            head = await connection.head()
            assert b"transfer-encoding: chunked" in head.lower()
            assert await _dechunked(connection) == hashlib.sha256(data).hexdigest().encode()
        assert "x-trailer" not in head_of(server.received[0])


async def test_response_comes_as_it_is_made(gate: Gate) -> None:
    """Nothing waits for the end of a body: server-sent events reach the client one by one."""
    step = asyncio.Event()

    async def events(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nfirst")
        await step.wait()
        writer.write(b"second")

    async with serving(events) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(get(server.target))
        await connection.head()
        assert await connection.exactly(len(b"5\r\nfirst\r\n")) == b"5\r\nfirst\r\n"
        step.set()
        assert await connection.exactly(len(b"6\r\nsecond\r\n0\r\n\r\n")) == b"6\r\nsecond\r\n0\r\n\r\n"
        await connection.send(get("127.0.0.1:1"))  # unframed there, framed here: the connection goes on
        assert (await connection.response())[0].startswith(b"HTTP/1.1 502 ")


async def test_http_1_0_client_gets_an_unchunked_body_and_the_end(gate: Gate) -> None:
    async with serving(_hash_body) as server, proxying(Proxy(gate.decide)) as port:
        request = f"GET http://{server.target}/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
        answer = await ask(port, request.encode())
        head, _, body = answer.partition(b"\r\n\r\n")
        assert body == hashlib.sha256(b"").hexdigest().encode()
        assert b"transfer-encoding" not in head.lower()
        assert b"connection: close" in head.lower()


async def test_client_that_waits_for_continue(gate: Gate) -> None:
    async def careful(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head_of(head)["expect"] == "100-continue"
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(4)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + body[::-1])

    async with serving(careful) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        request = get(server.target, "/", "Content-Length: 4", "Expect: 100-continue", method="POST")
        await connection.send(request)
        assert (await connection.head()).startswith(b"HTTP/1.1 100 ")
        await connection.send(b"abcd")
        assert (await connection.response())[1] == b"dcba"
        gate.deny.add(server.target)
        await connection.send(request)
        assert (await connection.response())[0].startswith(b"HTTP/1.1 403 ")


async def test_server_that_answers_before_the_body(gate: Gate) -> None:
    async def refuse(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n")
        await writer.drain()

    async with serving(refuse) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(
            get(server.target, "/", "Content-Length: 100000000", method="POST") + b"x" * 100_000
        )
        head, body = await connection.response()
        assert head.startswith(b"HTTP/1.1 413 ")
        assert body == b"no\n"


async def test_websocket(gate: Gate) -> None:
    async def upgrade(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        upstream.received.append(head)
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: abc\r\n\r\nfirst"
        )
        while data := await reader.read(1024):
            writer.write(data.upper())

    upgraded = ("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: k")
    async with serving(upgrade) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(get(server.target, "/ws", *upgraded) + b"early")
        head = head_of(await connection.head())
        assert (head["upgrade"], head["connection"]) == ("websocket", "Upgrade")
        assert head["sec-websocket-accept"] == "abc"
        assert await connection.exactly(10) == b"firstEARLY"
        await connection.send(b"more")
        assert await connection.exactly(4) == b"MORE"
        connection.writer.write_eof()
        assert await connection.rest() == b""
        passed = head_of(server.received[0])
        assert (passed["upgrade"], passed["connection"]) == ("websocket", "Upgrade")
        assert passed["sec-websocket-key"] == "k"


async def test_websocket_refused_by_the_server_leaves_http(gate: Gate) -> None:
    async with serving(hello) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        for _ in range(2):
            await connection.send(get(server.target, "/", "Connection: Upgrade", "Upgrade: websocket"))
            assert (await connection.response())[1] == b"hello\n"


async def test_head_keeps_its_length_and_has_no_body(gate: Gate) -> None:
    async def sized(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n")

    async with serving(sized) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        for _ in range(2):
            await connection.send(get(server.target, method="HEAD"))
            assert b"content-length: 12345" in (await connection.head()).lower()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
async def test_a_response_cut_short_is_not_made_to_look_whole(gate: Gate, answer: bytes) -> None:
    async def cut(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with serving(cut) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(get(server.target))
        await connection.head()
        with pytest.raises(ConnectionResetError):
            await connection.rest()


@pytest.mark.parametrize("answer", [b"", b"not http\r\n\r\n", b"HTTP/1.1 101 Surprise\r\n\r\n"])
async def test_no_response_is_a_502(gate: Gate, answer: bytes) -> None:
    async def odd(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    async with serving(odd) as server, proxying(Proxy(gate.decide)) as port, client(port) as connection:
        await connection.send(get(server.target))
        head, body = await connection.response()
        assert head.startswith(b"HTTP/1.1 502 ")
        assert b"X-AgentGate: failed" in head
        assert f"cannot reach {server.target}".encode() in body


REFUSED = {
    "origin form": b"GET /path HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "https": b"GET https://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "other host": b"GET http://evil.example/ HTTP/1.1\r\nHost: allowed.example\r\n\r\n",
    "other port": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example:8080\r\n\r\n",
    "empty host": b"GET http://evil.example/ HTTP/1.1\r\nHost:\r\n\r\n",
    "no host": b"GET http://evil.example/ HTTP/1.1\r\n\r\n",
    "two hosts": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nHost: evil.example\r\n\r\n",
    "userinfo": b"GET http://a@evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "trick": b"GET http://127.1/ HTTP/1.1\r\nHost: 127.1\r\n\r\n",
    "space in uri": b"GET http://evil.example/ x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "nul in header": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nX: a\x00b\r\n\r\n",
    "length and chunked": (
        b"POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "two lengths": (
        b"POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 3\r\n"
        b"Content-Length: 4\r\n\r\nabcd"
    ),
    "two equal lengths": (
        b"POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 3\r\n"
        b"content-length: 3\r\n\r\nabc"
    ),
    "listed lengths": (
        b"POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 3, 3\r\n\r\nabc"
    ),
    "negative length": (
        b"POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nContent-Length: -3\r\n\r\nabc"
    ),
    "gzip coding": (
        b"POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n"
        b"Transfer-Encoding: gzip, chunked\r\n\r\n"
    ),
    "coding twice": (
        b"POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nTransfer-Encoding: chunked\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    ),
    "space before colon": (
        b"POST http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nTransfer-Encoding : chunked\r\n\r\n"
    ),
    "chunked in 1.0": b"POST http://evil.example/ HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_before_it_is_decided(gate: Gate, name: str) -> None:
    async with proxying(Proxy(gate.decide)) as port:
        answer = await ask(port, REFUSED[name])
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"X-AgentGate: refused" in answer
        assert b"\r\n\r\nagentgate: request refused: " in answer
        assert gate.asked == []


async def test_other_versions_are_refused(gate: Gate) -> None:
    async with proxying(Proxy(gate.decide)) as port:
        answer = await ask(port, b"GET http://evil.example/ HTTP/2.0\r\nHost: evil.example\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 505 ")
        assert gate.asked == []


async def test_a_bad_chunk_ends_the_request_at_the_server(gate: Gate) -> None:
    ended = asyncio.Event()

    async def watch(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        upstream.received.append(await reader.read(-1))
        ended.set()

    async with serving(watch) as server, proxying(Proxy(gate.decide)) as port:
        head = get(server.target, "/", "Transfer-Encoding: chunked", method="POST")
        assert await ask(port, head + b"3\r\nabc\r\nxyz\r\n\r\n") == b""
        await asyncio.wait_for(ended.wait(), SECONDS)
        assert not server.received[0].endswith(b"0\r\n\r\n")


async def test_decision_is_of_the_uri_not_of_the_path(gate: Gate) -> None:
    """A second URI inside the first changes nothing about where the request goes."""
    seen: list[str] = []

    async def decide(action: Action) -> Answer:
        seen.append(action.target)
        return ALLOW

    async with serving(hello) as server, proxying(Proxy(decide)) as port, client(port) as connection:
        await connection.send(get(server.target, "/http://evil.example/@evil.example:80"))
        await connection.response()
        assert seen == [server.target]
        assert server.received[0].startswith(b"GET /http://evil.example/@evil.example:80 HTTP/1.1\r\n")
