"""One more agent in the room, and whose terminal is in view: what keys do about it, and what is told. Pure.

Only the operator changes what is in view. An agent that was asked for is in view at once, before it runs:
what is typed from then on is typed ahead for it, never into the one before. So one that cannot be started
keeps its place, too, and says so, until it is closed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from agentgate.tui.agents import roster as agents
from agentgate.tui.agents.roster import Agent
from agentgate.tui.history import ToLive
from agentgate.tui.inputs import Effect, Input
from agentgate.tui.modes import Cover
from agentgate.tui.prompt import LONGEST, Prompt
from agentgate.tui.state import LIVE, Hint, State
from agentgate.tui.steps import Purpose, Step, Verb, to_agent

__all__ = [
    "MOST",
    "PARTS",
    "PURPOSES",
    "VERBS",
    "AgentAdded",
    "AgentClosed",
    "AgentFailed",
    "AgentPicked",
    "CloseAgent",
    "CommandRefused",
    "StartAgent",
    "suggested",
    "to_number",
]

MOST = 9
"""Agents of one room: as many as keys that lead to them."""

PURPOSE = "new-agent"


@dataclass(frozen=True, slots=True)
class AgentPicked(Input):
    """A click on the name of agent ``name``."""

    name: str


@dataclass(frozen=True, slots=True)
class AgentAdded(Input):
    """Agent ``name`` has its terminal, and is being started."""

    name: str


@dataclass(frozen=True, slots=True)
class AgentFailed(Input):
    """Agent ``name`` could not be started, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class AgentClosed(Input):
    """Agent ``name`` has left the room."""

    name: str


@dataclass(frozen=True, slots=True)
class CommandRefused(Input):
    """There is no such command as was typed as ``text``, and why."""

    text: str
    why: str


@dataclass(frozen=True, slots=True)
class StartAgent(Effect):
    """Run one more agent: ``command``, which was typed as ``text``."""

    command: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class CloseAgent(Effect):
    """Take agent ``name``, which is over, and its terminal out of the room."""

    name: str


def suggested(command: tuple[str, ...]) -> str:
    """How ``command`` is typed; empty for one that no single line can say."""
    text = shlex.join(command)
    return text if text.isprintable() and len(text) <= LONGEST else ""


def _new(state: State, now: float) -> Step:
    if len(state.agents) >= MOST:
        return _say(state, f"{MOST} agents are as many as a room has keys for: close one that ended", now)
    hint = "the command of the agent to start beside this one"
    return Step(replace(state, hint=None, prompt=Prompt(PURPOSE, "new agent", state.command, hint=hint)))


def _entered(state: State, prompt: Prompt, now: float) -> Step:
    try:
        command = tuple(shlex.split(prompt.text))
    except ValueError as error:
        return _again(state, prompt, f"{str(error).lower()}: check its quotes and backslashes")
    if not command or not command[0]:
        return _again(state, prompt, "no command: type one, or esc")
    return Step(state, (StartAgent(command, prompt.text),))


def _again(state: State, prompt: Prompt, why: str) -> Step:
    return Step(replace(state, prompt=replace(prompt, error=why)))


def _refused(state: State, event: CommandRefused, now: float) -> Step:
    return _again(state, Prompt(PURPOSE, "new agent", event.text), event.why)


def _added(state: State, event: AgentAdded, now: float) -> Step:
    state = replace(state, agents=agents.changed(state.agents, event.name))
    return _shown(to_agent(state), event.name)


def _failed(state: State, event: AgentFailed, now: float) -> Step:
    state = replace(state, agents=agents.changed(state.agents, event.name, failed=event.why))
    close = f" ({state.keys.lead} k closes its terminal)"
    return Step(
        replace(state, hint=Hint(f"{event.name} was not started: {event.why}{close}", now, urgent=True))
    )


def _closed(state: State, event: AgentClosed, now: float) -> Step:
    place = agents.find(state.agents, event.name)
    if place is None:
        return Step(state)
    left = (*state.agents[:place], *state.agents[place + 1 :])
    state = replace(state, agents=left, hint=None)
    if state.shown == event.name and left:
        return _shown(state, left[min(place, len(left) - 1)].name)
    return Step(state)


def _picked(state: State, event: AgentPicked, now: float) -> Step:
    if state.cover is not Cover.NONE or state.prompt is not None:
        return Step(state)
    return _shown(to_agent(state), event.name)


def _shown(state: State, name: str) -> Step:
    if name == state.shown or not (state.reading or state.view.back):
        return Step(replace(state, shown=name))
    return Step(replace(state, shown=name, reading=False, view=LIVE), (ToLive(),))


def _say(state: State, text: str, now: float) -> Step:
    return Step(replace(state, hint=Hint(text, now)))


def to_number(state: State, number: int, now: float) -> Step:
    """The terminal of the agent with this number, counted from 1."""
    if number > len(state.agents):
        have = "is only one agent" if len(state.agents) < 2 else f"are only {len(state.agents)} agents"
        return _say(state, f"there is no agent {number}: there {have}", now)
    return _shown(replace(state, hint=None), state.agents[number - 1].name)


def _turn(by: int) -> Verb:
    def turn(state: State, now: float) -> Step:
        if len(state.agents) < 2:
            return _say(state, f"there is only one agent: {state.keys.lead} c starts another", now)
        place = agents.find(state.agents, state.shown) or 0
        return to_number(state, (place + by) % len(state.agents) + 1, now)

    return turn


def _close(state: State, now: float) -> Step:
    place = agents.find(state.agents, state.shown)
    if place is None or len(state.agents) < 2:
        return _say(state, "this is the only agent: q leaves the room", now)
    agent = state.agents[place]
    if not agent.over:
        return _say(state, f"{agent.name} still runs: end it in its terminal, then close it", now)
    if agent.waiting:
        return _say(state, f"{agent.name} still waits for {_answers(agent)}", now)
    return Step(state, (CloseAgent(agent.name),))


def _answers(agent: Agent) -> str:
    return "1 answer" if agent.waiting == 1 else f"{agent.waiting} answers"


VERBS: dict[str, Verb] = {
    "new-agent": _new,
    "next-agent": _turn(1),
    "previous-agent": _turn(-1),
    "close-agent": _close,
}
PURPOSES = {PURPOSE: Purpose(entered=_entered)}
PARTS: dict[type[Input], Callable[..., Step]] = {
    AgentAdded: _added,
    AgentFailed: _failed,
    AgentClosed: _closed,
    AgentPicked: _picked,
    CommandRefused: _refused,
}
