"""What the keys of the policy panel do: verbs and the effects that they ask for. Pure.

A change of a rule is for the rule that was under the cursor, and in sight, when the key was pressed:
``editing.py`` looks at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentgate.tui.inputs import Effect
from agentgate.tui.state import State
from agentgate.tui.steps import Step, Verb

__all__ = ["VERBS", "ChangeRule", "RuleChange"]

RuleChange = Literal["up", "down", "remove", "switch", "undo"]


@dataclass(frozen=True, slots=True)
class ChangeRule(Effect):
    """Change the rule under the cursor, or take the last change back; the key was pressed at ``at``."""

    how: RuleChange
    at: float


def _change(how: RuleChange) -> Verb:
    def verb(state: State, now: float) -> Step:
        return Step(state, (ChangeRule(how, now),))

    return verb


VERBS: dict[str, Verb] = {
    "rule-up": _change("up"),
    "rule-down": _change("down"),
    "rule-remove": _change("remove"),
    "rule-switch": _change("switch"),
    "rule-undo": _change("undo"),
}
