"""What becomes of a key: a letter of the text that is typed, a command of the table, or nothing."""

from __future__ import annotations

from dataclasses import replace

from agentgate.tui.agents import switching
from agentgate.tui.inputs import Pressed, SendLeader
from agentgate.tui.keys import commands
from agentgate.tui.keys.commands import Context
from agentgate.tui.purposes import typed
from agentgate.tui.state import Hint, State
from agentgate.tui.steps import Step
from agentgate.tui.verbs import VERBS

__all__ = ["press"]


def press(state: State, event: Pressed, now: float) -> Step:
    if (taken := typed(state, event, now)) is not None:
        return taken
    key, context = event.key, state.context
    if context is None:
        return Step(replace(state, leader=True, hint=None) if key in state.keys.leaders else state)
    command = state.keys.find(context, key)
    after_leader = context is Context.LEADER
    if after_leader:
        state = replace(state, leader=False)
    if command is None:
        if after_leader:
            name = commands.key_label(key)
            text = f"{state.keys.lead} {name} means nothing; nothing was sent"
            return Step(replace(state, hint=Hint(text, now)))
        return Step(state)
    if command.id == "send-leader":
        return Step(state, (SendLeader(key),))
    if command.id == "to-agent":
        return switching.to_number(state, command.keys.index(key) + 1, now)
    return VERBS[command.id](state, now)
