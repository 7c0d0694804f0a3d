"""What is done with a text that was typed: by the purpose of its prompt. Pure.

A verb opens one with ``replace(state, prompt=Prompt("queue-filter", "filter", state.filter))`` and the part
that it belongs to puts one line into `PURPOSES`.
"""

from __future__ import annotations

from dataclasses import replace

from agentgate.tui import history
from agentgate.tui.agents import switching
from agentgate.tui.answers import verbs as longer
from agentgate.tui.inputs import Pressed
from agentgate.tui.keys import palette
from agentgate.tui.keys.commands import Context
from agentgate.tui.prompt import Prompt, type_key
from agentgate.tui.queue import verbs as verbs_queue
from agentgate.tui.record import verbs as record_keys
from agentgate.tui.state import State
from agentgate.tui.steps import Purpose, Step

__all__ = ["PURPOSES", "Purpose", "changed", "typed"]

PURPOSES: dict[str, Purpose] = {
    **history.PURPOSES,
    **longer.PURPOSES,
    **palette.PURPOSES,
    **switching.PURPOSES,
    **verbs_queue.PURPOSES,
    **record_keys.PURPOSES,
}


def typed(state: State, event: Pressed, now: float) -> Step | None:
    """What a key does to the open prompt. None: nothing is open."""
    prompt = state.prompt
    if prompt is None:
        return None
    purpose = PURPOSES[prompt.purpose]
    if purpose.keys and event.key in purpose.keys:
        return purpose.keys[event.key](state, prompt, now)
    command = state.keys.find(Context.PROMPT, event.key)
    if command is not None:
        shut = replace(state, prompt=None)
        doing = purpose.entered if command.id == "enter-text" else purpose.closed
        return doing(shut, prompt, now) if doing else Step(shut)
    after = type_key(prompt, event.key, event.character)
    return changed(state, after, now) if after is not None else Step(state)


def changed(state: State, prompt: Prompt, now: float) -> Step:
    """The open prompt is ``prompt`` from now on."""
    before, state = state.prompt, replace(state, prompt=prompt)
    purpose = PURPOSES[prompt.purpose]
    if purpose.changed is None or (before is not None and before.text == prompt.text):
        return Step(state)
    return purpose.changed(state, prompt, now)
