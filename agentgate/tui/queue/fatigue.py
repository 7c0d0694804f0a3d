"""How tired the operator may be: how often they decide, how fast, and what they allow over and over. Pure.

A screen that asks too much is answered without being read. So the header says how many decisions there were
in the last hour and how many of them came within a second of the question; and what was allowed `OFTEN`
times is offered as a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agentgate.actions import Answer, Source, Verdict
from agentgate.gate.events import Ask
from agentgate.policy.suggest import suggest

__all__ = ["OFTEN", "Pace", "offer"]

HOUR = 3600.0
QUICK = 1.0
"""Seconds from the question on the screen to the key: faster than it can be read."""
OFTEN = 5
_LONGEST = 2000
_KEPT = 500
"""Sorts of things that are counted; an agent can make as many as it likes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``times``: when each decision of the last hour was, and whether it was a quick one. ``allowed``: how
    often each sort of thing was, by the rule that would cover it."""

    times: tuple[tuple[float, bool], ...] = ()
    allowed: Mapping[tuple[str, ...], int] = field(default_factory=dict)

    def noted(self, ask: Ask, answer: Answer, shown: float | None, now: float) -> Pace:
        """With the operator's ``answer``; ``shown``: for how long the question had been on the screen. None:
        it was another one that was shown, and this was answered along with it."""
        if answer.source is not Source.OPERATOR:
            return self
        allowed = dict(self.allowed)
        if answer.verdict is Verdict.ALLOW and (name := sort(ask)):
            allowed[name] = allowed.pop(name, 0) + 1
            if len(allowed) > _KEPT:
                del allowed[next(iter(allowed))]
        if shown is None:
            return replace(self, allowed=allowed)
        times = (*(known for known in self.times if now - known[0] < HOUR), (now, shown < QUICK))
        return Pace(times[-9999:], allowed)

    def said(self, now: float) -> str:
        """``14/h, 3 under 1 s``; empty while there is nothing to be said."""
        recent = [quick for time, quick in self.times if now - time < HOUR]
        if not recent:
            return ""
        quick = sum(recent)
        return f"{len(recent)}/h" + (f", {quick} under 1 s" if quick else "")


def sort(ask: Ask) -> tuple[str, ...]:
    """What sort of thing it is: what "always" would cover. Empty for what can be no rule, and for what is
    too long to be done by habit."""
    if ask.ruling.source is Source.GUARD or len(ask.action.target) > _LONGEST:
        return ()
    return (ask.action.kind.value, *suggest(ask.action).targets)


def offer(pace: Pace, ask: Ask, keys: str) -> str:
    """What to say of a question that has just come onto the screen: that it could be a rule, each time that
    `OFTEN` more of its sort were allowed. ``keys`` opens the sheet of the rule."""
    times = pace.allowed.get(sort(ask), 0) if pace.allowed else 0
    if not times or times % OFTEN:
        return ""
    return f"{ask.action.target[:80]} allowed {times} times: {keys} writes a rule"
