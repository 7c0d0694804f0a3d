"""The line over the agents' terminals, where there is more than one: who there is, how they are, who waits.

As it gets narrow: names are cut, then agents out of view are only numbers, then what is far from the one in
view is left out.
"""

from __future__ import annotations

from collections.abc import Callable

from agentgate.tui.agents.roster import Agent
from agentgate.tui.ink import Ink, Line, clip, fit, outside, width
from agentgate.tui.state import State

__all__ = ["at", "line"]

Tab = tuple[str, Line]
"""An agent's name, and what is written for it."""

_NAMES = (40, 16, 8)


def _marks(agent: Agent, words: bool) -> Line:
    line: list[tuple[str, Ink]] = []
    if agent.failed or agent.lost:
        line.append((f"✗ {agent.words} " if words else "✗ lost " if agent.lost else "✗ failed ", Ink.DENY))
    elif agent.status is not None:
        line.append((f"■ {agent.words} " if words else "■ ended ", Ink.DIM))
    elif agent.pid is None:
        line.append(("… starts " if words else "… ", Ink.DIM))
    elif words:
        line.append(("● runs ", Ink.DIM))
    if agent.waiting:
        line.append((f"? {agent.waiting} waiting " if words else f"? {agent.waiting} ", Ink.WAIT))
    return tuple(line)


def _tab(number: int, agent: Agent, here: bool, named: int, words: bool) -> Line:
    name = f"{number} {clip(outside(agent.name, 200), named)}" if named else f"{number}"
    head = (f"[{name}]", Ink.AGENT) if here else (f" {name} ", Ink.PLAIN)
    return (head, (" ", Ink.PLAIN), *_marks(agent, words))


def _tabs(state: State, cells: int) -> list[Tab]:
    def made(named: Callable[[bool], int], words: bool) -> list[Tab]:
        return [
            (
                agent.name,
                _tab(number, agent, agent.name == state.shown, named(agent.name == state.shown), words),
            )
            for number, agent in enumerate(state.agents, 1)
        ]

    tabs: list[Tab] = []
    for most in _NAMES:
        for words in (True, False):
            tabs = made(lambda here, most=most: most, words)  # type: ignore[misc]
            if _width(tabs) <= cells:
                return tabs
    tabs = made(lambda here: _NAMES[-1] if here else 0, False)
    here = next((place for place, (name, _) in enumerate(tabs) if name == state.shown), 0)
    while len(tabs) > 1 and _width(tabs) > cells:
        if here > len(tabs) - 1 - here:
            del tabs[0]
            here -= 1
        else:
            del tabs[-1]
    return tabs


def _width(tabs: list[Tab]) -> int:
    return sum(width(line) for _, line in tabs)


def line(state: State, cells: int) -> Line:
    return fit(sum((written for _, written in _tabs(state, cells)), ()), cells)


def at(state: State, cells: int, x: int) -> str | None:
    """The name of the agent that is written at column ``x``."""
    right = 0
    for name, written in _tabs(state, cells):
        right += width(written)
        if x < right:
            return name
    return None
