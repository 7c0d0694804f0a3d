"""The gate as one agent's catchers see it: what comes in here is this agent's, and can be closed alone.

A room has one gate and one numbering of questions, whoever asks. Every agent in it has an entrance of its
own, so that no catcher has to remember whose questions it brings, and that the end of one agent's gate
denies what that agent waits for and nothing else.
"""

from __future__ import annotations

from agentgate.actions import Action, Answer, Ruling
from agentgate.gate.decide import Decider
from agentgate.gate.events import Event
from agentgate.gate.gate import Gate

__all__ = ["Entrance"]


class Entrance:
    """``agent`` is the agent's name, which every question and every record from here bears."""

    def __init__(self, gate: Gate, agent: str) -> None:
        self._gate = gate
        self.agent = agent

    @property
    def decider(self) -> Decider:
        return self._gate.decider

    async def decide(self, action: Action, gate: str) -> Answer:
        """As ``Gate.decide``."""
        return await self._gate.decide(action, gate, self.agent)

    async def ask(self, action: Action, ruling: Ruling, gate: str) -> Answer:
        """As ``Gate.ask``."""
        return await self._gate.ask(action, ruling, gate, self.agent)

    def refuse(self, action: Action, gate: str, why: str) -> Answer:
        """As ``Gate.refuse``."""
        return self._gate.refuse(action, gate, why, self.agent)

    def post(self, event: Event) -> None:
        """Tell the house."""
        self._gate.hub.post(event)

    def close(self, why: str) -> None:
        """Deny what this agent waits for and whatever it will ask, and say ``why``."""
        self._gate.close(why, agent=self.agent)
