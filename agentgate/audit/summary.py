"""What a session did, out of its records: what ran, what was reached, changed, refused, read and asked. Pure.

Only what was allowed has happened; only what was denied was refused. Whether a file was there before cannot
be told from a record, so nothing is called "created".
"""

from __future__ import annotations

import os.path
import re
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from agentgate.actions import Decision, Kind, Source, Verdict
from agentgate.audit.row import Row

__all__ = ["Change", "Ran", "Refused", "Summary", "summarise"]

PATHS = 200_000
"""Paths that are told apart; of what is changed beyond them only the number is known."""

COMMANDS = 10_000
"""Kinds of commands, and of refusals, that are told apart."""

T = TypeVar("T")

_REMOVING = frozenset(("unlink", "unlinkat", "rmdir"))
_MAKING = frozenset(("mkdir", "mkdirat"))
_SHELLS = frozenset(("sh", "bash", "dash", "zsh"))
_TOOLS = frozenset(
    """npm pnpm yarn bun pip pip3 pipx uv poetry cargo rustup go gem bundle composer brew git gh apt apt-get
    dnf apk docker podman kubectl helm terraform make node python python3""".split()
)
_WORD = re.compile(r"[a-z][a-z0-9-]{0,20}")


class Change(StrEnum):
    WRITTEN = "written"
    MADE = "made"  # a directory
    REMOVED = "removed"
    PASSING = "written, then removed"


@dataclass(slots=True)
class Ran:
    """A sort of command: its first words, how often, and how deep below the agent (1: its own child)."""

    command: str
    count: int
    depth: int


@dataclass(frozen=True, slots=True)
class Refused:
    kind: Kind
    target: str
    why: str


@dataclass(slots=True)
class Summary:
    """``ran`` in order, top-level commands first; ``reached`` and ``listened`` by target with their counts;
    ``changed`` by path, ``more`` the changes of paths that were too many; ``secrets`` by path who read them;
    ``waits`` milliseconds of the questions that a person answered."""

    records: int = 0
    denied: int = 0
    first: float = 0.0
    last: float = 0.0
    sessions: dict[str, str] = field(default_factory=dict)
    """By id the agent."""
    ran: list[Ran] = field(default_factory=list)
    reached: dict[str, int] = field(default_factory=dict)
    listened: dict[str, int] = field(default_factory=dict)
    changed: dict[str, Change] = field(default_factory=dict)
    more: int = 0
    refused: dict[Refused, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    waits: list[int] = field(default_factory=list)
    refusals: int = 0
    """Of the questions that a person answered, how many were denied."""
    unanswered: int = 0

    @property
    def median_wait(self) -> float:
        """Seconds."""
        return statistics.median(self.waits) / 1000 if self.waits else 0.0

    @property
    def quick(self) -> int:
        """Questions answered in under a second."""
        return sum(wait < 1000 for wait in self.waits)


def summarise(rows: Iterable[Row]) -> Summary:
    """The summary of ``rows``, oldest first."""
    told = Summary()
    ran: dict[str, Ran] = {}
    for row in rows:
        told.records += 1
        told.first = told.first or row.time
        told.last = max(told.last, row.time)
        told.sessions.setdefault(row.session, row.agent)
        if row.decision is Decision.ASK:
            _asked(told, row)
        if row.verdict is Verdict.DENY:
            told.denied += 1
            _count(told.refused, Refused(row.kind, row.target, row.why))
        elif row.kind is Kind.EXEC:
            _ran(ran, row)
        elif row.kind is Kind.NET_EGRESS:
            listens = row.target.startswith("listen://")
            _count(told.listened if listens else told.reached, row.target)
        elif row.kind is Kind.FS_WRITE:
            _changed(told, row)
        elif row.target not in told.secrets and len(told.secrets) < COMMANDS:
            told.secrets[row.target] = _program(row)
    told.ran = sorted(ran.values(), key=lambda each: each.depth > 1)  # stable: the oldest first
    return told


def _count(counts: dict[T, int], what: T) -> None:
    if what in counts or len(counts) < COMMANDS:
        counts[what] = counts.get(what, 0) + 1


def _asked(told: Summary, row: Row) -> None:
    if row.source is Source.OPERATOR:
        told.waits.append(row.waited_ms)
        told.refusals += row.verdict is Verdict.DENY
    elif row.source is Source.TIMEOUT:
        told.unanswered += 1


def _ran(ran: dict[str, Ran], row: Row) -> None:
    if row.asked_by is Source.SESSION:  # the same command again, as its interpreter
        return
    command, depth = _head(row.target), row.depth - 1
    known = ran.get(command)
    if known is not None:
        known.count += 1
        known.depth = min(known.depth, depth)
    elif len(ran) < COMMANDS:
        ran[command] = Ran(command, 1, depth)


def _head(command: str) -> str:
    """What makes one command like another: the program and its sub-command; of a shell's script its text."""
    words = command.split(" ", 2)
    program = os.path.basename(words[0])
    if program in _SHELLS and len(words) > 2 and words[1] in ("-c", "-lc", "-ec"):
        return f"{program}: {words[2]}"
    if program in _TOOLS and len(words) > 1 and _WORD.fullmatch(words[1]):
        return f"{program} {words[1]}"
    return program


def _changed(told: Summary, row: Row) -> None:
    if row.syscall in _REMOVING:
        _change(told, row.target, Change.REMOVED)
        return
    if row.origin and row.syscall.startswith("rename"):
        _change(told, row.origin, Change.REMOVED)
    _change(told, row.target, Change.MADE if row.syscall in _MAKING else Change.WRITTEN)


def _change(told: Summary, path: str, change: Change) -> None:
    before = told.changed.get(path)
    if before is None and len(told.changed) >= PATHS:
        told.more += 1
    elif change is Change.REMOVED and before in (Change.WRITTEN, Change.MADE, Change.PASSING):
        told.changed[path] = Change.PASSING
    elif not (before is Change.MADE and change is Change.WRITTEN):  # a directory's mode or time
        told.changed[path] = change


def _program(row: Row) -> str:
    entry = row.entry
    chain = entry.record.action.chain if entry else ()
    word = (chain[0].exe or chain[0].command) if chain else ""
    return os.path.basename(word) or "an unknown program"
