"""Answers that hold longer than once without a rule in the file: for this session, or for one process and
what it starts.

They answer questions and nothing else: what a rule allows or denies, now or after the policy changed, they
leave as it is, so a deny always wins. An allow opens nothing that a guard stands before, and no socket of
another program that it does not name. They end with the session, and those for a process with its tree:
pid and start time name a process for ever, so no later one inherits them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from agentgate.actions import Action, Decision, Kind, Process, Ruling, Source
from agentgate.escape import printable
from agentgate.policy.match import Compiled, Context
from agentgate.policy.model import Rule

__all__ = ["Answers", "Remembered"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """One such answer. ``number`` counts those of a session from 1; ``rule`` says what it covers and
    whether it allows or denies; ``said_at`` is Unix time; ``process`` None means the whole session."""

    number: int
    rule: Rule
    said_at: float
    process: Process | None = None

    @property
    def reach(self) -> str:
        """``for this session``, ``for pid 4000 (npm install) and what it starts``."""
        if self.process is None:
            return "for this session"
        command = printable(self.process.command, 60)
        return f"for pid {self.process.pid} ({command}) and what it starts"

    @property
    def reason(self) -> str:
        """Who said so, and when, in local time: what the record says of an action that it answered."""
        verb = "allowed" if self.rule.decision is Decision.ALLOW else "denied"
        when = time.strftime("%H:%M:%S", time.localtime(self.said_at))
        return f"the operator {verb} it at {when} {self.reach}"

    def covers(self, action: Action) -> bool:
        """Whether it is an answer for whoever acts."""
        if self.process is None:
            return True
        wanted = (self.process.pid, self.process.start)
        return any((process.pid, process.start) == wanted for process in action.chain)

    def to_wire(self) -> list[Any]:
        process = self.process.to_wire() if self.process else None
        return [self.number, self.rule.to_wire(), self.said_at, process]

    @classmethod
    def from_wire(cls, data: list[Any]) -> Remembered:
        number, rule, said_at, process = data
        return cls(number, Rule.from_wire(rule), said_at, Process.from_wire(process) if process else None)


class Answers:
    """The answers that hold, the newest first: where two cover the same, the later one counts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: list[tuple[Remembered, dict[Kind, Compiled]]] = []

    def __iter__(self) -> Iterator[Remembered]:
        return iter([answer for answer, _ in self._known])

    def __len__(self) -> int:
        return len(self._known)

    def add(self, answer: Remembered) -> None:
        """Raises PolicyError for globs that cannot be understood; then nothing is remembered."""
        rule = answer.rule
        kinds = [kind for kind in Kind if rule.action in (None, kind)]
        compiled = {kind: Compiled(rule, kind, self._context, "answer") for kind in kinds}
        self._known.insert(0, (answer, compiled))

    def remove(self, number: int) -> Remembered | None:
        """Take answer ``number`` back; None when there is none."""
        for at, (answer, _) in enumerate(self._known):
            if answer.number == number:
                del self._known[at]
                return answer
        return None

    def use(self, answers: Iterable[Remembered]) -> None:
        """Hold exactly these, given as iteration gives them."""
        self._known.clear()
        for answer in reversed(list(answers)):
            self.add(answer)

    def find(self, action: Action, target: str, asked: Ruling) -> Ruling | None:
        """What was answered for this object of ``action``, about which ``asked`` asks; None: nothing."""
        for answer, compiled in self._known:
            one = compiled.get(action.kind)
            if one is None or not answer.covers(action) or not one.covers(target):
                continue
            decision = one.on(target).decision
            if decision is Decision.ASK or (decision is Decision.ALLOW and asked.guard):
                continue
            return Ruling(decision, Source.SESSION, asked.rule, asked.line, answer.reason)
        return None
