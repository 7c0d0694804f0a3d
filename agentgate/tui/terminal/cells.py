"""Reading the screen out of the emulator: changed rows as runs of text in one style.

What comes out is safe to draw: every run is exactly as many cells wide as it says (by the same table
the screen is laid out with), and holds no control, bidirectional or other format character, so that
what is read is what is there (Trojan Source, CVE-2021-42574). Colours are resolved to RGB.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from rich.cells import cell_len

from agentgate.tui.terminal.core import Rgb, check, ffi, handle, lib

__all__ = ["CellReader", "CellStyle", "Cursor", "CursorShape", "Run", "fit_cell"]

CursorShape = str
"""``block``, ``bar`` or ``underline``."""

_SHAPES: Final[dict[int, CursorShape]] = {
    lib.GHOSTTY_RENDER_STATE_CURSOR_VISUAL_STYLE_BAR: "bar",
    lib.GHOSTTY_RENDER_STATE_CURSOR_VISUAL_STYLE_UNDERLINE: "underline",
}

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_ZWJ: Final = "\u200d"  # the one format character that belongs into a cell: it joins emoji
_CACHE_LIMIT: Final = 1 << 15
_LINK: Final = 1 << 16  # above every style id: the cell has a link (OSC 8), and is underlined


@dataclass(frozen=True, slots=True, eq=False)
class CellStyle:
    """How cells look. The same style is mostly the same object, so identity serves as a cache key."""

    fg: Rgb
    bg: Rgb
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: int = 0
    """0 none, 1 single, 2 double, 3 curly, 4 dotted, 5 dashed."""
    blink: bool = False
    reverse: bool = False
    hidden: bool = False
    strike: bool = False
    overline: bool = False


Run = tuple[str, CellStyle]
"""Neighbouring cells of one style and their text."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the cursor is drawn; on a wide character, its left half."""

    row: int
    col: int
    visible: bool
    shape: CursorShape


@lru_cache(maxsize=4096)
def fit_cell(text: str, width: int) -> str:
    """The text of one cell, without hidden characters and exactly ``width`` (1 or 2) cells wide;
    U+FFFD stands for what cannot be shown so."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(c for c in text if c == _ZWJ or unicodedata.category(c) not in _HIDDEN).strip(_ZWJ)
    measured = cell_len(text)
    if measured == width:
        return text
    if text and cell_len(text[0]) == width:
        return text[0]
    if 0 < measured < width:
        return text + " " * (width - measured)
    return "\ufffd" + " " * (width - 1)


class _CellTable(dict[int, tuple[str | None, int]]):
    """A raw cell's text and style key, decoded once. The text is None for a cluster of code points
    (kept elsewhere); a negative key is a background colour that an erase left behind."""

    def __init__(self) -> None:
        self._codepoint = ffi.new("uint32_t *")
        self._tag = ffi.new("GhosttyCellContentTag *")
        self._style = ffi.new("GhosttyStyleId *")
        self._wide = ffi.new("GhosttyCellWide *")
        self._rgb = ffi.new("GhosttyColorRgb *")
        self._index = ffi.new("GhosttyColorPaletteIndex *")
        self._link = ffi.new("bool *")

    def __missing__(self, raw: int) -> tuple[str | None, int]:
        if len(self) >= _CACHE_LIMIT:
            self.clear()
        found = self[raw] = self._decode(raw)
        return found

    def _decode(self, raw: int) -> tuple[str | None, int]:
        get = lib.ghostty_cell_get
        check(get(raw, lib.GHOSTTY_CELL_DATA_CONTENT_TAG, self._tag), "cell tag")
        tag = self._tag[0]
        if tag == lib.GHOSTTY_CELL_CONTENT_BG_COLOR_PALETTE:
            check(get(raw, lib.GHOSTTY_CELL_DATA_COLOR_PALETTE, self._index), "cell colour")
            return " ", -1 - self._index[0]
        if tag == lib.GHOSTTY_CELL_CONTENT_BG_COLOR_RGB:
            check(get(raw, lib.GHOSTTY_CELL_DATA_COLOR_RGB, self._rgb), "cell colour")
            rgb = self._rgb[0]
            return " ", -0x101 - (rgb.r << 16 | rgb.g << 8 | rgb.b)
        check(get(raw, lib.GHOSTTY_CELL_DATA_STYLE_ID, self._style), "cell style")
        check(get(raw, lib.GHOSTTY_CELL_DATA_WIDE, self._wide), "cell width")
        check(get(raw, lib.GHOSTTY_CELL_DATA_HAS_HYPERLINK, self._link), "cell link")
        style, wide = self._style[0], self._wide[0]
        if self._link[0]:
            style |= _LINK
        if wide == lib.GHOSTTY_CELL_WIDE_SPACER_TAIL:
            return "", style  # the wide character before it takes this cell too
        if tag == lib.GHOSTTY_CELL_CONTENT_CODEPOINT_GRAPHEME:
            return None, style
        check(get(raw, lib.GHOSTTY_CELL_DATA_CODEPOINT, self._codepoint), "cell text")
        codepoint = self._codepoint[0]
        width = 2 if wide == lib.GHOSTTY_CELL_WIDE_WIDE else 1
        return (fit_cell(chr(codepoint), width) if codepoint else " " * width), style


class CellReader:
    """The emulator's render state. `update` needs the terminal to itself; all else works on the copy
    that it takes, in the thread that called it."""

    def __init__(self) -> None:
        self._state = handle(
            self,
            "GhosttyRenderState",
            lambda out: lib.ghostty_render_state_new(ffi.NULL, out),
            lib.ghostty_render_state_free,
        )
        self._rows = handle(
            self,
            "GhosttyRenderStateRowIterator",
            lambda out: lib.ghostty_render_state_row_iterator_new(ffi.NULL, out),
            lib.ghostty_render_state_row_iterator_free,
        )
        self._cells = handle(
            self,
            "GhosttyRenderStateRowCells",
            lambda out: lib.ghostty_render_state_row_cells_new(ffi.NULL, out),
            lib.ghostty_render_state_row_cells_free,
        )
        # The getters take a pointer to the handle.
        self._rows_ref = ffi.new("GhosttyRenderStateRowIterator *", self._rows)
        self._cells_ref = ffi.new("GhosttyRenderStateRowCells *", self._cells)
        self._row = ffi.new("uint16_t *")
        self._view = ffi.new("GhosttyCellsView *")
        self._style = ffi.new("GhosttyStyle *")
        self._style.size = ffi.sizeof("GhosttyStyle")
        self._style_bytes = ffi.buffer(self._style)
        self._colors = ffi.new("GhosttyRenderStateColors *")
        self._colors.size = ffi.sizeof("GhosttyRenderStateColors")
        self._color_bytes = b""
        self._cursor = ffi.new("GhosttyRenderStateCursor *")
        self._cursor.size = ffi.sizeof("GhosttyRenderStateCursor")
        self._utf8 = ffi.new("GhosttyBuffer *")
        self._utf8_space = ffi.new("uint8_t[]", 256)
        self._texts = _CellTable()
        self._styles: dict[bytes, CellStyle] = {}
        self._blanks: dict[int, CellStyle] = {}
        self._links: dict[CellStyle, CellStyle] = {}
        self._default = CellStyle((0, 0, 0), (0, 0, 0))

    def update(self, terminal: Any) -> None:
        """Take over what changed in ``terminal`` since the last time."""
        check(lib.ghostty_render_state_update(self._state, terminal), "render state update")

    def rows(self) -> dict[int, list[Run]]:
        """The rows that changed since the last call, by number from the top."""
        get = lib.ghostty_render_state_get
        self._read_colors()
        iterator = lib.GHOSTTY_RENDER_STATE_DATA_ROW_ITERATOR
        check(get(self._state, iterator, self._rows_ref), "row iterator")
        changed: dict[int, list[Run]] = {}
        while lib.ghostty_render_state_row_iterator_next_dirty(self._rows, self._row):
            changed[self._row[0]] = self._read_row()
        check(lib.ghostty_render_state_clean(self._state), "render state clean")
        return changed

    def cursor(self) -> Cursor:
        """The cursor; not visible too when it is scrolled out of sight."""
        cursor = self._cursor
        which = lib.GHOSTTY_RENDER_STATE_DATA_CURSOR
        check(lib.ghostty_render_state_get(self._state, which, cursor), "cursor")
        col = cursor.viewport_x - (1 if cursor.wide_tail else 0)
        visible = bool(cursor.visible and cursor.viewport_has_value)
        return Cursor(cursor.viewport_y, max(col, 0), visible, _SHAPES.get(cursor.visual_style, "block"))

    @property
    def default(self) -> CellStyle:
        """The style of empty cells, with the current default colours."""
        return self._default

    def _read_colors(self) -> None:
        colors = self._colors
        which = lib.GHOSTTY_RENDER_STATE_DATA_COLORS
        check(lib.ghostty_render_state_get(self._state, which, colors), "colours")
        now = ffi.buffer(colors)[:]
        if now != self._color_bytes:
            self._color_bytes = now
            self._styles.clear()
            self._blanks.clear()
            self._links.clear()
            self._default = CellStyle(_rgb(colors.foreground), _rgb(colors.background))

    def _read_row(self) -> list[Run]:
        get = lib.ghostty_render_state_row_get
        check(get(self._rows, lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS_RAW, self._view), "row")
        check(get(self._rows, lib.GHOSTTY_RENDER_STATE_ROW_DATA_CELLS, self._cells_ref), "row cells")
        texts = self._texts
        runs: list[Run] = []
        parts: list[str] = []
        start, current = 0, 0
        # Style ids mean something within one row only: they are looked up where a run starts.
        for x, raw in enumerate(ffi.unpack(self._view.ptr, self._view.len)):
            text, style = texts[raw]
            if style != current:
                if parts:
                    runs.append(("".join(parts), self._style_at(start, current)))
                    parts = []
                start, current = x, style
            parts.append(self._cluster_at(x, raw) if text is None else text)
        runs.append(("".join(parts), self._style_at(start, current)))
        return runs

    def _cluster_at(self, x: int, raw: int) -> str:
        check(lib.ghostty_render_state_row_cells_select(self._cells, x), "cell")
        which = lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_GRAPHEMES_UTF8
        buffer = self._utf8
        buffer.ptr, buffer.cap, buffer.len = self._utf8_space, len(self._utf8_space), 0
        if lib.ghostty_render_state_row_cells_get(self._cells, which, buffer) == lib.GHOSTTY_OUT_OF_SPACE:
            self._utf8_space = ffi.new("uint8_t[]", buffer.len)
            buffer.ptr, buffer.cap = self._utf8_space, len(self._utf8_space)
            check(lib.ghostty_render_state_row_cells_get(self._cells, which, buffer), "cell text")
        wide = ffi.new("GhosttyCellWide *")
        check(lib.ghostty_cell_get(raw, lib.GHOSTTY_CELL_DATA_WIDE, wide), "cell width")
        text: str = ffi.buffer(buffer.ptr, buffer.len)[:].decode("utf-8", "replace")
        return fit_cell(text[:32], 2 if wide[0] == lib.GHOSTTY_CELL_WIDE_WIDE else 1)

    def _style_at(self, x: int, key: int) -> CellStyle:
        if key > 0 and key & _LINK:
            return self._linked(self._style_at(x, key & ~_LINK))
        if key == 0:
            return self._default
        if key < 0:
            return self._blank(key)
        check(lib.ghostty_render_state_row_cells_select(self._cells, x), "cell")
        which = lib.GHOSTTY_RENDER_STATE_ROW_CELLS_DATA_STYLE
        check(lib.ghostty_render_state_row_cells_get(self._cells, which, self._style), "cell style")
        raw = self._style_bytes[:]
        found = self._styles.get(raw)
        if found is None:
            if len(self._styles) >= _CACHE_LIMIT:
                self._styles.clear()
            found = self._styles[raw] = self._resolve(self._style)
        return found

    def _linked(self, style: CellStyle) -> CellStyle:
        if style.underline:
            return style
        found = self._links.get(style)
        if found is None:
            if len(self._links) >= _CACHE_LIMIT:
                self._links.clear()
            found = self._links[style] = replace(style, underline=1)
        return found

    def _blank(self, key: int) -> CellStyle:
        found = self._blanks.get(key)
        if found is None:
            if len(self._blanks) >= _CACHE_LIMIT:
                self._blanks.clear()
            if key > -0x101:
                bg = _rgb(self._colors.palette[-1 - key])
            else:
                packed = -0x101 - key
                bg = (packed >> 16, packed >> 8 & 0xFF, packed & 0xFF)
            found = self._blanks[key] = CellStyle(self._default.fg, bg)
        return found

    def _resolve(self, style: Any) -> CellStyle:
        return CellStyle(
            self._color(style.fg_color, self._default.fg),
            self._color(style.bg_color, self._default.bg),
            bold=style.bold,
            dim=style.faint,
            italic=style.italic,
            underline=style.underline,
            blink=style.blink,
            reverse=style.inverse,
            hidden=style.invisible,
            strike=style.strikethrough,
            overline=style.overline,
        )

    def _color(self, color: Any, default: Rgb) -> Rgb:
        if color.tag == lib.GHOSTTY_STYLE_COLOR_RGB:
            return _rgb(color.value.rgb)
        if color.tag == lib.GHOSTTY_STYLE_COLOR_PALETTE:
            return _rgb(self._colors.palette[color.value.palette])
        return default


def _rgb(color: Any) -> Rgb:
    return color.r, color.g, color.b
