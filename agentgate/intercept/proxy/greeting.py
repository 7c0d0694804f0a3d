"""The server name in a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3). Pure.

Only the record and handshake headers and the one extension are read; whether the rest is sound is the
server's affair.
"""

from __future__ import annotations

__all__ = ["LONGEST", "BadGreeting", "server_name"]

LONGEST = 64 * 1024  # bytes of a greeting that are looked at; real ones have two thousand
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0


class BadGreeting(ValueError):
    """It begins like TLS and is not; or it is too long."""


class _Short(Exception):
    """More bytes are to come."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if self.left < count:
            raise BadGreeting("a TLS greeting that ends in the middle")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def part(self, size: int) -> _Reader:
        """A vector behind its length of ``size`` bytes."""
        return _Reader(self.take(self.number(size)))


def server_name(data: bytes) -> str | None:
    """The name, lower-case and without a final dot; empty when there is none or this is not TLS. None when
    more bytes are needed. Raises BadGreeting."""
    if data[:1] and data[0] != _HANDSHAKE:
        return ""
    if len(data) > 1 and data[1] != 3:
        return ""  # SSL and TLS have 3 there
    try:
        hello = _hello(data)
    except _Short:
        if len(data) >= LONGEST:
            raise BadGreeting("a TLS greeting that is too long") from None
        return None
    return _name(hello)


def _hello(data: bytes) -> bytes:
    """The ClientHello's body, put together from its records."""
    body, at = b"", 0
    while True:
        if len(data) < at + 5:
            raise _Short
        size = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at] != _HANDSHAKE or not size:
            raise BadGreeting("no TLS greeting, though it begins like one")
        if len(data) < at + 5 + size:
            raise _Short
        body += data[at + 5 : at + 5 + size]
        at += 5 + size
        if body[0] != _CLIENT_HELLO:
            raise BadGreeting("no TLS greeting, though it begins like one")
        if len(body) >= 4 and len(body) >= 4 + (length := int.from_bytes(body[1:4], "big")):
            return body[4 : 4 + length]


def _name(hello: bytes) -> str:
    reader = _Reader(hello)
    reader.take(2 + 32)  # version and random
    for size in (1, 2, 1):  # session id, cipher suites, compression methods
        reader.part(size)
    if not reader.left:
        return ""  # no extensions
    found = []
    extensions = reader.part(2)
    while extensions.left:
        kind, content = extensions.number(2), extensions.part(2)
        if kind == _SERVER_NAME:
            names = content.part(2)
            while names.left:
                sort, name = names.number(1), names.part(2)
                if sort == _HOST_NAME:
                    found.append(name.take(name.left))
    if len(found) > 1:
        raise BadGreeting("a TLS greeting with two server names")
    return found[0].decode("ascii", "backslashreplace").lower().removesuffix(".") if found else ""
