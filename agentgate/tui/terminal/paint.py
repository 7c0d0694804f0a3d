"""Runs of cells as Textual draws them: strips of segments, and the cursor on top of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from rich.cells import cell_len, split_graphemes
from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from agentgate.tui.terminal.cells import CellStyle, Cursor, Run
from agentgate.tui.terminal.core import Rgb
from agentgate.tui.terminal.view import Mark

__all__ = ["Painter", "with_cursor", "with_marks"]

_CACHE_LIMIT: Final = 1 << 14
_FAINT_CURSOR: Final = 0.4
"""How far the cursor's background goes from the cell's towards its text while the pane has no focus."""


class Painter:
    """Turns runs into strips; remembers the styles it has made."""

    def __init__(self) -> None:
        self._styles: dict[CellStyle, Style] = {}

    def strip(self, runs: Sequence[Run], cols: int) -> Strip:
        """The strip of one row of ``cols`` cells."""
        styles = self._styles
        segments = []
        for text, look in runs:
            style = styles.get(look)
            if style is None:
                if len(styles) >= _CACHE_LIMIT:
                    styles.clear()
                style = styles[look] = _style(look)
            segments.append(Segment(" " * cell_len(text) if look.hidden else text, style))
        return Strip(segments, cols)


def with_cursor(strip: Strip, cursor: Cursor, focused: bool) -> Strip:
    """``strip`` with the cursor drawn: reversed, underlined if that is its shape, and only tinted
    while the keys go elsewhere. A bar cannot be drawn between cells; it is a block too."""
    under = strip.crop(cursor.col, cursor.col + 2)
    text = under.text
    width = 2 if text and cell_len(text[0]) == 2 else 1
    at, end = cursor.col, cursor.col + width
    drawn = [Segment(s.text, _cursor_style(s.style, cursor, focused)) for s in strip.crop(at, end)]
    return Strip.join([strip.crop(0, at), Strip(drawn, width), strip.crop(end)])


def with_marks(strip: Strip, marks: Sequence[tuple[int, int, Mark]], styles: Mapping[Mark, Style]) -> Strip:
    """``strip`` with columns highlighted, later marks over earlier ones; characters stay whole."""
    edges = _edges(strip.text)
    for first, behind, mark in marks:
        start = max(edge for edge in edges if edge <= max(first, 0))
        end = min((edge for edge in edges if edge >= behind), default=edges[-1])
        style = styles[mark]
        drawn = [Segment(s.text, (s.style or Style.null()) + style) for s in strip.crop(start, end)]
        strip = Strip.join([strip.crop(0, start), Strip(drawn, end - start), strip.crop(end)])
    return strip


def _edges(text: str) -> list[int]:
    """The columns that a character begins at, and the one behind the last."""
    if text.isascii():
        return list(range(len(text) + 1))
    edges = [0]
    for _, _, cells in split_graphemes(text)[0]:
        edges.append(edges[-1] + cells)
    return edges


def _cursor_style(style: Style | None, cursor: Cursor, focused: bool) -> Style:
    style = style or Style.null()
    if focused:
        if cursor.shape == "underline":
            return style + Style(underline=True, bold=True)
        return style + Style(reverse=not style.reverse)
    if style.color is None or style.bgcolor is None:
        return style + Style(underline=True)
    text, back = style.color.get_truecolor(), style.bgcolor.get_truecolor()
    if style.reverse:
        text, back = back, text
    tint = blend_rgb(back, text, _FAINT_CURSOR)
    return style + Style(color=Color.from_triplet(text), bgcolor=Color.from_triplet(tint), reverse=False)


def _style(look: CellStyle) -> Style:
    return Style(
        color=_color(look.fg),
        bgcolor=_color(look.bg),
        bold=look.bold or None,
        dim=look.dim or None,
        italic=look.italic or None,
        underline=look.underline not in (0, 2) or None,
        underline2=look.underline == 2 or None,
        blink=look.blink or None,
        reverse=look.reverse or None,
        strike=look.strike or None,
        overline=look.overline or None,
    )


def _color(rgb: Rgb) -> Color:
    return Color.from_triplet(ColorTriplet(*rgb))
