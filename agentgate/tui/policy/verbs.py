"""What the keys of the policy panel do: verbs and the effects that they ask for. Pure.

A change of a rule is for the rule that was under the cursor, and in sight, when the key was pressed:
``editing.py`` looks at that moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from agentgate.tui.inputs import Effect, Input
from agentgate.tui.modes import EDITORS, Cover
from agentgate.tui.state import State
from agentgate.tui.steps import Step, Verb

__all__ = [
    "PARTS",
    "VERBS",
    "ChangeRule",
    "CloseEditor",
    "EditorClosed",
    "EditorOpened",
    "OpenEditor",
    "RuleChange",
    "SaveEditor",
]

RuleChange = Literal["up", "down", "remove", "switch", "undo"]


@dataclass(frozen=True, slots=True)
class ChangeRule(Effect):
    """Change the rule under the cursor, or take the last change back; the key was pressed at ``at``."""

    how: RuleChange
    at: float


@dataclass(frozen=True, slots=True)
class OpenEditor(Effect):
    """Open ``cover`` for the chosen rule, or with ``new`` for one in front of it. `EditorOpened` is the
    answer, when it could be opened."""

    cover: Cover
    new: bool = False


@dataclass(frozen=True, slots=True)
class SaveEditor(Effect):
    """Write what is in the open editor."""


@dataclass(frozen=True, slots=True)
class CloseEditor(Effect):
    """Close the open editor; what would be lost is asked about first. `EditorClosed` is the answer."""


@dataclass(frozen=True, slots=True)
class EditorOpened(Input):
    cover: Cover


@dataclass(frozen=True, slots=True)
class EditorClosed(Input):
    pass


def _change(how: RuleChange) -> Verb:
    return lambda state, now: Step(state, (ChangeRule(how, now),))


def _ask(effect: Effect) -> Verb:
    return lambda state, now: Step(state, (effect,))


VERBS: dict[str, Verb] = {
    "rule-up": _change("up"),
    "rule-down": _change("down"),
    "rule-remove": _change("remove"),
    "rule-switch": _change("switch"),
    "rule-undo": _change("undo"),
    "rule-new": _ask(OpenEditor(Cover.RULE_FORM, new=True)),
    "rule-edit": _ask(OpenEditor(Cover.RULE_FORM)),
    "policy-text": _ask(OpenEditor(Cover.POLICY_TEXT)),
    "policy-program": _ask(OpenEditor(Cover.PROGRAM)),
    "save-editor": _ask(SaveEditor()),
    "close-editor": _ask(CloseEditor()),
}


def _closed(state: State, event: EditorClosed, now: float) -> Step:
    return Step(replace(state, cover=Cover.NONE) if state.cover in EDITORS else state)


PARTS: dict[type[Input], Callable[[State, Any, float], Step]] = {
    EditorOpened: lambda state, event, now: Step(replace(state, cover=event.cover)),
    EditorClosed: _closed,
}
