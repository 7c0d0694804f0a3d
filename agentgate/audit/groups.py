"""Decisions by what the agent called: its own child process and everything that this one started.

A tool call of an agent is a process that it starts; what that process, its children and theirs do belongs to
it. Eight bytes a decision; the chains of a call's processes are read once.
"""

from __future__ import annotations

import json
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from agentgate.actions import Kind, Verdict
from agentgate.audit.row import Row

__all__ = ["Group", "Groups"]


class _Top(NamedTuple):
    pid: int
    start: int
    command: str
    agents: bool
    """Whether it is the agent itself."""


@lru_cache(4096)
def _top(chain: bytes) -> _Top | None:
    """The process below the agent in a chain, or the agent when it acts itself; None when nobody is known."""
    try:
        processes = json.loads(chain)
        top = processes[-2] if len(processes) > 1 else processes[-1]
        command = " ".join(top["argv"]) or str(top["exe"])
        return _Top(int(top["pid"]), int(top.get("start") or 0), command, len(processes) == 1)
    except (IndexError, KeyError, TypeError, ValueError):
        return None


@dataclass(slots=True)
class Group:
    """``name`` is the call's command; ``places`` where its lines begin."""

    name: str
    time: float
    agents: bool = False
    denied: int = 0
    named: bool = False
    places: array[int] = field(default_factory=lambda: array("Q"))


class Groups:
    """In the order of their first decision. Fed with rows, oldest first."""

    def __init__(self) -> None:
        self.all: list[Group] = []
        self._by_top: dict[tuple[str, int, int], Group] = {}

    def add(self, place: int, row: Row) -> None:
        top = _top(row.chain)
        key = (row.session, top.pid, top.start) if top else (row.session, 0, 0)
        group = self._by_top.get(key)
        if group is None:
            name = top.command if top else "nobody that is known"
            group = self._by_top[key] = Group(name, row.time, top.agents if top else False)
            self.all.append(group)
        if not group.named and row.kind is Kind.EXEC and row.depth == (1 if group.agents else 2):
            group.name, group.named = row.target, True  # the call itself: before, it was its starter's copy
        group.denied += row.verdict is Verdict.DENY
        group.places.append(place)
