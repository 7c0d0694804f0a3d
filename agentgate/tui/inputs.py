"""What the room's state machine is told, and what it asks to be done (``step.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentgate.actions import Verdict
from agentgate.gate.events import Event
from agentgate.tui.modes import Panel

__all__ = [
    "AlwaysRefused",
    "AskAlways",
    "Clicked",
    "Drawn",
    "Effect",
    "Examine",
    "Give",
    "Happening",
    "HintOver",
    "Input",
    "Leave",
    "Move",
    "Moves",
    "Pressed",
    "Quit",
    "Resized",
    "SendLeader",
    "SheetReady",
    "Subject",
    "WriteFailed",
    "WriteRule",
]

Moves = Literal["next", "previous", "page-down", "page-up", "first", "last"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a verdict key would be about: a question, or the sheet with a rule for it."""

    number: int
    sheet: bool = False


# What comes in, besides the gate's own events


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key, by Textual's name."""

    key: str


@dataclass(frozen=True, slots=True)
class Clicked:
    """A click on a panel (and there on question ``number``, if on one), or with None on the terminal."""

    panel: Panel | None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Drawn:
    """``subject`` is on the screen now."""

    subject: Subject


@dataclass(frozen=True, slots=True)
class Resized:
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SheetReady:
    """There is a rule to show for question ``number``."""

    number: int


@dataclass(frozen=True, slots=True)
class AlwaysRefused:
    """ "Always" cannot be offered, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class WriteFailed:
    """The rule could not be written, and why. The question still waits."""

    why: str


@dataclass(frozen=True, slots=True)
class HintOver:
    """The hint that came up at ``at`` was there long enough."""

    at: float


Input = Pressed | Clicked | Drawn | Resized | SheetReady | AlwaysRefused | WriteFailed | HintOver
Happening = Event | Input


# What goes out


@dataclass(frozen=True, slots=True)
class Give:
    """Answer question ``number``."""

    number: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class AskAlways:
    """Find out whether "always" can be offered: `SheetReady` or `AlwaysRefused` is the answer."""

    number: int


@dataclass(frozen=True, slots=True)
class WriteRule:
    """Write the rule that the sheet shows for question ``number``."""

    number: int


@dataclass(frozen=True, slots=True)
class SendLeader:
    """Send the leader itself to the agent."""


@dataclass(frozen=True, slots=True)
class Move:
    """Move within ``panel``, or with None within the cover."""

    panel: Panel | None
    how: Moves


@dataclass(frozen=True, slots=True)
class Leave:
    """The agent ended and nothing waits: leave once its last output is drawn."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave now; the agent, if it still runs, is ended."""


@dataclass(frozen=True, slots=True)
class Examine:
    """Find out what holds on this machine, for the cover that shows it."""


Effect = Give | AskAlways | WriteRule | SendLeader | Move | Leave | Quit | Examine
