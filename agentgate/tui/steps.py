"""What a step of the room gives, and the small steps that verbs are made of. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from agentgate.tui.inputs import Effect
from agentgate.tui.modes import LOGS, Mode, Panel
from agentgate.tui.prompt import Prompt
from agentgate.tui.state import Hint, State

__all__ = [
    "Doing",
    "Purpose",
    "Step",
    "Verb",
    "just",
    "to_agent",
    "to_control",
    "to_panel",
    "when_armed",
    "why_not",
]


@dataclass(frozen=True, slots=True)
class Step:
    state: State
    effects: tuple[Effect, ...] = ()


def to_control(state: State) -> State:
    """CONTROL begins with the question that AGENT mode showed, so that it stays under the keys."""
    if state.mode is Mode.CONTROL:
        return state
    return replace(state, mode=Mode.CONTROL, leader=False, selected=state.current)


def to_agent(state: State) -> State:
    return replace(state, mode=Mode.AGENT, leader=False, zoom=False)


def to_panel(state: State, panel: Panel) -> State:
    log = panel if panel in LOGS else state.log
    return replace(state, panel=panel, log=log)


Doing = Callable[[State, Prompt, float], Step]


@dataclass(frozen=True, slots=True)
class Purpose:
    """``entered``: on enter, with the prompt closed already (put it back with an ``error`` to refuse the
    text). ``changed``: after every change, for what is shown while one types. ``closed``: on escape.
    ``keys``: what other keys do, by name, while it is open (a list that one moves in)."""

    entered: Doing
    changed: Doing | None = None
    closed: Doing | None = None
    keys: Mapping[str, Doing] | None = None


Verb = Callable[[State, float], Step]
"""What a command does to a state; the second is the moment of the key press."""


def when_armed(state: State, now: float, effect: Callable[[int], Effect]) -> Step:
    """``effect`` on the subject, or a hint why not."""
    text = why_not(state, now)
    if not text and state.subject is not None:
        if not state.subject.whole:
            return Step(replace(state, hint=None), (effect(state.subject.number),))
        text = "it is folded: → shows the actions"
    return Step(replace(state, hint=Hint(text, now)))


def why_not(state: State, now: float) -> str:
    """Why a verdict key does not count, empty when it does."""
    if state.gone:
        return "the gate is gone: everything is denied"
    if not state.asks and state.sheet is None:
        return "nothing waits"
    if state.current is None and state.board.filter and state.sheet is None:
        return f"the filter hides {len(state.asks)}: esc clears it"
    if state.subject is None:
        return "the action is not on the screen: 1 shows it"
    if not state.armed(now):
        return f"read it first: a key counts once it was shown for {state.arm:g} s"
    return ""


def just(**fields: object) -> Verb:
    return lambda state, now: Step(replace(state, **fields))  # type: ignore[arg-type]
