"""A bar: a few lines of marked text that are given to it ready-made."""

from __future__ import annotations

from textual.strip import Strip

from agentgate.tui.ink import Line
from agentgate.tui.widgets.lines import INK_CLASSES, INK_CSS, Inked

__all__ = ["Bar"]


class Bar(Inked):
    COMPONENT_CLASSES = INK_CLASSES
    DEFAULT_CSS = "Bar { background: $surface; color: $foreground; " + INK_CSS + "}"

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: tuple[Line, ...] = ()

    @property
    def line(self) -> Line:
        """The first line as it is shown."""
        return self._lines[0] if self._lines else ()

    def show(self, *lines: Line) -> None:
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        line = self._lines[y] if y < len(self._lines) else ()
        return self.strip(line, self.size.width, self.rich_style)
