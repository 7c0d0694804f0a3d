"""What the operator selects in the terminal: from one place to another, by cells, words or lines.

It stays on its text while output goes on. Where it begins and where it ends may be given in either order.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, final

from agentgate.tui.terminal.grid import Grid, Point, Range

__all__ = ["CLICK_SECONDS", "Clicks", "Selection", "Unit"]

CLICK_SECONDS: Final = 0.4
"""Longest time between two clicks that belong together."""


class Unit(IntEnum):
    """What a selection grows by; the value is the number of clicks that begins it."""

    CELL = 1
    WORD = 2
    LINE = 3


@final
class Clicks:
    """Counts clicks on one place."""

    def __init__(self) -> None:
        self._last: tuple[Point | None, float] = (None, 0.0)
        self._count = 0

    def count(self, point: Point, time: float) -> Unit:
        """What a press at ``point`` at ``time``, in seconds, selects by."""
        again = point == self._last[0] and time - self._last[1] <= CLICK_SECONDS
        self._count = self._count % 3 + 1 if again else 1
        self._last = (point, time)
        return Unit(self._count)


@final
class Selection:
    """At most one stretch of a `Grid`."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._unit = Unit.CELL

    def begin(self, point: Point, unit: Unit = Unit.CELL) -> None:
        """Select from ``point`` on: that cell, or the word or line there."""
        self._unit = unit
        self._grid.begin.put(point)
        self._grid.end.put(point)

    def extend(self, point: Point) -> None:
        """Let the selection end at ``point``."""
        self._grid.end.put(point)

    def clear(self) -> None:
        self._grid.begin.put(None)
        self._grid.end.put(None)

    @property
    def range(self) -> Range | None:
        """What is selected now; None when nothing is, or the text is gone."""
        begin, end = self._grid.begin.point, self._grid.end.point
        if begin is None or end is None:
            return None
        begin, end = min(begin, end), max(begin, end)
        if self._unit is Unit.CELL:
            return begin, end
        around = self._grid.word if self._unit is Unit.WORD else self._grid.line
        first, last = around(begin), around(end)
        return (first[0] if first else begin), (last[1] if last else end)

    @property
    def text(self) -> str:
        """What is selected, as it is copied."""
        selected = self.range
        return self._grid.text(*selected) if selected else ""
