"""Requests read and headers passed on. Pure: h11 events in, h11 events out.

h11 has parsed the bytes and written them anew, so that no ambiguity of the client's bytes reaches the
server. Here stands what a proxy must see to beyond that: the request's target, headers that contradict
each other (RFC 9112 3.2, 6.3, 11.2), and headers that end at the proxy (RFC 9110 7.6.1).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

import h11

from agentgate.intercept.proxy.target import BadTarget, Target, parse_absolute, parse_authority

__all__ = ["BadRequest", "Wanted", "credentials", "onward", "read", "returned"]

_LENGTH = re.compile(rb"^content-length[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_HOP = frozenset({b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"})
_FRAMING = frozenset({b"host", b"content-length"})  # a Connection header cannot take these away
Response = h11.Response | h11.InformationalResponse
Message = h11.Request | Response


class BadRequest(ValueError):
    """The request is refused before anything is decided. ``status`` is the response's."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for. ``path`` is the origin-form, empty for CONNECT."""

    method: str
    target: Target
    path: str = ""
    websocket: bool = False

    @property
    def tunnel(self) -> bool:
        return self.method == "CONNECT"


def _tokens(message: Message, wanted: bytes) -> set[bytes]:
    """The lower-case members of every header of that name, a comma-separated list."""
    values = (value for name, value in message.headers if name == wanted)
    return {token.strip().lower() for value in values for token in value.split(b",")} - {b""}


def _check_framing(request: h11.Request, head: bytes) -> None:
    # Looked up in the bytes themselves: h11 folds repeated equal lengths into one.
    lengths = _LENGTH.findall(head)
    if len(lengths) > 1 or any(b"," in length for length in lengths):
        raise BadRequest("more than one Content-Length")
    coded = any(name == b"transfer-encoding" for name, _ in request.headers)
    if coded and lengths:
        raise BadRequest("both Content-Length and Transfer-Encoding")
    if coded and request.http_version < b"1.1":
        raise BadRequest("Transfer-Encoding in an HTTP/1.0 request")
    if request.method == b"CONNECT" and (coded or any(length.strip() != b"0" for length in lengths)):
        raise BadRequest("a CONNECT request has no body")


def _check_host(request: h11.Request, target: Target) -> None:
    for name, value in request.headers:
        if name == b"host" and parse_authority(value.decode("latin-1"), 80) != target:
            raise BadRequest("the Host header and the request's URI name different hosts")


def read(request: h11.Request, head: bytes) -> Wanted:
    """What ``request`` asks for; ``head`` is the bytes it was parsed from. Raises BadRequest."""
    if request.http_version not in (b"1.0", b"1.1"):
        raise BadRequest(f"HTTP/{request.http_version.decode()} is not spoken here", 505)
    _check_framing(request, head)
    method, uri = request.method.decode("ascii"), request.target.decode("ascii")
    try:
        if method == "CONNECT":
            # Host is not compared: clients differ in what they put there, and it goes nowhere.
            return Wanted(method, parse_authority(uri))
        target, path = parse_absolute(uri)
        _check_host(request, target)
    except BadTarget as error:
        raise BadRequest(str(error)) from None
    websocket = (
        method == "GET"
        and request.http_version == b"1.1"
        and _tokens(request, b"upgrade") == {b"websocket"}
        and b"upgrade" in _tokens(request, b"connection")
    )
    # RFC 9112 3.2.4: OPTIONS without a path asks about the server as a whole.
    return Wanted(method, target, path or ("*" if method == "OPTIONS" else "/"), websocket)


def credentials(request: h11.Request) -> tuple[str, str]:
    """User and password of Proxy-Authorization (RFC 7617); empty when there are none to be read."""
    given = [value for name, value in request.headers if name == b"proxy-authorization"]
    scheme, _, coded = (given[0] if len(given) == 1 else b"").partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(coded.strip(), validate=True).decode("utf-8").partition(":")
    except ValueError:
        return "", ""
    return user, password


def _passed(message: Message) -> list[tuple[bytes, bytes]]:
    """The headers that do not end at a proxy, in their order and spelling."""
    ends_here = _HOP | (_tokens(message, b"connection") - _FRAMING)
    pairs = zip(message.headers.raw_items(), message.headers, strict=True)
    return [
        (spelled, value)
        for (spelled, value), (name, _) in pairs
        if name not in ends_here and not name.startswith(b"proxy-")
    ]


def onward(request: h11.Request, wanted: Wanted, *, absolute: bool, authorization: str = "") -> h11.Request:
    """The request as it goes to the server, or in ``absolute`` form to another proxy, which gets
    ``authorization`` as Proxy-Authorization when there is one."""
    host = wanted.target.bracketed if wanted.target.port == 80 else str(wanted.target)
    headers = [(b"Host", host.encode("ascii"))]
    old = request.http_version < b"1.1"  # RFC 9110 10.1.1: such a client does not understand 100
    headers += [
        pair
        for pair in _passed(request)
        if pair[0].lower() != b"host" and not (old and pair[0].lower() == b"expect")
    ]
    if any(name == b"transfer-encoding" for name, _ in request.headers):
        headers.append((b"Transfer-Encoding", b"chunked"))
    if authorization:
        headers.append((b"Proxy-Authorization", authorization.encode("ascii")))
    if wanted.websocket:
        headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    else:
        headers.append((b"Connection", b"close"))
    path = "" if absolute and wanted.path == "*" else wanted.path
    uri = f"http://{host}{path}" if absolute else path
    return h11.Request(method=request.method, target=uri.encode("ascii"), headers=headers)


def returned(response: Response) -> list[tuple[bytes, bytes]]:
    """The headers of a response as they go back to the client, which h11 then frames."""
    headers = _passed(response)
    if any(name == b"transfer-encoding" for name, _ in response.headers):  # RFC 9112 6.3: it wins
        headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
    if response.status_code == 101:
        headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    return headers
