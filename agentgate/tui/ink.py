"""Lines of marked text: what every panel is made of, before any widget exists.

A `Line` is a tuple of spans, a span is text and the `Ink` it is written in. Colours belong to the theme
(`widgets/lines.py`); here there are only meanings. All widths are terminal cells, not characters.

Text from outside goes through `outside` (or ``escape.printable``) before it becomes a span. Nothing here
interprets markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

from agentgate.escape import printable

__all__ = [
    "NARROW",
    "OUTSIDE_LIMIT",
    "Ink",
    "Line",
    "clip",
    "fit",
    "fold",
    "outside",
    "plain",
    "spread",
    "width",
]


class Ink(StrEnum):
    """What a piece of text means."""

    PLAIN = "plain"
    DIM = "dim"  # labels, times, what may be skipped
    STRONG = "strong"  # the object itself
    ALLOW = "allow"
    DENY = "deny"
    WAIT = "wait"
    GUARD = "guard"
    CLAIM = "claim"  # the agent's own words
    KEY = "key"  # a key that acts now
    IDLE = "idle"  # a key that does not act now
    AGENT = "agent"  # the chip of AGENT mode
    CONTROL = "control"  # the chip of CONTROL mode
    ALARM = "alarm"
    CURSOR = "cursor"  # where the next letter goes


Span = tuple[str, Ink]
Line = tuple[Span, ...]

OUTSIDE_LIMIT = 8192
"""Most characters of one text from outside that are ever laid out; the cut is said in the text."""

NARROW = 30
"""Below this many cells a panel has no room for columns."""


def outside(text: str, limit: int = OUTSIDE_LIMIT) -> str:
    """Text from the agent, safe to show: escaped, and cut in the middle above ``limit`` characters."""
    return printable(text, limit)


def plain(line: Line) -> str:
    """The text alone."""
    return "".join(text for text, _ in line)


def width(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def clip(text: str, cells: int) -> str:
    """``text`` in at most ``cells`` cells, with an ellipsis for what is cut off its end."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…" if cells > 0 else ""


def fit(line: Line, cells: int) -> Line:
    """``line`` in at most ``cells`` cells, the end replaced by an ellipsis where it is longer."""
    if width(line) <= cells:
        return line
    kept: list[Span] = []
    left = cells
    for text, ink in line:
        size = cell_len(text)
        if size >= left:
            # one cell too many makes clip() end in an ellipsis even where this span just fits
            kept.append((clip(text + "  ", left), ink))
            break
        kept.append((text, ink))
        left -= size
    return tuple(kept)


def spread(left: Line, right: Line, cells: int) -> Line:
    """``left`` at the left end and ``right`` at the right end; ``left`` gives way first."""
    room = cells - width(right)
    if room < 4:
        return fit(left, cells)
    left = fit(left, room - 1)
    return (*left, (" " * (room - width(left)), Ink.PLAIN), *right)


def fold(line: Line, cells: int, indent: int = 0) -> list[Line]:
    """``line`` on as many lines of ``cells`` cells as it needs, later ones indented by ``indent``.

    Breaks after a space where there is one behind the first quarter of the line, else anywhere; never
    drops a character, so that what is shown is the whole text.
    """
    return list(_fold(line, max(cells, indent + 4), indent))


@lru_cache(64)  # a long command is folded anew each second otherwise, while its age goes on
def _fold(line: Line, cells: int, indent: int) -> tuple[Line, ...]:
    letters = [(char, ink) for text, ink in line for char in text]
    lines: list[Line] = []
    start = 0
    while True:
        room = cells - (indent if lines else 0)
        end, used = start, 0
        while end < len(letters) and used + (size := cell_len(letters[end][0])) <= room:
            used += size
            end += 1
        if end < len(letters):
            for back in range(end, max(start, end - room * 3 // 4), -1):
                if letters[back - 1][0] == " ":
                    end = back
                    break
        prefix = [(" " * indent, Ink.PLAIN)] if lines and indent else []
        lines.append(tuple(prefix) + _join(letters[start:end]))
        start = end
        if start >= len(letters):
            return tuple(lines)


def _join(letters: Iterable[tuple[str, Ink]]) -> Line:
    spans: list[tuple[list[str], Ink]] = []
    for char, ink in letters:
        if spans and spans[-1][1] is ink:
            spans[-1][0].append(char)
        else:
            spans.append(([char], ink))
    return tuple(("".join(chars), ink) for chars, ink in spans)
