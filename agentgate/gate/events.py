"""What the gate tells the rest of the house, as messages."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass

from agentgate.actions import Action, Answer, Ruling
from agentgate.audit.record import Record

__all__ = [
    "AgentEnded",
    "AgentLeft",
    "AgentStarted",
    "Ask",
    "Asked",
    "Decided",
    "Event",
    "GateLost",
    "Hub",
    "Notice",
    "PolicyChanged",
    "Settled",
    "Withdrawn",
]


@dataclass(frozen=True, slots=True)
class Ask:
    """One question. ``number`` is unique in the session and grows; ``since`` is ``time.monotonic()``
    seconds; ``gate`` is kernel, shim or proxy; ``agent`` the name of the one that asks."""

    number: int
    action: Action
    ruling: Ruling
    since: float
    gate: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question joined the end of the queue."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Settled:
    """A question was answered, by whomever; it is no longer pending."""

    ask: Ask
    answer: Answer


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Nobody waits for the answer any more: the process ended or its client went away."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Decided:
    """Decisions for the record, oldest first: with and without a question."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """A new policy is in force (or, with ``error``, was refused and the old one stays)."""

    label: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class AgentStarted:
    pid: int
    agent: str = ""


@dataclass(frozen=True, slots=True)
class AgentEnded:
    """``status`` as a shell would say it: 0-255, or 128 + signal number."""

    status: int
    agent: str = ""


@dataclass(frozen=True, slots=True)
class AgentLeft:
    """The agent ended with ``status``, but ``left`` processes that it started go on, as was asked for; gated
    as before. AgentEnded comes with the end of the last."""

    status: int
    left: int
    agent: str = ""

    @property
    def words(self) -> str:
        what = "process that it started goes on" if self.left == 1 else "processes that it started go on"
        return f"the agent ended with status {self.status}; {self.left} {what}, gated"


@dataclass(frozen=True, slots=True)
class GateLost:
    """The agent's gate can no longer decide; all that it waited for was denied and its tree is ended."""

    reason: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the operator should read: one line, already safe to show."""

    text: str
    urgent: bool = False


Event = (
    Asked | Settled | Withdrawn | Decided | PolicyChanged | AgentStarted | AgentEnded | AgentLeft | GateLost
    | Notice
)  # fmt: skip


class Hub:
    """Fans events out to every subscriber, in order, without ever waiting for one."""

    def __init__(self) -> None:
        self._queues: list[asyncio.Queue[Event]] = []

    def subscribe(self) -> asyncio.Queue[Event]:
        """A queue that receives every event posted from now on."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        self._queues.append(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[Event]) -> None:
        with contextlib.suppress(ValueError):
            self._queues.remove(queue)

    def post(self, event: Event) -> None:
        for queue in self._queues:
            queue.put_nowait(event)
