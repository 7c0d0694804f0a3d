"""The lines of one session, chained: each carries a hash of itself and of everything before it.

    hash(0) = SHA-256("agentgate audit " + session)
    hash(n) = SHA-256(hash(n - 1) + line n without its own hash)

The hash is the line's last member, ``"hash":"<64 hex digits>"}``, so that it is taken off and put on without
parsing. Whoever changes, removes or moves a line has to make all hashes after it anew; that the last one is
the one that was written is what the signed head says (``heads.py``).
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

__all__ = ["Chain", "Linked", "unlink"]

_BEFORE, _AFTER = b',"hash":"', b'"}'
_TAIL = len(_BEFORE) + 64 + len(_AFTER)


class Chain:
    """``head`` is the hash of the last line so far."""

    def __init__(self, session: str, head: bytes | None = None) -> None:
        self.head = head if head is not None else sha256(b"agentgate audit " + session.encode()).digest()

    def link(self, line: bytes) -> bytes:
        """A line (a JSON object and a newline) with its hash in it."""
        body = line[:-2]
        self.head = sha256(self.head + body).digest()
        return body + _BEFORE + self.head.hex().encode() + _AFTER + b"\n"

    def follows(self, linked: Linked) -> bool:
        """Whether ``linked`` is what comes next. The head moves on either way, to what the line says."""
        right = sha256(self.head + linked.body).digest() == linked.hash
        self.head = linked.hash
        return right


class Linked(NamedTuple):
    """A line taken apart."""

    body: bytes
    hash: bytes


def unlink(line: bytes) -> Linked | None:
    """A line as it stands in the log (with or without its newline); None when it carries no hash."""
    line = line.removesuffix(b"\n")
    body, tail = line[:-_TAIL], line[-_TAIL:]
    if len(tail) < _TAIL or not tail.startswith(_BEFORE) or not tail.endswith(_AFTER):
        return None
    try:
        return Linked(body, bytes.fromhex(tail[len(_BEFORE) : -len(_AFTER)].decode()))
    except ValueError:
        return None
