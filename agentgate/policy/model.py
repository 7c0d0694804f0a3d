"""A policy as plain data: rules in order, a default, lifted guards and the file's own tests.

Knows neither YAML nor globs, so that it can be sent to another process as JSON (``to_wire``).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from agentgate.actions import Decision, GuardName, Kind

__all__ = ["Policy", "Rule", "TestCase"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``number`` counts from 1, ``line`` is its first line in the file.

    ``action`` None means any kind; ``targets`` are raw globs of which one must match, empty means any
    target. ``within`` is a command glob that the acting process or one of its ancestors must match.
    ``scope`` is a directory: a file outside it is denied. ``until`` is the last day (a date, to its end) or
    the moment (a datetime; local time when naive) up to which the rule is in force. A ``disabled`` rule
    keeps its place and number, and matches nothing.
    """

    number: int
    line: int
    action: Kind | None
    targets: tuple[str, ...]
    within: str | None
    decision: Decision
    scope: str | None = None
    reason: str = ""
    until: dt.date | dt.datetime | None = None
    disabled: bool = False

    def to_wire(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "line": self.line,
            "action": self.action.value if self.action else None,
            "targets": list(self.targets),
            "within": self.within,
            "decision": self.decision.value,
            "scope": self.scope,
            "reason": self.reason,
            "until": self.until.isoformat() if self.until else None,
            "disabled": self.disabled,
        }

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Rule:
        until: dt.date | None = None
        if data["until"]:  # isoformat() of a datetime always holds a T, of a date never
            kind = dt.datetime if "T" in data["until"] else dt.date
            until = kind.fromisoformat(data["until"])
        return cls(
            number=data["number"],
            line=data["line"],
            action=Kind(data["action"]) if data["action"] else None,
            targets=tuple(data["targets"]),
            within=data["within"],
            decision=Decision(data["decision"]),
            scope=data["scope"],
            reason=data["reason"],
            until=until,
            disabled=data["disabled"],
        )


@dataclass(frozen=True, slots=True)
class TestCase:
    """One line of the file's ``tests:``. ``target`` is a target, not a glob; ``within`` is the command of
    the process that would act, for rules that look at it."""

    __test__ = False  # not a test class of pytest

    action: Kind
    target: str
    expect: Decision
    line: int
    within: str = ""

    def to_wire(self) -> list[Any]:
        return [self.action.value, self.target, self.expect.value, self.line, self.within]

    @classmethod
    def from_wire(cls, data: list[Any]) -> TestCase:
        return cls(Kind(data[0]), data[1], Decision(data[2]), data[3], data[4])


@dataclass(frozen=True, slots=True)
class Policy:
    """``lifted`` names the guards that this policy lifts; ``label`` is what errors call the file."""

    rules: tuple[Rule, ...] = ()
    default: Decision = Decision.ASK
    lifted: frozenset[GuardName] = frozenset()
    tests: tuple[TestCase, ...] = ()
    label: str = "policy"

    def to_wire(self) -> dict[str, Any]:
        """A JSON-ready form; ``from_wire`` gives an equal policy back."""
        return {
            "rules": [rule.to_wire() for rule in self.rules],
            "default": self.default.value,
            "lifted": sorted(self.lifted),
            "tests": [test.to_wire() for test in self.tests],
            "label": self.label,
        }

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Policy:
        return cls(
            rules=tuple(Rule.from_wire(rule) for rule in data["rules"]),
            default=Decision(data["default"]),
            lifted=frozenset(map(GuardName, data["lifted"])),
            tests=tuple(TestCase.from_wire(test) for test in data["tests"]),
            label=data["label"],
        )
