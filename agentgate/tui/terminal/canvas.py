"""The widget that shows a terminal and knows nothing of who writes to it.

Only rows that changed are rebuilt, when `pace` says so, and all that Textual asks for later is answered from
those. What is highlighted is laid over them as they are asked for.
"""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.app import App
from textual.geometry import Offset, Region
from textual.strip import Strip
from textual.widget import Widget

from agentgate.tui.terminal.cells import Cursor
from agentgate.tui.terminal.core import Rgb
from agentgate.tui.terminal.pace import Pacer
from agentgate.tui.terminal.paint import Painter, with_cursor, with_marks
from agentgate.tui.terminal.reading import Reading
from agentgate.tui.terminal.view import Mark, Spans, View
from agentgate.tui.terminal.vt import Scrollbar, Vt

__all__ = ["Canvas"]


class Canvas(Widget, can_focus=True):
    """Shows a `Vt`, or a part of its history, with the cursor and what is selected and found."""

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Canvas {
        width: 1fr;
        height: 1fr;
        background: $background;
        color: $foreground;
        & > .terminal--match { background: $warning 40%; color: $foreground; text-style: underline; }
        & > .terminal--here { background: $warning; color: $background; text-style: bold; }
        & > .terminal--selected { background: $primary; color: $background; }
        & > .terminal--cursor { text-style: reverse; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"terminal--{mark.value}" for mark in Mark}

    def __init__(self, scrollback: int, name: str | None, id: str | None, classes: str | None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._vt = Vt(24, 80, scrollback)
        self._reading = Reading(self._vt)
        self._painter = Painter()
        self._strips: list[Strip] = []
        self._cursor = Cursor(0, 0, False, "block")
        self._spans: Spans = {}
        self._mark_styles: dict[Mark, Style] = {}
        self._bar = Scrollbar(24, 0, 24)
        self._colors: tuple[Rgb, Rgb, list[Rgb]] | None = None
        self._pacer = Pacer(self._draw, lambda: self._vt.synchronized)

    @property
    def grid_size(self) -> tuple[int, int]:
        """Rows and columns of the terminal."""
        return self._vt.size

    @property
    def title(self) -> str:
        """The window title the agent has set, safe to show."""
        return self._vt.title

    @property
    def view(self) -> View:
        """What is shown of the history."""
        return self._reading.view(self._bar)

    @property
    def scrolled(self) -> bool:
        """Whether history is shown instead of the live screen."""
        return self._vt.scrolled

    def screen_text(self) -> str:
        """What is shown, one line a row, without trailing spaces."""
        return "\n".join(strip.text.rstrip() for strip in self._strips)

    def render_line(self, y: int) -> Strip:
        """Row ``y`` from what `_draw` has built."""
        width = self.size.width
        if y >= len(self._strips):
            return Strip.blank(width, self._base_style)
        strip, cursor = self._strips[y], self._cursor
        if marks := self._spans.get(y):
            strip = with_marks(strip, marks, self._mark_styles)
        if cursor.visible and cursor.row == y and not self._reading.on:
            strip = with_cursor(strip, cursor, self.has_focus and self._takes_input)
        if strip.cell_length != width:  # a resize is under way
            strip = strip.adjust_cell_length(width, self._base_style)
        return strip

    @property
    def _takes_input(self) -> bool:
        """Whether what is typed goes to the terminal."""
        return True

    @property
    def _base_style(self) -> Style:
        return Style.from_color(self.styles.color.rich_color, self.background_colors[1].rich_color)

    def _draw(self) -> None:
        """Rebuild the rows that changed, and have them painted."""
        if not self.is_running:
            return
        rows, cols = self._vt.size
        frame = self._vt.frame()
        self._bar = frame.bar
        if self._reading.follow(frame.bar):
            self._pacer.soon()
        if len(self._strips) != rows:
            self._strips = [*self._strips[:rows], *[Strip.blank(cols)] * (rows - len(self._strips))]
        changed = {y for y in frame.rows if y < rows}
        for y in changed:
            self._strips[y] = self._painter.strip(frame.rows[y], cols)
        if frame.cursor != self._cursor:
            changed |= {self._cursor.row, frame.cursor.row}
            self._cursor = frame.cursor
        spans = self._reading.spans(frame.bar)
        if spans != self._spans:
            changed |= {y for y in spans.keys() | self._spans.keys() if spans.get(y) != self._spans.get(y)}
            self._spans = spans
        if changed:
            self.refresh(*_regions(changed, self.size.width))
        if self.has_focus:  # input methods open their window there
            self.app.cursor_position = self.content_region.offset + Offset(frame.cursor.col, frame.cursor.row)

    def _redraw_cursor(self) -> None:
        self.refresh(*_regions({self._cursor.row}, self.size.width))

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_running:
            self._apply_colors()

    def _apply_colors(self) -> None:
        self._mark_styles = {mark: self.get_component_rich_style(f"terminal--{mark.value}") for mark in Mark}
        _, _, background, color = self.colors
        app: App[object] = self.app
        palette: list[Rgb] = [app.ansi_theme.ansi_colors[n] for n in range(16)]
        colors = ((background + color).rgb, background.rgb, palette)
        if colors != self._colors:
            self._colors = colors
            self._recolored(self._vt.set_colors(*colors))
            self._pacer.soon()

    def _recolored(self, report: bytes) -> None:
        """The colours changed, and ``report`` is what the terminal's program is to be told of it."""


def _regions(rows: set[int], width: int) -> list[Region]:
    """Regions over ``rows``, neighbours together."""
    regions: list[Region] = []
    for y in sorted(rows):
        if regions and regions[-1].bottom == y:
            regions[-1] = regions[-1].grow((0, 0, 1, 0))
        else:
            regions.append(Region(0, y, width, 1))
    return regions
