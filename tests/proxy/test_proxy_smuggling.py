"""However a client puts its bytes, what reaches a server is one request that was decided, framed one way."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re

import pytest
from proxy_tools import SECONDS, Gate, Reader, Upstream, Writer, client, proxying, serving

from agentgate.intercept.proxy import Proxy

ENDS = {"crlf": b"\r\n", "lf": b"\n"}
FRAMINGS = {
    "none": [],
    "length": [b"Content-Length: {n}"],
    "zero": [b"Content-Length: 0"],
    "short": [b"Content-Length: 3"],
    "plus": [b"Content-Length: +{n}"],
    "hex": [b"Content-Length: 0x1f"],
    "spaced": [b"Content-Length : {n}"],
    "two": [b"Content-Length: {n}", b"Content-Length: 0"],
    "folded": [b"Content-Length:\r\n {n}"],
    "chunked": [b"Transfer-Encoding: chunked"],
    "both": [b"Content-Length: {n}", b"Transfer-Encoding: chunked"],
    "both turned": [b"Transfer-Encoding: chunked", b"Content-Length: 4"],
    "case": [b"tRANSFER-eNCODING: CHUNKED"],
    "tab": [b"Transfer-Encoding:\tchunked"],
    "vertical tab": [b"Transfer-Encoding: \x0bchunked"],
    "folded coding": [b"Transfer-Encoding:\r\n chunked"],
    "quoted": [b'Transfer-Encoding: "chunked"'],
    "identity": [b"Transfer-Encoding: identity"],
    "chunked twice": [b"Transfer-Encoding: chunked, chunked"],
    "two codings": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
    "underscore": [b"Transfer_Encoding: chunked"],
    "nul": [b"Transfer-Encoding: chunked\0"],
    "hidden": [b"X: y\rTransfer-Encoding: chunked"],
    "hidden line": [b"X: y\nTransfer-Encoding: chunked"],
}
EVIL = b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"
BODIES = {
    "nothing": b"",
    "a request": EVIL,
    "chunk, request": b"0\r\n\r\n" + EVIL,
    "chunk in it": b"5\r\nhello\r\n0\r\n\r\n" + EVIL,
    "extension": b"5;a=b\r\nhello\r\n0;x\r\n\r\n" + EVIL,
    "bare extension": b"5;\nhello\r\n0\r\n\r\n" + EVIL,
    "bare chunks": b"5\nhello\n0\n\n" + EVIL,
    "trailers": b"0\r\nContent-Length: 9\r\nHost: evil.example\r\n\r\n" + EVIL,
    "large size": b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n" + EVIL,
    "signed size": b"-1\r\nhello\r\n0\r\n\r\n" + EVIL,
}
HEAD = re.compile(rb"POST /x HTTP/1\.1\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)+\r\n")


async def keep(upstream: Upstream, reader: Reader, writer: Writer) -> None:
    """Takes all that comes until it is quiet, then answers once and closes."""
    number = len(upstream.received)
    upstream.received.append(b"")
    try:
        while True:
            data = await asyncio.wait_for(reader.read(65536), 0.15)
            if not data:
                break
            upstream.received[number] += data
    except TimeoutError:
        pass
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def one_request(data: bytes) -> bool:
    """Whether a strict reader finds one request in ``data``, or the beginning of one, and nothing behind."""
    match = HEAD.match(data)
    if not match:
        return False
    head, body = match[0].lower(), data[match.end() :]
    lengths = re.findall(rb"\r\ncontent-length: ([^\r]*)\r", head)
    coded = re.findall(rb"\r\ntransfer-encoding: ([^\r]*)\r", head)
    if len(lengths) + len(coded) > 1:
        return False
    if coded:
        return coded == [b"chunked"] and chunks(body)
    return len(body) <= (int(lengths[0]) if lengths else 0)


def chunks(body: bytes) -> bool:
    while body:
        size = re.match(rb"([0-9a-f]+)\r\n", body, re.IGNORECASE)
        if not size:
            return False
        count = int(size[1], 16)
        body = body[size.end() :]
        if not count:
            return body == b"\r\n"
        if len(body) < count + 2:
            return body[:count] == body  # not all of it came
        if body[count : count + 2] != b"\r\n":
            return False
        body = body[count + 2 :]
    return True


@pytest.mark.parametrize("framing", FRAMINGS)
async def test_one_decision_is_one_request(gate: Gate, framing: str) -> None:
    gate.deny.add("evil.example:80")
    async with serving(keep) as server, proxying(Proxy(gate.decide)) as port:

        async def one(end: bytes, body: bytes) -> None:
            lines = [
                b"POST http://%s/x HTTP/1.1" % server.target.encode(),
                b"Host: " + server.target.encode(),
            ]
            lines += [line.replace(b"{n}", b"%d" % len(body)) for line in FRAMINGS[framing]]
            async with client(port) as connection:
                await connection.send(end.join([*lines, b"", b""]) + body)
                with contextlib.suppress(OSError, TimeoutError):  # an unfinished body waits for its rest
                    await asyncio.wait_for(connection.reader.read(-1), 1.0)

        async with asyncio.timeout(SECONDS * 3):
            await asyncio.gather(*(one(*pair) for pair in itertools.product(ENDS.values(), BODIES.values())))
        for data in server.received:
            assert not data or one_request(data), data
        allowed = gate.targets.count(server.target)
        assert server.accepted <= allowed
        assert len(server.received) >= 5 or framing not in ("none", "length", "chunked")
        if framing in ("length", "chunked"):
            assert any(data.endswith(EVIL) or b"hello" in data for data in server.received)
        if framing in ("none", "zero", "chunked"):  # what stands behind a request is the next one, and denied
            assert "evil.example:80" in gate.targets
