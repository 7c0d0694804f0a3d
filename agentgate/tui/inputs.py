"""What the room's state machine is told, and what it asks to be done (``step.py``).

What only one part of the room tells or asks for may stand in that part's own module: an `Input` is handled
by the table of ``step.py``, an `Effect` by that of ``performing.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agentgate.actions import Decision, Verdict
from agentgate.gate.events import Event
from agentgate.tui.answers.sheet import Sheet
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
    "Pasted",
    "Pressed",
    "Quit",
    "Resized",
    "SendLeader",
    "SetTheme",
    "SheetReady",
    "Subject",
    "WriteFailed",
    "WriteRule",
]

Moves = Literal["next", "previous", "page-down", "page-up", "first", "last"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What a verdict key would be about: a question, or the sheet with a rule for it, and there what is
    chosen on it, or (``end``) the ending of its process. ``whole``: the folded command that it stands for.
    ``marks`` are the cards that are marked, each with the newest question it had then: while there are any,
    a verdict is about those."""

    number: int
    sheet: bool = False
    choice: str = ""
    end: bool = False
    whole: bool = False
    marks: frozenset[tuple[int, int]] = frozenset()


# What comes in, besides the gate's own events


class Input:
    """Whatever the room tells its state machine."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Pressed(Input):
    """A key, by Textual's name, and what it types, if anything (left out: a name of one letter is it)."""

    key: str
    character: str | None = None


@dataclass(frozen=True, slots=True)
class Pasted(Input):
    """A text that was pasted while the room has the keys."""

    text: str


@dataclass(frozen=True, slots=True)
class Clicked(Input):
    """A click on a panel (and there on question ``number``, if on one), or with None on the terminal."""

    panel: Panel | None
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Drawn(Input):
    """``subject`` is on the screen now, with its questions up to number ``upto`` (0: all)."""

    subject: Subject
    upto: int = 0


@dataclass(frozen=True, slots=True)
class Resized(Input):
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class SheetReady(Input):
    """There is a rule to show."""

    sheet: Sheet


@dataclass(frozen=True, slots=True)
class AlwaysRefused(Input):
    """ "Always" cannot be offered, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class WriteFailed(Input):
    """The rule could not be written, and why. The question still waits."""

    why: str


@dataclass(frozen=True, slots=True)
class HintOver(Input):
    """The hint that came up at ``at`` was there long enough."""

    at: float


Happening = Event | Input


# What goes out


class Effect:
    """Whatever the state machine asks to be done."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Give(Effect):
    """Answer question ``number``; ``note`` is for the agent to read."""

    number: int
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, slots=True)
class AskAlways(Effect):
    """Find out whether "always" can be offered: `SheetReady` or `AlwaysRefused` is the answer."""

    number: int
    decision: Decision = Decision.ALLOW


@dataclass(frozen=True, slots=True)
class WriteRule(Effect):
    """Answer question ``number`` as the sheet says."""

    number: int


@dataclass(frozen=True, slots=True)
class SendLeader(Effect):
    """Send the leader, by its name, to the agent."""

    key: str


@dataclass(frozen=True, slots=True)
class Move(Effect):
    """Move within ``panel``, or with None within the cover."""

    panel: Panel | None
    how: Moves


@dataclass(frozen=True, slots=True)
class Leave(Effect):
    """The agent ended and nothing waits: leave once its last output is drawn."""


@dataclass(frozen=True, slots=True)
class Quit(Effect):
    """Leave now; the agent, if it still runs, is ended."""


@dataclass(frozen=True, slots=True)
class Examine(Effect):
    """Find out what holds on this machine, for the cover that shows it."""


@dataclass(frozen=True, slots=True)
class SetTheme(Effect):
    """Show everything in the theme of that name, until the room is left."""

    name: str
