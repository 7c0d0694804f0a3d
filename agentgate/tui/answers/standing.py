"""The answers that hold without a rule: listed over the room, each to be taken back. Pure.

The list in the state is the one that is shown: a key means the answer that was under it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agentgate.gate.remembered import Remembered
from agentgate.tui import words
from agentgate.tui.ink import Ink, Line, clip, outside, spread, width
from agentgate.tui.inputs import Effect, Input
from agentgate.tui.modes import Cover
from agentgate.tui.state import State
from agentgate.tui.steps import Step, Verb

__all__ = ["PARTS", "VERBS", "Standing", "TakeBack", "standing_lines"]


@dataclass(frozen=True, slots=True)
class Standing(Input):
    """The answers that hold now, the newest first."""

    answers: tuple[Remembered, ...]


@dataclass(frozen=True, slots=True)
class TakeBack(Effect):
    """Let answer ``number`` hold no more."""

    number: int


def _at(state: State) -> int:
    return min(state.choice, max(len(state.standing) - 1, 0))


def _moved(by: int) -> Verb:
    def move(state: State, now: float) -> Step:
        last = max(len(state.standing) - 1, 0)
        return Step(replace(state, choice=min(max(_at(state) + by, 0), last)))

    return move


def _take_back(state: State, now: float) -> Step:
    if not state.standing:
        return Step(state)
    return Step(state, (TakeBack(state.standing[_at(state)].number),))


VERBS: dict[str, Verb] = {
    "answers": lambda state, now: Step(replace(state, cover=Cover.ANSWERS, choice=0)),
    "next-answer": _moved(1),
    "previous-answer": _moved(-1),
    "take-back": _take_back,
}


def _hold(state: State, event: Standing, now: float) -> Step:
    state = replace(state, standing=event.answers)
    return Step(replace(state, choice=_at(state)) if state.cover is Cover.ANSWERS else state)


PARTS: dict[type[Input], Callable[[State, Any, float], Step]] = {Standing: _hold}


def standing_lines(state: State, key: str, cells: int) -> tuple[list[Line], int | None]:
    """One line for each answer and what it reaches, and the place of the chosen one; ``key`` takes back."""
    if not state.standing:
        return [(("no answer holds for longer than once; rules stand in the policy panel", Ink.DIM),)], None
    lines: list[Line] = []
    for answer in state.standing:
        mark, ink = words.decision_mark(answer.rule.decision)
        kind = f" {answer.rule.action or 'any'} "
        right: Line = ((f" {clip(outside(answer.reach, 200), cells // 2)}", Ink.DIM),)
        left: Line = ((words.clock(answer.said_at), Ink.DIM), (f" {mark}", ink), (kind, Ink.DIM))
        targets = outside(" | ".join(answer.rule.targets) or "whatever it runs", 400)
        room = cells - width(left) - width(right) - 1
        lines.append(spread((*left, (clip(targets, room), Ink.STRONG)), right, cells))
    lines += [(), ((key, Ink.KEY), (" takes the chosen one back; ", Ink.DIM), (_ENDS, Ink.DIM))]
    return lines, _at(state)


_ENDS = "all end with the session"
