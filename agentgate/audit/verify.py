"""Whether the log is what was written: every line in its place, none changed, none missing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from agentgate.audit.chain import Chain, unlink
from agentgate.audit.heads import Head, Heads
from agentgate.audit.place import parts
from agentgate.audit.read import LONGEST

__all__ = ["Fault", "Outcome", "verify"]


_OURS = re.compile(rb'\{"v":\d+,"time":[\d.e+-]+,"id":(\d{1,18}),"session":"([\w-]{1,64})",')
"""How our own lines begin: a million of them are not parsed for two members."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, and where: ``line`` of ``log`` counts from 1, 0 when it is about what is not there."""

    line: int
    what: str
    log: Path | None = None


@dataclass(slots=True)
class Outcome:
    """``records`` counts those that stand where they were written, in ``sessions``; ``unsigned`` those behind
    the last head that was signed (the room was killed, or runs); ``old`` those of versions without a chain;
    ``torn`` lines that are no whole record."""

    records: int = 0
    sessions: int = 0
    unsigned: int = 0
    old: int = 0
    torn: list[tuple[Path, int]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.faults


@dataclass(slots=True)
class _Session:
    chain: Chain
    number: int = 0
    passed: bool = False
    """Whether the record that the head names was met, with its hash."""


def verify(log: Path, heads: Heads) -> Outcome:
    """With what was rotated out of it. Raises OSError when it cannot be read, or the key is gone that its
    heads were signed with."""
    outcome = Outcome()
    known: dict[str, Head] = {}
    for session, head in heads.of(log.resolve()):
        if head is None:
            outcome.faults.append(
                Fault(0, f"the head of session {session} was changed: its signature is wrong")
            )
        else:
            known[session] = head
    sessions: dict[str, _Session] = {}
    for part in parts(log):
        with open(part, "rb") as file:
            _lines(file, part, known, sessions, outcome)
    outcome.sessions = len(sessions)
    for session, head in known.items():
        seen = sessions.get(session)
        if seen is None:
            outcome.faults.append(
                Fault(0, f"session {session} is missing with all its records ({head.number})")
            )
        elif not seen.passed and seen.number < head.number:
            missing = head.number - seen.number
            outcome.faults.append(
                Fault(0, f"the last {missing} record{'s' * (missing != 1)} of session {session} are missing")
            )
        elif not seen.passed:
            outcome.faults.append(
                Fault(0, f"session {session} has another record {head.number} than the one that was signed")
            )
    outcome.unsigned = sum(
        max(0, seen.number - known[session].number) if session in known else seen.number
        for session, seen in sessions.items()
    )
    return outcome


def _lines(
    lines: Iterable[bytes], log: Path, known: dict[str, Head], sessions: dict[str, _Session], outcome: Outcome
) -> None:
    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        whose = _whose(line)
        if whose is None:
            outcome.torn.append((log, place))
            continue
        session, number = whose
        linked = unlink(line)
        if linked is None:
            if session in sessions or session in known:
                outcome.faults.append(
                    Fault(place, f"record {number} of session {session} has lost its hash", log)
                )
            else:
                outcome.old += 1
            continue
        seen = sessions.get(session)
        if seen is None:
            seen = sessions[session] = _Session(Chain(session))
        expected = seen.number + 1
        right = seen.chain.follows(linked)
        if not right or number != expected:
            outcome.faults.append(Fault(place, _what(session, number, expected), log))
        else:
            outcome.records += 1
        seen.number = number
        head = known.get(session)
        if head and head.number == number:
            seen.passed = head.hash == linked.hash.hex()


def _whose(line: bytes) -> tuple[str, int] | None:
    """The session of a record and its number there; None when it is no whole record."""
    known = _OURS.match(line)
    if known and line.endswith(b'"}\n'):
        return known[2].decode(), int(known[1])
    try:
        data = json.loads(line) if len(line) <= LONGEST else {}
        return str(data["session"]), int(data["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _what(session: str, number: int, expected: int) -> str:
    if number > expected:
        missing = f"record {expected}" if number == expected + 1 else f"records {expected} to {number - 1}"
        return (
            f"{missing} of session {session} {'is' if number == expected + 1 else 'are'} missing before this"
        )
    if number < expected:
        return f"record {number} of session {session} is not where it was written"
    return f"record {number} of session {session} was changed, or what stood before it"
