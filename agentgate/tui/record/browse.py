"""What the audit view has rows of: every line that fits, or what the agent called with what came of it.

A `Source` does the work of one `Look`: `work` (in a thread) and `take` find lines, `item` gives one row.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agentgate.audit.groups import Group, Groups
from agentgate.audit.index import Found, Index
from agentgate.audit.query import Field, Filter, Want
from agentgate.audit.row import Row
from agentgate.tui.record.look import Look

__all__ = ["Flat", "Grouped", "Item", "Place", "Source", "open_source", "wanted_by"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session's records are: none of them before byte ``begin``."""

    log: Path
    session: str
    begin: int


@dataclass(frozen=True, slots=True)
class Item:
    """One row: a line of the log (below a group where ``inside``), or a group, ``open`` or not."""

    line: bytes = b""
    group: Group | None = None
    inside: bool = False
    open: bool = False

    @property
    def row(self) -> Row | None:
        return Row.of(self.line) if self.line else None


class Source(Protocol):
    index: Index

    def __len__(self) -> int: ...

    def item(self, number: int) -> Item: ...

    def take(self, found: Found) -> int: ...


class Flat:
    def __init__(self, index: Index) -> None:
        self.index = index

    def __len__(self) -> int:
        return len(self.index)

    def item(self, number: int) -> Item:
        return Item(self.index[number])

    def take(self, found: Found) -> int:
        """How many rows now stand before those that stood here already."""
        return self.index.take(found)


class Grouped:
    def __init__(self, index: Index) -> None:
        self.index = index
        self._groups = Groups()
        self._open: set[int] = set()
        self._starts = array("Q", [0])  # the row that each group begins at, and the end

    def __len__(self) -> int:
        return self._starts[-1]

    def item(self, number: int) -> Item:
        at = bisect_right(self._starts, number) - 1
        group, inside = self._groups.all[at], number - self._starts[at]
        if not inside:
            return Item(group=group, open=at in self._open)
        return Item(self.index.line(group.places[inside - 1]), inside=True)

    def take(self, found: Found) -> int:
        self.index.take(found, keep=False)
        for place, row in zip(found.places, found.rows, strict=True):
            self._groups.add(place, row)
        self._lay_out()
        return 0

    def toggle(self, number: int) -> int:
        """Open or close the group that row ``number`` is of; returns the row of the group itself."""
        at = bisect_right(self._starts, number) - 1
        self._open ^= {at}
        self._lay_out()
        return self._starts[at]

    @property
    def decisions(self) -> int:
        return sum(len(group.places) for group in self._groups.all)

    def _lay_out(self) -> None:
        row, starts = 0, array("Q")
        for at, group in enumerate(self._groups.all):
            starts.append(row)
            row += 1 + (len(group.places) if at in self._open else 0)
        starts.append(row)
        self._starts = starts


def wanted_by(look: Look, place: Place) -> tuple[Filter, int]:
    """The filter of ``look``, and the byte before which nothing is wanted. Raises BadFilter."""
    wanted = Filter.parse(look.filter, time.time())
    if look.whole:
        return wanted, 0
    return wanted.also(Want(Field.SESSION, place.session)), place.begin


def open_source(look: Look, place: Place) -> Flat | Grouped:
    """Raises OSError where there is no log, BadFilter."""
    wanted, begin = wanted_by(look, place)
    if look.grouped:
        return Grouped(Index(place.log, wanted, begin, forward=True, rows=True))
    return Flat(Index(place.log, wanted, begin))
