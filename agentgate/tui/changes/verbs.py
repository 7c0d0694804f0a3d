"""The files panel's keys: how a file differs, and taking changes back. Pure.

Taking back asks once, and names what it is about: what was chosen when the key was pressed, whatever the list
does meanwhile. The question is one of ``checks.py``: a yes counts once it was on the screen for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agentgate.tui.inputs import Effect, Input
from agentgate.tui.modes import Cover
from agentgate.tui.state import Hint, State
from agentgate.tui.steps import Step, Verb

__all__ = ["PARTS", "VERBS", "AskBack", "DiffShown", "Differ", "NoFile"]


@dataclass(frozen=True, slots=True)
class Differ(Effect):
    """Show how the chosen file differs: `DiffShown` or `NoFile` is the answer."""


@dataclass(frozen=True, slots=True)
class AskBack(Effect):
    """Find out what would be taken back, the chosen row or ``all``: a `Check` or `NoFile` is the answer."""

    all: bool


@dataclass(frozen=True, slots=True)
class DiffShown(Input):
    """There is a difference to show."""


@dataclass(frozen=True, slots=True)
class NoFile(Input):
    """Neither, and why."""

    why: str


def _differs(state: State, event: DiffShown, now: float) -> Step:
    free = state.cover is Cover.NONE and state.prompt is None
    return Step(replace(state, cover=Cover.DIFF) if free else state)


def _why(state: State, event: NoFile, now: float) -> Step:
    return Step(replace(state, hint=Hint(event.why, now)))


PARTS: dict[type[Input], Callable[..., Step]] = {
    DiffShown: _differs,
    NoFile: _why,
}

VERBS: dict[str, Verb] = {
    "file-back": lambda state, now: Step(state, (AskBack(all=False),)),
    "files-back": lambda state, now: Step(state, (AskBack(all=True),)),
}
