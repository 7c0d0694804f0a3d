"""What of the terminal is shown, for those who say so around it; and by what it is moved."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

__all__ = ["Mark", "Reads", "Spans", "View"]

Reads = Literal[
    "up", "down", "left", "right", "page-up", "page-down", "first", "last", "line-start", "line-end",
    "select", "older-match", "newer-match",
]  # fmt: skip
"""What the operator may do while reading."""


class Mark(StrEnum):
    """What is highlighted, later ones over earlier ones."""

    MATCH = "match"
    HERE = "here"
    """The match that was gone to."""
    SELECTED = "selected"
    CURSOR = "cursor"


Spans = dict[int, list[tuple[int, int, Mark]]]
"""By row of the viewport: first column, column behind the last, and what it is."""


@dataclass(frozen=True, slots=True)
class View:
    """``back`` is how many lines there are below what is shown (0: the live screen is), ``matches`` how many
    places match ``needle``, ``match`` the number of the one gone to, from the newest (1). ``alternate``: the
    program has a screen of its own, which has no history."""

    back: int = 0
    needle: str = ""
    match: int = 0
    matches: int = 0
    selecting: bool = False
    alternate: bool = False
