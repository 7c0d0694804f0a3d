"""Where a request wants to go, in one canonical spelling, or a refusal. Pure: nothing is looked up.

What the policy decides on and what is dialled later are the same ``Target``, so every spelling that two
readers could take for two different hosts is refused here: a NUL that ends the name for a C library, the
``inet_aton`` forms of IPv4 (``127.1``, ``0x7f.1``, ``2130706433``), user names before an ``@``, scope ids.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from agentgate.escape import printable

__all__ = ["BadTarget", "Target", "parse_absolute", "parse_authority"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # what inet_aton(3) would read as a number
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^#]*)")
_DOTS = re.compile("[\u3002\uff0e\uff61]")  # RFC 3490 3.1: read as dots by some and not by others


class BadTarget(ValueError):
    """The spelling is refused; the message says what is wrong with it, in one line."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host and a port. ``host`` is a lower-case A-label name without a trailing dot, or an IP address
    in canonical form (RFC 5952), without brackets; an IPv4-mapped IPv6 address is its IPv4 address."""

    host: str
    port: int
    address: IPAddress | None = None

    def __str__(self) -> str:
        """``host:port``, the policy's spelling; an IPv6 address stands in brackets."""
        return f"{self.bracketed}:{self.port}"

    @property
    def bracketed(self) -> str:
        """The host as it stands in a URI."""
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def local_name(self) -> bool:
        """Is this ``localhost`` or a name below it, which mean this machine (RFC 6761 6.3)?"""
        return self.host == "localhost" or self.host.endswith(".localhost")


def _quoted(text: str) -> str:
    return f"'{printable(text, 120)}'"


def _ipv6(text: str) -> tuple[str, IPAddress | None]:
    if "%" in text:
        raise BadTarget(f"an address with a scope id is not accepted: {_quoted(text)}")
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise BadTarget(f"not an IPv6 address: {_quoted(text)}") from None
    plain: IPAddress = address.ipv4_mapped or address
    return str(plain), plain


def _ascii(text: str) -> str:
    """The name with every label as an A-label (RFC 3490 ToASCII)."""
    if text.isascii():
        return text
    if len(text) > 253:  # before an encoder that is slow on long input sees it
        raise BadTarget(f"host name longer than 253 characters: {_quoted(text)}")
    if _DOTS.search(text):
        raise BadTarget(f"a look-alike of a dot in the host name: {_quoted(text)}")
    try:
        return text.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadTarget(f"host name cannot be encoded (IDNA): {_quoted(text)}") from None


def _host(text: str) -> tuple[str, IPAddress | None]:
    name = _ascii(text).lower().removesuffix(".")
    if not name:
        raise BadTarget(f"no host: {_quoted(text)}")
    if len(name) > 253:
        raise BadTarget(f"host name longer than 253 characters: {_quoted(text)}")
    labels = name.split(".")
    for label in labels:
        if not label:
            raise BadTarget(f"empty label in host name: {_quoted(text)}")
        if len(label) > 63:
            raise BadTarget(f"label longer than 63 characters in host name: {_quoted(text)}")
        if not _LABEL.fullmatch(label):
            raise BadTarget(f"only letters, digits and hyphens in a host name: {_quoted(text)}")
    if not _NUMBER.fullmatch(labels[-1]):
        return name, None
    try:  # a name that ends in a number is an IPv4 address, or a trick; ipaddress takes only a.b.c.d
        address = ipaddress.IPv4Address(name)
    except ValueError:
        raise BadTarget(f"not an IPv4 address in the form a.b.c.d: {_quoted(text)}") from None
    return str(address), address


def parse_authority(text: str, default_port: int | None = None) -> Target:
    """``host:port`` (RFC 9110 4.2, without user information) as a Target.

    Without ``default_port`` the port must be there. Raises BadTarget.
    """
    if "@" in text:
        raise BadTarget("user information before the host is not accepted")
    if text.startswith("["):
        inside, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise BadTarget(f"not an address in brackets: {_quoted(text)}")
        host, address = _ipv6(inside)
        port = rest[1:] if rest else None
    else:
        name, colon, port_text = text.partition(":")
        if ":" in port_text:
            raise BadTarget(f"an IPv6 address must stand in brackets: {_quoted(text)}")
        host, address = _host(name)
        port = port_text if colon else None
    if port is None:
        if default_port is None:
            raise BadTarget(f"no port: {_quoted(text)}")
        return Target(host, default_port, address)
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise BadTarget(f"port must be 1 to 65535: {_quoted(text)}")
    return Target(host, int(port), address)


def parse_absolute(uri: str) -> tuple[Target, str]:
    """An absolute ``http`` URI (RFC 9112 3.2.2) as the Target and the origin-form of the rest.

    The second part is ``/path?query``, empty when the URI has neither. Raises BadTarget.
    """
    match = _ABSOLUTE.fullmatch(uri)
    if not match:
        raise BadTarget("this is a proxy: the request needs an absolute URI, http://host/path")
    scheme, authority, rest = match.groups()
    if scheme.lower() != "http":
        raise BadTarget(f"scheme {_quoted(scheme.lower())} is not spoken here: http, or CONNECT for all else")
    target = parse_authority(authority, 80)
    return target, rest if not rest or rest.startswith("/") else "/" + rest
