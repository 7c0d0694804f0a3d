"""Internet socket addresses as connect(2) takes them (ip(7), ipv6(7)). Pure."""

from __future__ import annotations

import ipaddress
import socket
import struct
from functools import lru_cache

__all__ = ["FAMILY", "Address", "host_port", "inet", "is_loopback", "on_loopback", "plain", "spelled_out"]

FAMILY = struct.Struct("=H")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_HERE = ipaddress.IPv4Address("127.0.0.1")
_HERE_MAPPED = ipaddress.IPv6Address("::ffff:127.0.0.1")


def plain(address: Address) -> Address:
    """A v4-mapped address is the v4 address that it reaches."""
    return getattr(address, "ipv4_mapped", None) or address


def host_port(address: Address, port: int) -> str:
    """``1.2.3.4:80`` or ``[::1]:80``, of the plain address."""
    address = plain(address)
    if isinstance(address, ipaddress.IPv6Address):
        return f"[{address.compressed}]:{port}"
    return f"{address}:{port}"


@lru_cache(maxsize=1024)
def inet(raw: bytes) -> tuple[Address, int] | None:
    """Address and port of a sockaddr_in or sockaddr_in6; None for another family."""
    family = FAMILY.unpack_from(raw)[0] if len(raw) >= 2 else 0
    if family == socket.AF_INET and len(raw) >= 8:
        return ipaddress.IPv4Address(raw[4:8]), int.from_bytes(raw[2:4], "big")
    if family == socket.AF_INET6 and len(raw) >= 24:
        return ipaddress.IPv6Address(raw[8:24]), int.from_bytes(raw[2:4], "big")
    return None


@lru_cache(maxsize=1024)
def is_loopback(address: Address) -> bool:
    return plain(address).is_loopback


@lru_cache(maxsize=1024)
def spelled_out(raw: bytes) -> bytes:
    """The unspecified address means this machine to connect(2): decided and used as what it means."""
    found = inet(raw)
    if found is None:
        return raw
    address = found[0]
    if address == ipaddress.IPv4Address(0):
        return raw[:4] + _HERE.packed + raw[8:]
    if address == ipaddress.IPv6Address(0):
        return raw[:8] + ipaddress.IPv6Address(1).packed + raw[24:]
    if getattr(address, "ipv4_mapped", None) == ipaddress.IPv4Address(0):
        return raw[:8] + _HERE_MAPPED.packed + raw[24:]
    return raw


def on_loopback(raw: bytes, port: int) -> bytes:
    """The same sockaddr for ``port`` of 127.0.0.1, which an IPv6 socket reaches as v4-mapped."""
    where = raw[:2] + port.to_bytes(2, "big")
    if len(raw) < 24 or FAMILY.unpack_from(raw)[0] == socket.AF_INET:
        return where + _HERE.packed + bytes(8)
    return where + bytes(4) + _HERE_MAPPED.packed + bytes(4)
