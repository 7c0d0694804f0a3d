"""The agents of the room, as values: who they are, and how they are. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Agent", "changed", "find", "waits"]


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent, with a terminal of its own. ``pid`` is None until it runs; ``status`` is its exit status,
    None before its end; ``lost`` why its gate is gone, ``failed`` why it could not be started. ``waiting``
    of its questions wait."""

    name: str
    pid: int | None = None
    status: int | None = None
    lost: str = ""
    failed: str = ""
    waiting: int = 0

    @property
    def over(self) -> bool:
        """Whether nothing of it goes on."""
        return self.status is not None or bool(self.failed)

    @property
    def words(self) -> str:
        """How it is; empty while all is well."""
        if self.failed:
            return "not started"
        if self.lost:
            return "gate lost"
        return "" if self.status is None else f"ended, status {self.status}"


def find(agents: tuple[Agent, ...], name: str) -> int | None:
    """The place of agent ``name``. An empty name is the first one's."""
    if not name and agents:
        return 0
    return next((place for place, agent in enumerate(agents) if agent.name == name), None)


def changed(agents: tuple[Agent, ...], name: str, **fields: Any) -> tuple[Agent, ...]:
    """With these ``fields`` of agent ``name``; who was not known yet is the last from here on."""
    place = find(agents, name)
    if place is None:
        return (*agents, replace(Agent(name), **fields))
    return (*agents[:place], replace(agents[place], **fields), *agents[place + 1 :])


def waits(agents: tuple[Agent, ...], name: str, more: int) -> tuple[Agent, ...]:
    """With ``more`` questions of agent ``name`` that wait, or fewer."""
    place = find(agents, name)
    if place is None:
        return changed(agents, name, waiting=more) if name and more > 0 else agents
    return changed(agents, name, waiting=max(agents[place].waiting + more, 0))
