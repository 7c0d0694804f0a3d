"""What is said in a tunnel's first bytes must agree with what it was decided as; all else goes through."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
    proxying,
    serving,
    until,
)
from test_proxy_programs import needs_curl, run
from test_proxy_socks import CHOSEN, GRANTED, GREETING, wants

from agentgate.actions import Action
from agentgate.intercept.proxy import Proxy


def hello_of(name: str | None) -> bytes:
    """A TLS client's first bytes, as the ssl module writes them."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    if name is None:
        context.check_hostname = False
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.fixture
def refused() -> list[tuple[str, str]]:
    return []


def proxy_of(gate: Gate, refused: list[tuple[str, str]]) -> Proxy:
    def refuse(action: Action, why: str) -> None:
        refused.append((action.target, why))

    return Proxy(gate.decide, refuse=refuse)


@asynccontextmanager
async def tunnel(way: str, port: int, host: str, to: int, early: bytes = b"") -> AsyncIterator[Client]:
    """An open tunnel, with ``early`` sent along with the request."""
    async with client(port) as connection:
        if way == "CONNECT":
            await connection.send(f"CONNECT {host}:{to} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + early)
            assert (await connection.head()).startswith(b"HTTP/1.1 200 ")
        else:
            await connection.send(GREETING + wants(host.encode(), to) + early)
            assert await connection.exactly(12) == CHOSEN + GRANTED
        yield connection


async def outcome(connection: Client, count: int) -> bytes:
    try:
        return await connection.exactly(count)
    except (OSError, asyncio.IncompleteReadError):
        return b""


@pytest.mark.parametrize("way", ["CONNECT", "SOCKS"])
@pytest.mark.parametrize("pieces", ["early", "whole", "bytes"])
@pytest.mark.parametrize(("name", "agrees"), [
    ("localhost", True), (None, True), ("evil.example", False), ("localhost.evil.example", False),
    ("127.0.0.1.example", False),
])  # fmt: skip
async def test_the_name_in_a_tls_greeting(
    gate: Gate, refused: list[tuple[str, str]], way: str, pieces: str, name: str | None, agrees: bool
) -> None:
    hello = hello_of(name)
    async with serving(keeping) as server, proxying(proxy_of(gate, refused)) as port:
        early = hello if pieces == "early" else b""
        async with tunnel(way, port, "localhost", server.port, early) as connection:
            if pieces == "whole":
                await connection.send(hello)
            elif pieces == "bytes":
                for at in range(0, len(hello), 40):
                    try:
                        await connection.send(hello[at : at + 40])
                    except OSError:
                        break
                    await asyncio.sleep(0)
            if agrees:
                assert await outcome(connection, len(hello)) == hello
            else:
                assert await outcome(connection, 1) == b""
                await until(lambda: bool(refused))
                assert server.received == [] and refused[0][0] == f"localhost:{server.port}"
                assert f"names {name}" in refused[0][1]


async def keeping(upstream: Upstream, reader: Reader, writer: Writer) -> None:
    while data := await reader.read(65536):
        upstream.received.append(data)
        writer.write(data)


@pytest.mark.parametrize("spelled", [b"LOCALHOST", b"localhost.", b"LocalHost."])
async def test_other_spellings_of_the_name(
    gate: Gate, refused: list[tuple[str, str]], spelled: bytes
) -> None:
    hello = hello_of("z" * len(spelled)).replace(b"z" * len(spelled), spelled)
    async with serving(echo) as server, proxying(proxy_of(gate, refused)) as port:
        async with tunnel("CONNECT", port, "localhost", server.port) as connection:
            await connection.send(hello)
            assert await outcome(connection, len(hello)) == hello
        assert refused == []


@pytest.mark.parametrize("spelled", [b"127.0.0.1", b"loca\0host", b"\xff" * 9, b"local%68ost"])
async def test_what_is_no_name(gate: Gate, refused: list[tuple[str, str]], spelled: bytes) -> None:
    hello = hello_of("z" * len(spelled)).replace(b"z" * len(spelled), spelled)
    async with (
        serving(keeping) as server,
        proxying(proxy_of(gate, refused)) as port,
        tunnel("CONNECT", port, "localhost", server.port) as connection,
    ):
        await connection.send(hello)
        assert await outcome(connection, 1) == b""
        await until(lambda: bool(refused))
        assert server.received == []


async def test_what_was_decided_as_an_address_has_no_name_to_agree_with(
    gate: Gate, refused: list[tuple[str, str]]
) -> None:
    hello = hello_of("any.example")
    async with (
        serving(echo) as server,
        proxying(proxy_of(gate, refused)) as port,
        tunnel("CONNECT", port, "127.0.0.1", server.port) as connection,
    ):
        await connection.send(hello)
        assert await outcome(connection, len(hello)) == hello


async def test_other_protocols_go_through(gate: Gate, refused: list[tuple[str, str]]) -> None:
    async def greet(upstream: Upstream, reader: Reader, writer: Writer) -> None:
        writer.write(b"SSH-2.0-server\r\n")
        await echo(upstream, reader, writer)

    async with serving(greet) as server, proxying(proxy_of(gate, refused)) as port:
        async with tunnel("CONNECT", port, "localhost", server.port) as connection:
            assert await outcome(connection, 16) == b"SSH-2.0-server\r\n"
            for word in (
                b"SSH-2.0-client\r\n",
                b"\x16",
                b"\x16\x03\x01",
            ):  # only the first bytes are looked at
                await connection.send(word)
                assert await outcome(connection, len(word)) == word
        async with tunnel("CONNECT", port, "localhost", server.port) as connection:
            await outcome(connection, 16)
            connection.writer.write_eof()  # nothing is ever said
            assert await connection.rest() == b""
    assert refused == []


H2_SERVER = """
const http2 = require('http2');
const server = http2.createServer();
server.on('stream', (stream, headers) => {
  stream.respond({':status': 200}); stream.end('two ' + headers[':path']);
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


@asynccontextmanager
async def node(script: str) -> AsyncIterator[int]:
    """A server in node, which prints its port."""
    if not shutil.which("node"):
        pytest.skip("not here: node")
    process = await asyncio.create_subprocess_exec(
        "node", "-e", script, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        yield int(await asyncio.wait_for(process.stdout.readline(), SECONDS))
    finally:
        process.kill()
        await process.wait()


@needs_curl
async def test_http_2_through_a_tunnel(gate: Gate) -> None:
    proxy = Proxy(gate.decide)
    async with node(H2_SERVER) as port, proxying(proxy):
        command = ("curl", "-sS", "--proxytunnel", "--http2-prior-knowledge", "-w", " over %{http_version}")
        status, out, err = await run(proxy, *command, f"http://localhost:{port}/a")
        assert (status, out) == (0, "two /a over 2"), err
        assert gate.targets == [f"localhost:{port}"]


WEBSOCKET = """
import base64, hashlib, os, socket, sys
proxy = int(os.environ["HTTP_PROXY"].rpartition(":")[2]); to = int(sys.argv[1])
sock = socket.create_connection(("127.0.0.1", proxy), timeout=10)
def until_empty_line():
    data = b""
    while not data.endswith(b"\\r\\n\\r\\n"): data += sock.recv(1)
    return data
sock.sendall(f"CONNECT localhost:{to} HTTP/1.1\\r\\nHost: localhost:{to}\\r\\n\\r\\n".encode())
assert b" 200 " in until_empty_line()
key = base64.b64encode(os.urandom(16))
sock.sendall(b"GET /chat HTTP/1.1\\r\\nHost: localhost\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
             b"Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: " + key + b"\\r\\n\\r\\n")
answer = until_empty_line()
accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
assert b" 101 " in answer and accept in answer
text = b"ping"; mask = os.urandom(4)
masked = bytes(c ^ mask[i % 4] for i, c in enumerate(text))
sock.sendall(b"\\x81" + bytes((0x80 | len(text),)) + mask + masked)
frame = sock.recv(2)
print(sock.recv(frame[1]).decode())
"""
WEBSOCKET_SERVER = """
const http = require('http'), crypto = require('crypto');
const server = http.createServer();
server.on('upgrade', (request, socket) => {
  const accept = crypto.createHash('sha1')
    .update(request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
    'Sec-WebSocket-Accept: ' + accept + '\\r\\n\\r\\n');
  socket.once('data', frame => {
    const mask = frame.subarray(2, 6), text = frame.subarray(6).map((c, i) => c ^ mask[i % 4]);
    socket.write(Buffer.concat([Buffer.from([0x81, text.length + 5]), Buffer.from('pong '), text]));
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""


async def test_a_websocket_through_a_tunnel(gate: Gate) -> None:
    proxy = Proxy(gate.decide)
    async with node(WEBSOCKET_SERVER) as port, proxying(proxy):
        status, out, err = await run(proxy, sys.executable, "-c", WEBSOCKET, str(port))
        assert (status, out) == (0, "pong ping\n"), err


async def test_many_tunnels_to_a_name_at_once(gate: Gate) -> None:
    async def one(port: int, to: int, number: int) -> None:
        async with tunnel("CONNECT", port, "localhost", to) as connection:
            word = json.dumps(number).encode() * 1000
            await connection.send(word)
            assert await outcome(connection, len(word)) == word

    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        await asyncio.gather(*(one(port, server.port, number) for number in range(100)))
