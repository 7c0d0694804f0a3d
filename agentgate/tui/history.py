"""Reading in the agent's terminal with keys: what they do to the state, and what is said of it. Pure.

After the leader, ``[`` begins; the keys are the operator's then, until escape. The wheel goes back in
history without that: there the next key is the agent's and returns to the live screen. Both is said in the
bottom line, which is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import get_args

from agentgate.tui.ink import Ink, Line, clip, outside
from agentgate.tui.inputs import Effect, Input
from agentgate.tui.prompt import Prompt
from agentgate.tui.state import LIVE, State
from agentgate.tui.steps import Purpose, Step, Verb, to_agent
from agentgate.tui.terminal.view import Reads, View

__all__ = [
    "PARTS",
    "PURPOSES",
    "VERBS",
    "Copy",
    "Find",
    "Pick",
    "Read",
    "ToLive",
    "Unselect",
    "Viewed",
    "mark",
]

NEEDLE_CELLS = 20


@dataclass(frozen=True, slots=True)
class Viewed(Input):
    """What the terminal shows of its history, for `State.view`."""

    view: View


@dataclass(frozen=True, slots=True)
class Read(Effect):
    """Begin to read, or do ``what`` a key of reading means."""

    what: Reads | None = None


@dataclass(frozen=True, slots=True)
class Find(Effect):
    """Search the terminal for ``needle``."""

    needle: str


@dataclass(frozen=True, slots=True)
class Copy(Effect):
    """Copy what is selected in the terminal."""


@dataclass(frozen=True, slots=True)
class Pick(Effect):
    """Take the link under the cursor in the terminal."""


@dataclass(frozen=True, slots=True)
class Unselect(Effect):
    """Select nothing in the terminal."""


@dataclass(frozen=True, slots=True)
class ToLive(Effect):
    """Show the live screen."""


def _read(state: State, now: float) -> Step:
    return Step(replace(to_agent(state), reading=True), (Read(),))


def _do(what: Reads) -> Verb:
    return lambda state, now: Step(state, (Read(what),))


def _search(state: State, now: float) -> Step:
    prompt = Prompt("history", "search", hint="what to look for, from the last line back")
    return Step(replace(state, prompt=prompt, hint=None))


def _searched(state: State, prompt: Prompt, now: float) -> Step:
    return Step(state, (Find(prompt.text),))


def _back(state: State, now: float) -> Step:
    """End the selection if there is one, else go back to the agent."""
    return Step(state, (Unselect(),)) if state.view.selecting else _quit(state, now)


def _quit(state: State, now: float) -> Step:
    return Step(replace(state, reading=False, view=LIVE, hint=None), (ToLive(),))


def _viewed(state: State, event: Viewed, now: float) -> Step:
    return Step(replace(state, view=event.view))


VERBS: dict[str, Verb] = {
    "read": _read,
    "read-search": _search,
    "read-copy": lambda state, now: Step(state, (Copy(),)),
    "read-open": lambda state, now: Step(state, (Pick(),)),
    "read-back": _back,
    "read-quit": _quit,
    "read-leader": lambda state, now: Step(replace(state, leader=True, hint=None)),
    **{f"read-{what}": _do(what) for what in get_args(Reads)},
}
PURPOSES = {"history": Purpose(entered=_searched)}
PARTS: dict[type[Input], Callable[..., Step]] = {Viewed: _viewed}


def mark(state: State) -> Line:
    """Says that history is shown, how far back, and what was found; empty while the live screen is shown."""
    view = state.view
    if not state.reading and not view.back:
        return ()
    words: list[Line] = []
    if view.needle:
        needle = clip(outside(view.needle), NEEDLE_CELLS)
        found = f"{view.match} of {view.matches}" if view.matches else "not found"
        words.append(((f"{needle}: {found}  ", Ink.WAIT),))
    if view.selecting:
        words.append((("selecting  ", Ink.WAIT),))
    lines = "1 line" if view.back == 1 else f"{view.back} lines"
    text = f"history, {lines} back" if view.back else "history, at its end"
    if view.alternate:
        text = "this program has no history"
    returns = "esc returns" if state.reading else "a key for the agent returns"
    return (*sum(words, ()), (f" {text}; {returns} ", Ink.CONTROL))
