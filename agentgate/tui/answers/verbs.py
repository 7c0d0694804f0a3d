"""The keys whose answers hold longer than once: what they do to the state, and what they ask for. Pure.

``s`` and ``t`` answer at once what is suggested; ``A`` and ``D`` open the sheet, where how far and how long
is chosen, and ``enter`` takes what it shows; ``u`` takes the last such answer back. Whatever is chosen on
the sheet counts as another thing under the keys: it has to be seen before it is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agentgate.actions import Decision
from agentgate.policy.spans import Span
from agentgate.tui.answers.sheet import Sheet
from agentgate.tui.inputs import AskAlways, Effect, Input, SheetReady, WriteFailed, WriteRule
from agentgate.tui.modes import Cover
from agentgate.tui.prompt import Prompt
from agentgate.tui.state import State
from agentgate.tui.steps import Purpose, Step, Verb, when_armed

__all__ = [
    "PARTS",
    "PURPOSES",
    "VERBS",
    "CheckGlob",
    "Counted",
    "ForProcess",
    "ForSession",
    "GlobChecked",
    "GlobTaken",
    "TakeGlob",
    "Undo",
    "closed",
]

_GLOB = "sheet-glob"


@dataclass(frozen=True, slots=True)
class ForSession(Effect):
    """Allow question ``number``, and what is suggested for it for this session."""

    number: int


@dataclass(frozen=True, slots=True)
class ForProcess(Effect):
    """Allow question ``number`` to its process and what that starts."""

    number: int


@dataclass(frozen=True, slots=True)
class Undo(Effect):
    """Take the last rule or answer of this session back."""


@dataclass(frozen=True, slots=True)
class CheckGlob(Effect):
    """Find out whether the glob that is being typed will do: `GlobChecked` is the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TakeGlob(Effect):
    """Put the typed glob on the sheet: `GlobTaken`, or `GlobChecked` with what is wrong with it."""

    text: str


@dataclass(frozen=True, slots=True)
class Counted(Input):
    """What the scopes of question ``number`` would have matched in the recorded past."""

    number: int
    past: Mapping[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class GlobChecked(Input):
    """What is wrong with the glob ``text``, if anything."""

    number: int
    text: str
    flaw: str


@dataclass(frozen=True, slots=True)
class GlobTaken(Input):
    """What the typed glob comes to."""

    number: int
    targets: tuple[str, ...]


def closed(state: State) -> State:
    """Without the sheet and what is typed into it."""
    prompt = None if state.prompt and state.prompt.purpose == _GLOB else state.prompt
    return replace(state, cover=Cover.NONE, sheet=None, prompt=prompt)


def _on_sheet(change: Callable[[Sheet], Sheet]) -> Verb:
    def verb(state: State, now: float) -> Step:
        return Step(replace(state, sheet=change(state.sheet)) if state.sheet else state)

    return verb


def _span(span: Span) -> Verb:
    return _on_sheet(lambda sheet: sheet.lasting(span))


def _edit(state: State, now: float) -> Step:
    """Type the glob: the widest of the chosen ones, which says most of what is meant."""
    sheet = state.sheet
    if sheet is None:
        return Step(state)
    hint = "* stands for anything"
    return Step(
        replace(state, prompt=Prompt(_GLOB, "glob", sheet.targets[-1], about=sheet.number, hint=hint))
    )


VERBS: dict[str, Verb] = {
    "session": lambda state, now: when_armed(state, now, ForSession),
    "process": lambda state, now: when_armed(state, now, ForProcess),
    "always": lambda state, now: when_armed(state, now, AskAlways),
    "deny-always": lambda state, now: when_armed(state, now, lambda n: AskAlways(n, Decision.DENY)),
    "undo": lambda state, now: Step(state, (Undo(),)),
    "write": lambda state, now: when_armed(state, now, WriteRule),
    "wider": _on_sheet(lambda sheet: sheet.moved(1)),
    "narrower": _on_sheet(lambda sheet: sheet.moved(-1)),
    "longer": _on_sheet(lambda sheet: sheet.lasting(sheet.span.moved(1))),
    "shorter": _on_sheet(lambda sheet: sheet.lasting(sheet.span.moved(-1))),
    "edit-glob": _edit,
    **{f"span-{place}": _span(span) for place, span in enumerate(Span, 1)},
}


def _ready(state: State, event: SheetReady, now: float) -> Step:
    if state.ask(event.sheet.number) is None or state.cover is not Cover.NONE:
        return Step(state)
    return Step(replace(state, cover=Cover.SHEET, sheet=event.sheet))


def _failed(state: State, event: WriteFailed, now: float) -> Step:
    return Step(replace(state, sheet=replace(state.sheet, error=event.why)) if state.sheet else state)


def _counted(state: State, event: Counted, now: float) -> Step:
    sheet = state.sheet
    if sheet is None or sheet.number != event.number:
        return Step(state)
    return Step(replace(state, sheet=replace(sheet, past={**sheet.past, **event.past})))


def _checked(state: State, event: GlobChecked, now: float) -> Step:
    prompt = state.prompt
    typed = prompt and (prompt.purpose, prompt.about, prompt.text) == (_GLOB, event.number, event.text)
    return Step(replace(state, prompt=replace(prompt, error=event.flaw)) if prompt and typed else state)


def _taken(state: State, event: GlobTaken, now: float) -> Step:
    sheet, prompt = state.sheet, state.prompt
    if sheet is None or sheet.number != event.number:
        return Step(state)
    prompt = None if prompt and prompt.purpose == _GLOB else prompt
    return Step(replace(state, sheet=sheet.with_typed(event.targets), prompt=prompt))


PARTS: dict[type[Input], Callable[[State, Any, float], Step]] = {
    SheetReady: _ready,
    WriteFailed: _failed,
    Counted: _counted,
    GlobChecked: _checked,
    GlobTaken: _taken,
}

PURPOSES = {
    _GLOB: Purpose(
        # It stays open until it is known that the glob will do.
        entered=lambda state, prompt, now: Step(replace(state, prompt=prompt), (TakeGlob(prompt.text),)),
        changed=lambda state, prompt, now: Step(state, (CheckGlob(prompt.text),)),
    )
}
