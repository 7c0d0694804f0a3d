"""Carries out what is asked for in the policy panel: each change is written at once, or refused, and why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentgate.gate.events import Notice
from agentgate.policy.errors import PolicyError
from agentgate.policy.model import Policy
from agentgate.policy.store import Check, PolicyFile
from agentgate.session import PolicyEdit
from agentgate.tui.inputs import Effect
from agentgate.tui.policy.verbs import ChangeRule

if TYPE_CHECKING:
    from agentgate.tui.performing import Handler, Performing

__all__ = ["HANDLERS", "too_early"]


def too_early(seconds: float) -> Notice:
    return Notice(f"read it first: a key counts once it was shown for {seconds:g} s")


def _change(to: Performing, effect: ChangeRule) -> None:
    """Change the rule that the panel shows under its cursor, which then is under it again."""
    panel, policy, arm = to.room.policy, to.session.policy, to.desk.state.arm
    rule, last = panel.chosen, len(policy.rules)
    if rule is None:
        to.desk.tell(Notice("the default is no rule: E edits the text of the file"))
        return
    number = rule.number
    step = {"up": -1, "down": 1}.get(effect.how, 0)
    if step and not 1 <= number + step <= last:
        to.desk.tell(Notice(f"rule {number} is the {'first' if step < 0 else 'last'} one"))
        return
    if not panel.armed(policy, effect.at, arm):
        to.desk.tell(too_early(arm))
        return

    def edit(file: PolicyFile, check: Check) -> Policy:
        if effect.how == "remove":
            return file.delete(number, check)
        if effect.how == "switch":
            return file.disable(number, not rule.disabled, check)
        return file.move(number, number + step, check)

    if _write(to, edit):
        done = to.session.policy_file.changes[-1].what
        to.session.hub.post(Notice(f"{done}; u takes it back"))
        to.desk.spawn(_say_what_follows(to, policy, done))


async def _say_what_follows(to: Performing, old: Policy, done: str) -> None:
    """Hold the change against the recorded past, and say so when that would have gone otherwise."""
    new = to.session.policy
    outcome = await asyncio.to_thread(to.overlay.trying().between, old, new)
    if outcome.words and to.session.policy is new:
        to.session.hub.post(Notice(f"{done}; {outcome.words}; u takes it back"))


def _undo(to: Performing, effect: ChangeRule) -> None:
    changes = to.session.policy_file.changes
    if not changes:
        to.desk.tell(Notice("nothing to take back: no rule was changed from here"))
        return
    done, arm = changes[-1].what, to.desk.state.arm
    if not to.room.policy.undo_armed(effect.at, arm):
        to.desk.tell(too_early(arm))
    elif _write(to, lambda file, check: file.undo(check)[1]):
        to.session.hub.post(Notice(f"taken back: {done}"))


def _write(to: Performing, edit: PolicyEdit) -> bool:
    """Whether the edit was made. What it makes of the file is shown at once."""
    try:
        to.session.edit_policy(edit)
    except (PolicyError, OSError) as error:
        to.desk.tell(Notice(f"nothing was changed: {error}", urgent=True))
        return False
    to.desk.show()
    return True


HANDLERS: dict[type[Effect], Handler] = {
    ChangeRule: lambda to, effect: (_undo if effect.how == "undo" else _change)(to, effect),
}
