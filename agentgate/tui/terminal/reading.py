"""Reading in the terminal with keys: a cursor that the view follows, search, and selection from it.

The cursor keeps its place on the screen as long as there is something to scroll, so that going up reads back
at once. What is read stays where it is while output goes on, except at the very end, where there is nothing
but the live screen to show; there the cursor moves up with its text.
"""

from __future__ import annotations

from typing import Final, final

from agentgate.tui.terminal.grid import Point, Range
from agentgate.tui.terminal.select import Selection
from agentgate.tui.terminal.view import Mark, Reads, Spans, View
from agentgate.tui.terminal.vt import Scrollbar, Vt

__all__ = ["Reading", "spans"]

_MARGIN: Final = 3
"""Rows that are shown above a match that was gone to, if there are as many."""


@final
class Reading:
    """``on`` between `start` and `stop`; the selection may be the mouse's at any time."""

    def __init__(self, vt: Vt) -> None:
        self._vt = vt
        self._match = 0
        self._matches = 0
        self._here: Range | None = None
        self._selecting = False
        self.on = False
        self.selection = Selection(vt.grid)

    def start(self, row: int) -> None:
        """Read from ``row`` of the viewport on."""
        self.on = True
        bar = self._vt.scrollbar
        self._vt.grid.cursor.put(Point(bar.offset + min(max(row, 0), bar.length - 1), 0))

    def stop(self) -> None:
        """Show the live screen, and nothing selected or searched."""
        self.on = self._selecting = False
        self._match = self._matches = 0
        self._here = None
        self._vt.finder.start("")
        self._vt.grid.cursor.put(None)
        self.selection.clear()
        self._vt.scroll_to_bottom()

    def unselect(self) -> None:
        """End a selection, and go on reading."""
        self._selecting = False
        self.selection.clear()

    def find(self, needle: str) -> None:
        """Search for ``needle``, and go to the newest match."""
        self._here, self._match = None, 0
        self._matches = self._vt.finder.start(needle)
        if self._matches:
            self._to_match(older=True)

    def do(self, what: Reads) -> None:
        """Move the cursor and the view with it, or begin to select."""
        if what in ("older-match", "newer-match"):
            self._to_match(older=what == "older-match")
            return
        bar = self._vt.scrollbar
        row, col = self.cursor(bar)
        _, cols = self._vt.size
        page = max(bar.length - 2, 1)
        lines = {"up": -1, "down": 1, "page-up": -page, "page-down": page, "first": -row, "last": bar.total}
        columns = {"left": col - 1, "right": col + 1, "line-start": 0, "line-end": cols - 1}
        if what == "select":
            self._selecting = not self._selecting
            if self._selecting:
                self.selection.begin(Point(row, col))
            else:
                self.selection.clear()
        elif what in lines:
            self._to(Point(row + lines[what], col), bar)
        else:
            self._to(Point(row, columns[what]), bar)

    def scroll(self, rows: int) -> None:
        """Move the view, and the cursor with it."""
        bar = self._vt.scrollbar
        at = self.cursor(bar)
        if self.on and not self._selecting:
            self._to(Point(at.row + rows, at.col), bar)
        else:
            self._vt.scroll(rows)

    def cursor(self, bar: Scrollbar) -> Point:
        """Where the operator reads; at the end of what is shown when that text is gone."""
        return self._vt.grid.cursor.point or Point(bar.offset + bar.length - 1, 0)

    def follow(self, bar: Scrollbar) -> bool:
        """Keep the cursor in sight of output that moves it up. Whether the view had to be moved."""
        if not self.on or not (above := bar.offset - self.cursor(bar).row) > 0 or bar.back:
            return False
        self._vt.scroll(-above)
        return True

    def view(self, bar: Scrollbar) -> View:
        vt = self._vt
        found = (vt.finder.needle, self._match, self._matches)
        return View(bar.back, *found, self._selecting, self.on and vt.alternate_screen)

    def spans(self, bar: Scrollbar) -> Spans:
        """What is to be highlighted in the viewport."""
        marked: list[tuple[Range, Mark]] = []
        if self.on:
            matches = self._vt.finder.marked(bar.offset, bar.length)
            marked += [(match, Mark.MATCH) for match in matches]
            if self._here in matches:  # its rows may have got other numbers
                marked.append((self._here, Mark.HERE))
        if selected := self.selection.range:
            marked.append((selected, Mark.SELECTED))
        if self.on:
            at = self.cursor(bar)
            marked.append(((at, at), Mark.CURSOR))
        return spans(marked, bar, self._vt.size[1])

    def _to(self, point: Point, bar: Scrollbar) -> None:
        """Put the cursor at ``point``, and scroll so that it keeps its row of the screen if that can be."""
        _, cols = self._vt.size
        point = Point(min(max(point.row, 0), bar.total - 1), min(max(point.col, 0), cols - 1))
        kept = min(max(self.cursor(bar).row - bar.offset, 0), bar.length - 1)
        top = min(max(point.row - kept, 0), bar.total - bar.length)
        self._vt.scroll(top - bar.offset)
        self._put(point)

    def _put(self, point: Point) -> None:
        self._vt.grid.cursor.put(point)
        if self._selecting:
            self.selection.extend(point)

    def _to_match(self, older: bool) -> None:
        found = self._vt.finder.step(older)
        if found is None:
            self._here, self._match, self._matches = None, 0, 0
            return
        self._here, number, self._matches = found
        self._match = number + 1
        bar = self._vt.scrollbar
        begin, _ = self._here
        if not bar.offset <= begin.row < bar.offset + bar.length:
            top = min(max(begin.row - _MARGIN, 0), bar.total - bar.length)
            self._vt.scroll(top - bar.offset)
        self._put(begin)


def spans(marked: list[tuple[Range, Mark]], bar: Scrollbar, cols: int) -> Spans:
    """``marked`` cut into the rows of a viewport that is ``cols`` cells wide."""
    rows: Spans = {}
    for (begin, end), mark in marked:
        for row in range(max(begin.row, bar.offset), min(end.row, bar.offset + bar.length - 1) + 1):
            first = begin.col if row == begin.row else 0
            behind = end.col + 1 if row == end.row else cols
            rows.setdefault(row - bar.offset, []).append((first, behind, mark))
    return rows
