"""DNS messages (RFC 1035), read and built with dnspython. Pure. Imported at the first query only."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

__all__ = ["Query", "addresses", "empty", "failed", "missing", "passed_on", "pointer", "read", "refused"]

_TTL = 30  # seconds; an address of the pool means nothing outside this session, or long after
_PLAIN = 512  # bytes that a client takes over UDP when it says nothing (RFC 1035 2.3.4)


@dataclass(frozen=True, slots=True)
class Query:
    """``name`` is lower-case, without its final dot; ``kind`` the mnemonic of its type (``A``, ``MX``,
    ``TYPE4711``). Unfit ones have neither."""

    message: dns.message.Message
    name: str = ""
    kind: str = ""

    @property
    def room(self) -> int:
        """Bytes that the client takes over UDP."""
        return max(self.message.payload, _PLAIN)

    @property
    def reversed(self) -> str:
        """The address that a PTR query asks about, or nothing."""
        try:
            return str(ipaddress.ip_address(dns.reversename.to_address(self.message.question[0].name)))
        except (dns.exception.DNSException, ValueError):
            return ""


def read(data: bytes) -> Query | None:
    """A query, None for what is none or cannot be read: nothing is answered then."""
    try:
        message = dns.message.from_wire(data)
    except Exception:  # bytes of the agent's; the library has several ways to say that they are no message
        return None
    if message.flags & dns.flags.QR:
        return None
    if message.opcode() != dns.opcode.QUERY or len(message.question) != 1:
        return Query(message)
    question = message.question[0]
    if question.rdclass != dns.rdataclass.IN:
        return Query(message)
    name = question.name.to_text(omit_final_dot=True).lower()
    return Query(message, name, dns.rdatatype.to_text(question.rdtype))


def _response(query: Query, code: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    response = dns.message.make_response(query.message, recursion_available=True)
    response.set_rcode(code)
    return response


def _wire(query: Query, response: dns.message.Message, room: int) -> bytes:
    return response.to_wire(max_size=room or 65535, prefer_truncation=True)


def addresses(query: Query, found: Iterable[str], room: int = 0) -> bytes:
    """The addresses, of those that the query is for. ``room``: bytes at most, 0 over TCP."""
    response = _response(query)
    version = 4 if query.kind == "A" else 6
    fit = [address for address in found if ipaddress.ip_address(address).version == version]
    if fit:
        response.answer.append(
            dns.rrset.from_text(query.message.question[0].name, _TTL, "IN", query.kind, *fit)
        )
    return _wire(query, response, room)


def pointer(query: Query, names: Iterable[str], room: int = 0) -> bytes:
    """The names behind an address."""
    response = _response(query)
    texts = [name + "." for name in names]
    response.answer.append(dns.rrset.from_text(query.message.question[0].name, _TTL, "IN", "PTR", *texts))
    return _wire(query, response, room)


def empty(query: Query, room: int = 0) -> bytes:
    """The name is there, but not this of it."""
    return _wire(query, _response(query), room)


def missing(query: Query, room: int = 0) -> bytes:
    """There is no such name."""
    return _wire(query, _response(query, dns.rcode.NXDOMAIN), room)


def refused(query: Query, room: int = 0) -> bytes:
    """Not answered here, by policy or because of its form."""
    return _wire(query, _response(query, dns.rcode.REFUSED), room)


def failed(query: Query, room: int = 0) -> bytes:
    """The name servers gave no answer."""
    return _wire(query, _response(query, dns.rcode.SERVFAIL), room)


def passed_on(query: Query, answer: dns.message.Message, room: int = 0) -> bytes:
    """What the operator's name server answered, without the additional section: addresses stand there that
    nobody asked for."""
    response = _response(query, answer.rcode())
    response.answer, response.authority = answer.answer, answer.authority
    return _wire(query, response, room)
