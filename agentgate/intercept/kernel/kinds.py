"""Sockets that are never made: which, why, and the error that programs know for it.

A refused socket looks like one that the kernel does not have (socket(2)), or that only root may make, where
a program can do without it: audit and MPTCP are tried by many that go on as well when there is none, and
nothing is said on their standard error then.
"""

from __future__ import annotations

import errno
import socket

from agentgate.actions import Kind
from agentgate.intercept.kernel.effect import Effect

__all__ = ["never"]

_NETLINK, _PACKET, _MPTCP = 16, 17, 262
_TYPES = {1: "stream", 2: "datagram", 3: "raw", 4: "rdm", 5: "seqpacket", 6: "dccp", 10: "packet"}
_PROTOCOLS = {
    1: "icmp", 33: "dccp", 58: "icmpv6", 115: "l2tp", 132: "sctp", 136: "udplite", 255: "raw", _MPTCP: "mptcp"
}  # fmt: skip
_INTERNET = (socket.AF_INET, socket.AF_INET6)
_ELSEWHERE = "such a socket could send to addresses that nobody decided"


def never(family: int, kind: int, protocol: int, reason: str = "") -> Effect:
    """The refusal of socket(2) or socketpair(2) with these arguments."""
    kind &= 0xF
    words = ["socket", _family(family), _TYPES.get(kind, str(kind))]
    if family in _INTERNET and protocol not in (0, socket.IPPROTO_UDP, socket.IPPROTO_TCP):
        words.append(_PROTOCOLS.get(protocol, str(protocol)))
    return Effect(
        "socket", lambda: -1, Kind.NET_EGRESS, ":".join(words), refused=reason or _ELSEWHERE,
        code=_error(family, kind, protocol), quiet=family == _NETLINK or protocol == _MPTCP,
    )  # fmt: skip


def _family(family: int) -> str:
    known = family in set(socket.AddressFamily)
    return socket.AddressFamily(family).name.removeprefix("AF_").lower() if known else f"family {family}"


def _error(family: int, kind: int, protocol: int) -> int:
    if family == socket.AF_UNIX:
        return errno.EACCES
    if family == _PACKET or (family in _INTERNET and kind == socket.SOCK_RAW):
        return errno.EPERM
    if family == _NETLINK:
        return errno.EPROTONOSUPPORT
    if family not in _INTERNET:
        return errno.EAFNOSUPPORT
    ping = protocol in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6)
    if kind == socket.SOCK_DGRAM and (ping or protocol in (0, socket.IPPROTO_UDP)):
        return errno.EACCES
    return errno.EPROTONOSUPPORT if kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) else errno.ESOCKTNOSUPPORT
