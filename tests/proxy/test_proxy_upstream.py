"""The operator's own proxy: read from the environment, and really gone through."""

from __future__ import annotations

import base64

import pytest
from proxy_tools import Gate, Reader, Upstream, Writer, ask, client, echo, hello, proxying, serving

from agentgate.intercept.proxy import BadUpstream, Limits, Proxy
from agentgate.intercept.proxy import Upstream as OperatorProxy
from agentgate.intercept.proxy.target import parse_authority


def route(env: dict[str, str], target: str, *, tunnel: bool = True) -> str:
    upstream = OperatorProxy.from_env(env)
    found = upstream.route(parse_authority(target), tunnel=tunnel) if upstream else None
    return str(found.target) if found else ""


@pytest.mark.parametrize(
    ("env", "tunnel", "proxy"),
    [
        ({}, True, ""),
        ({"HTTPS_PROXY": ""}, True, ""),
        ({"HTTPS_PROXY": "http://p.example:3128"}, True, "p.example:3128"),
        ({"HTTPS_PROXY": "http://p.example:3128"}, False, ""),
        ({"http_proxy": "http://P.example:3128/"}, False, "p.example:3128"),
        ({"http_proxy": "p.example:3128"}, False, "p.example:3128"),
        ({"https_proxy": "http://a.example:1", "HTTPS_PROXY": "http://b.example:2"}, True, "a.example:1"),
        ({"ALL_PROXY": "http://p.example"}, True, "p.example:80"),
        ({"ALL_PROXY": "http://p.example"}, False, "p.example:80"),
        ({"HTTPS_PROXY": "http://u:p%40ss@[2001:db8::1]:8080"}, True, "[2001:db8::1]:8080"),
    ],
)
def test_which_proxy(env: dict[str, str], tunnel: bool, proxy: str) -> None:
    assert route(env, "example.org:443", tunnel=tunnel) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "target", "direct"),
    [
        ("*", "example.org:443", True),
        ("example.org", "example.org:443", True),
        ("example.org", "a.example.org:443", True),
        (".example.org", "a.example.org:443", True),
        ("*.example.org", "a.example.org:443", True),
        ("Example.ORG", "example.org:443", True),
        ("example.org", "notexample.org:443", False),
        ("example.org:443", "example.org:443", True),
        ("example.org:80", "example.org:443", False),
        ("other.example, example.org", "example.org:443", True),
        ("other.example example.org", "example.org:443", True),
        ("192.0.2.1", "192.0.2.1:443", True),
        ("192.0.2.1:80", "192.0.2.1:443", False),
        ("192.0.2.0/24", "192.0.2.77:443", True),
        ("192.0.2.0/24", "198.51.100.1:443", False),
        ("192.0.2.0/24", "example.org:443", False),
        ("2001:db8::/32", "[2001:db8::1]:443", True),
        ("2001:db8::1", "[2001:db8::1]:443", True),
        ("[2001:db8::1]", "[2001:db8::1]:443", True),
        ("[2001:db8::1]:443", "[2001:db8::1]:443", True),
        ("[2001:db8::1]:80", "[2001:db8::1]:443", False),
        ("2.1", "192.0.2.1:443", False),
        ("nonsense/99,.", "example.org:443", False),
        ("", "localhost:443", True),
        ("", "127.0.0.1:443", True),
        ("", "[::1]:443", True),
    ],
)
def test_no_proxy(no_proxy: str, target: str, direct: bool) -> None:
    env = {"HTTPS_PROXY": "http://p.example:3128", "NO_PROXY": no_proxy}
    assert (route(env, target) == "") is direct


@pytest.mark.parametrize(
    "url",
    ["https://p.example:3128", "socks5://p.example:1080", "http://p.example:0", "http://", "http://a b"],
)
def test_a_proxy_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(BadUpstream, match="HTTPS_PROXY: "):
        OperatorProxy.from_env({"HTTPS_PROXY": url})


def test_the_password_is_not_shown() -> None:
    assert "c2VjcmV0" not in repr(OperatorProxy.from_env({"HTTPS_PROXY": "http://secret:secret@p.example"}))


TOKEN = "Basic " + base64.b64encode(b"user:p@ss").decode()


async def _operator(upstream: Upstream, reader: Reader, writer: Writer) -> None:
    """A proxy that wants a password, and for which every name is itself."""
    head = await reader.readuntil(b"\r\n\r\n")
    upstream.received.append(head)
    if f"proxy-authorization: {TOKEN}\r\n".lower() not in head.decode().lower():
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    elif head.startswith(b"CONNECT "):
        writer.write(b"HTTP/1.1 200 Fine\r\n\r\nhello ")
        await echo(upstream, reader, writer)
    else:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi\n")
    await writer.drain()


def through(server: Upstream, credentials: str = "user:p%40ss@") -> OperatorProxy | None:
    return OperatorProxy.from_env({"ALL_PROXY": f"http://{credentials}{server.target}"})


async def _never(name: str) -> list[str]:
    raise AssertionError(f"looked up {name}")


async def test_tunnel_through_the_operator_s_proxy(gate: Gate) -> None:
    async with serving(_operator) as server:
        proxy = Proxy(gate.decide, upstream=through(server), resolve=_never)
        async with proxying(proxy) as port, client(port) as connection:
            await connection.send(b"CONNECT far.example:443 HTTP/1.1\r\nHost: x\r\n\r\nearly")
            assert await connection.head() == b"HTTP/1.1 200 Connection established\r\n\r\n"
            assert await connection.exactly(11) == b"hello early"
        assert server.received[0].startswith(b"CONNECT far.example:443 HTTP/1.1\r\nHost: far.example:443\r\n")
        assert gate.targets == ["far.example:443"]


async def test_plain_request_through_the_operator_s_proxy(gate: Gate) -> None:
    async with serving(_operator) as server:
        proxy = Proxy(gate.decide, upstream=through(server), resolve=_never)
        async with proxying(proxy) as port, client(port) as connection:
            for method, path in (("GET", "/a?b"), ("OPTIONS", "")):
                await connection.send(
                    f"{method} http://far.example{path} HTTP/1.1\r\nHost: far.example\r\n"
                    "Proxy-Authorization: Basic theirs\r\n\r\n".encode()
                )
                assert (await connection.response())[1] == b"hi\n"
        assert server.received[0].startswith(b"GET http://far.example/a?b HTTP/1.1\r\nHost: far.example\r\n")
        assert server.received[1].startswith(b"OPTIONS http://far.example HTTP/1.1\r\n")
        assert b"theirs" not in server.received[0]


async def test_denied_does_not_reach_the_operator_s_proxy(gate: Gate) -> None:
    gate.deny.add("far.example:443")
    async with serving(_operator) as server, proxying(Proxy(gate.decide, upstream=through(server))) as port:
        answer = await ask(port, b"CONNECT far.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert server.accepted == 0


async def test_a_refusal_of_the_operator_s_proxy_is_told(gate: Gate) -> None:
    async with (
        serving(_operator) as server,
        proxying(Proxy(gate.decide, upstream=through(server, ""))) as port,
    ):
        answer = await ask(port, b"CONNECT far.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert f"the proxy {server.target} answered 407 Proxy Authentication Required".encode() in answer


async def test_a_silent_or_broken_operator_s_proxy_is_told(gate: Gate) -> None:
    async def silent(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.read(-1)

    async def broken(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"what\r\n\r\n")

    for handler, status in ((silent, b"504"), (broken, b"502")):
        async with serving(handler) as server:
            proxy = Proxy(gate.decide, upstream=through(server), limits=Limits(handshake=0.3))
            async with proxying(proxy) as port:
                answer = await ask(port, b"CONNECT far.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
                assert answer.startswith(b"HTTP/1.1 " + status)


async def test_this_machine_is_reached_directly(gate: Gate) -> None:
    async with serving(_operator) as operator, serving(hello) as server:
        async with (
            proxying(Proxy(gate.decide, upstream=through(operator))) as port,
            client(port) as connection,
        ):
            here = f"localhost:{server.port}"
            await connection.send(f"GET http://{here}/ HTTP/1.1\r\nHost: {here}\r\n\r\n".encode())
            assert (await connection.response())[1] == b"hello\n"
        assert (operator.accepted, server.accepted) == (0, 1)
