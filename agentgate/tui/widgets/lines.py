"""A list of marked lines of which only the visible ones are ever made: the base of every panel.

Textual's own lists lay out every row; this one asks its subclass for the rows in view, keeps their strips
in a small cache and costs the same at a hundred thousand rows as at ten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.segment import Segment
from rich.style import Style
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from agentgate.tui.ink import Ink, Line, fit

__all__ = ["INK_CLASSES", "INK_CSS", "Inked", "Lines"]


INK_CLASSES = {f"ink-{ink.value}" for ink in Ink}
"""Component classes of a widget that writes in inks."""

INK_CSS = """
        & > .ink-dim { color: $ink-dim; }
        & > .ink-strong { color: $ink-strong; text-style: bold; }
        & > .ink-allow { color: $ink-allow; }
        & > .ink-deny { color: $ink-deny; }
        & > .ink-wait { color: $ink-wait; text-style: bold; }
        & > .ink-guard { color: $ink-guard; text-style: bold; }
        & > .ink-claim { color: $ink-claim; text-style: italic; }
        & > .ink-key { color: $ink-strong; text-style: bold; }
        & > .ink-idle { color: $ink-dim; }
        & > .ink-agent { color: $background; background: $ink-allow; text-style: bold; }
        & > .ink-control { color: $background; background: $ink-deny; text-style: bold; }
        & > .ink-cursor { text-style: reverse; }
        & > .ink-alarm { color: #ffffff; background: $alarm; text-style: bold; }
"""
"""Their colours, to stand inside the block of that widget's DEFAULT_CSS."""


class Inked(Widget):
    """A widget that writes in inks. (Textual takes component classes and CSS from the first base only,
    so each direct user names them itself.)"""

    def strip(self, line: Line, cells: int, base: Style) -> Strip:
        """``line`` as a strip of exactly ``cells`` cells on the style ``base``."""
        segments = []
        for text, ink in fit(line, cells):
            style = base
            if ink is not Ink.PLAIN:
                style = base + self.get_component_rich_style(f"ink-{ink.value}", partial=True)
            segments.append(Segment(text, style))
        return Strip(segments).adjust_cell_length(cells, base)


class Lines(ScrollView, Inked, can_focus=True):
    """``row_height`` lines a row. Subclasses give `rows` and `row` and call `changed` when these change."""

    COMPONENT_CLASSES = INK_CLASSES | {"lines-cursor"}
    DEFAULT_CSS = (
        """
    Lines {
        background: $background;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: auto;
        overflow-x: hidden;
        overflow-y: auto;
        border-top: solid $line;
        border-title-color: $ink-dim;
        padding: 0 0 0 1;
        & > .lines-cursor { background: $panel; }
        &.has-keys { border-top: solid $ink-deny; border-title-color: $ink-strong; border-title-style: bold; }
    """
        + INK_CSS
        + "}"
    )

    row_height = 1
    ALLOW_SELECT = False
    BINDINGS = []  # noqa: RUF012 (the app routes every key)

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._strips: LRUCache[tuple[int, int], list[Strip]] = LRUCache(512)
        self.cursor: int | None = None

    # What a subclass says

    def rows(self) -> int:
        """How many rows there are."""
        raise NotImplementedError

    def row(self, index: int, cells: int) -> list[Line]:
        """The ``row_height`` lines of a row, for a panel of ``cells`` cells."""
        raise NotImplementedError

    # What a subclass calls

    def changed(self) -> None:
        """Rows came, went or changed."""
        self._strips.clear()
        size, view = Size(0, self.rows() * self.row_height), self.size.height
        if size != self.virtual_size:
            if self.show_vertical_scrollbar and view and min(size.height, self.virtual_size.height) > view:
                # the scrollbar stays: nothing else moves, so no new layout of the whole screen is needed
                self.set_reactive(Widget.virtual_size, size)
                self.vertical_scrollbar.window_virtual_size = size.height
            else:
                self.virtual_size = size
        self.refresh()

    def repaint(self, rows: Iterable[int]) -> None:
        """These rows say something else; there are as many as before. Cheaper than `changed`."""
        self._strips.clear()
        seen = self.in_view()
        for index in rows:
            if index in seen:
                self.refresh_lines(index * self.row_height, self.row_height)

    def in_view(self) -> range:
        """The rows of which something is to be seen."""
        first = round(self.scroll_y) // self.row_height
        return range(first, min(first + self.size.height // self.row_height + 1, self.rows()))

    def point(self, index: int | None) -> None:
        """Set the cursor and bring it into view."""
        if index is not None and self.rows():
            index = min(max(index, 0), self.rows() - 1)
        if index != self.cursor:
            self.cursor = index
            self._strips.clear()
            self.refresh()
        if index is not None:
            self.reveal(index)

    def reveal(self, index: int) -> None:
        """Scroll as little as brings row ``index`` into view."""
        if self.size.height:
            region = Region(0, index * self.row_height, self.size.width, self.row_height)
            self.scroll_to_region(region, animate=False, force=True, immediate=True)

    def go_to(self, y: int) -> None:
        """Make line ``y`` the first in view, at once."""
        self.scroll_to(y=max(0, y), animate=False, force=True, immediate=True)

    def page(self) -> int:
        """Rows that fit."""
        return max(1, self.size.height // self.row_height - 1)

    def move(self, how: str) -> None:
        """Scroll, or where there is a cursor move it."""
        steps = {"next": 1, "previous": -1, "page-down": self.page(), "page-up": -self.page()}
        if how in steps:
            if self.cursor is None:
                self.go_to(round(self.scroll_y) + steps[how] * self.row_height)
            else:
                self.point(self.cursor + steps[how])
        elif self.cursor is None:
            self.go_to(0 if how == "first" else self.rows() * self.row_height)
        else:
            self.point(0 if how == "first" else self.rows() - 1)

    def row_at(self, y: int) -> int | None:
        """The row at line ``y`` of the widget's content, if there is one."""
        index = (y + round(self.scroll_y)) // self.row_height
        return index if 0 <= index < self.rows() else None

    # What Textual asks

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips.clear()

    def on_resize(self) -> None:
        self.changed()

    def watch_show_vertical_scrollbar(self) -> None:
        if self.show_vertical_scrollbar:  # it missed where the view went before it was there
            self.vertical_scrollbar.position = self.scroll_y

    def render_line(self, y: int) -> Strip:
        cells = self.scrollable_content_region.width
        index, part = divmod(y + round(self.scroll_y), self.row_height)
        if index >= self.rows():
            return Strip.blank(cells, self.rich_style)
        strips = self._strips.get((index, cells))
        if strips is None:
            strips = list(self._draw(index, cells))
            self._strips[(index, cells)] = strips
        return strips[part]

    def _draw(self, index: int, cells: int) -> Iterator[Strip]:
        base = self.rich_style
        if index == self.cursor:
            base = base + self.get_component_rich_style("lines-cursor", partial=True)
        lines = self.row(index, cells)
        for part in range(self.row_height):
            yield self.strip(lines[part] if part < len(lines) else (), cells, base)
