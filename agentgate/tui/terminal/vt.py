"""The terminal emulator behind the pane: bytes of the child in; screen, modes and replies out.

`Vt` may be fed from one thread while another reads it: each call holds its lock, except that `frame`
walks a copy of the screen which only the reading thread uses.

Nothing the child writes leaves this object but as cells, as data made safe to show (its title, its
`Wishes`), or as a reply to the child itself: the clipboard, notifications, images and the operator's own
terminal are out of its reach.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, final

from agentgate.escape import printable
from agentgate.tui.terminal.cells import CellReader, CellStyle, Cursor, Run
from agentgate.tui.terminal.core import Rgb, Terminal, check, ffi, lib, query, scroll_viewport, set_option
from agentgate.tui.terminal.encode import (
    CELL_HEIGHT,
    CELL_WIDTH,
    Encoder,
    MouseAction,
    encode_focus,
    encode_paste,
)
from agentgate.tui.terminal.find import Finder
from agentgate.tui.terminal.grid import Grid
from agentgate.tui.terminal.keys import KeyPress, Mods
from agentgate.tui.terminal.listen import Events, Wishes, listen

__all__ = ["Frame", "Scrollbar", "Vt"]

_SCROLLBACK_BYTES: Final = 64 << 20  # the core's own default, 10,000 bytes, would keep 600 lines
_PAGE_LINES: Final = 500  # history goes a page at a time, and pages of narrow screens have most lines
_TITLE_LENGTH: Final = 200

_APP_CURSOR: Final = 1
_FOCUS_EVENTS: Final = 1004
_ALTERNATE_SCROLL: Final = 1007
_BRACKETED_PASTE: Final = 2004
_SYNCHRONIZED_OUTPUT: Final = 2026
_GRAPHEME_CLUSTERS: Final = 2027
_COLOR_SCHEME_REPORTS: Final = 2031


@dataclass(frozen=True, slots=True)
class Scrollbar:
    """The viewport in the history, in rows."""

    total: int
    offset: int
    length: int

    @property
    def back(self) -> int:
        """How many rows there are below what is shown."""
        return self.total - self.length - self.offset


@dataclass(frozen=True, slots=True)
class Frame:
    """What changed on the screen, and where the cursor is now."""

    rows: dict[int, list[Run]]
    """The changed rows, by number from the top of the viewport."""
    cursor: Cursor
    default: CellStyle
    """The style of empty cells."""
    bar: Scrollbar


@final
class Vt:
    """A terminal of ``rows`` x ``cols`` cells that keeps ``scrollback`` lines of history."""

    def __init__(self, rows: int, cols: int, scrollback: int = 10_000) -> None:
        core = Terminal(_clamp(rows), _clamp(cols))
        self._lock, self._terminal = core.lock, core.native
        self._events = Events()
        self._title = ""
        set_option(self._terminal, "SCROLLBACK_MAX_BYTES", _SCROLLBACK_BYTES if scrollback else 0)
        set_option(self._terminal, "SCROLLBACK_MAX_LINES", scrollback + _PAGE_LINES if scrollback else 0)
        set_option(self._terminal, "KITTY_IMAGE_STORAGE_LIMIT", 0)
        # Off, emoji sequences would be wider here than on the operator's screen, and shift all panels.
        set_option(self._terminal, "MODE_DEFAULT", {"mode": _GRAPHEME_CLUSTERS, "value": True})
        self._callbacks = listen(self._terminal, self._events)
        self._reader = CellReader()
        self._encoder = Encoder(self._terminal)
        self.grid = Grid(core)
        self.finder = Finder(core)
        self.set_colors((0xE0, 0xE0, 0xE0), (0x12, 0x12, 0x12))
        self.resize(rows, cols)

    def feed(self, data: bytes) -> bytes:
        """Take in output of the child; returns what is to be sent to it in reply (device attributes,
        cursor position, mode, colour and size reports, ...)."""
        events = self._events
        with self._lock:
            lib.ghostty_terminal_vt_write(self._terminal, data, len(data))
            if events.title_changed:
                events.title_changed = False
                title = query(self._terminal, "TITLE")
                raw = ffi.buffer(title.ptr, title.len)[:] if title.len else b""
                self._title = printable(raw.decode("utf-8", "surrogateescape"), _TITLE_LENGTH)
            if not events.replies:
                return b""
            reply = b"".join(events.replies)
            events.replies.clear()
        return reply

    def resize(self, rows: int, cols: int) -> bytes:
        """Change the size; the main screen reflows. Returns the report a child with mode 2048 gets."""
        rows, cols = _clamp(rows), _clamp(cols)
        events = self._events
        with self._lock:
            events.rows, events.cols = rows, cols
            size = (cols, rows, CELL_WIDTH, CELL_HEIGHT)
            check(lib.ghostty_terminal_resize(self._terminal, *size), "resize")
            reply = b"".join(events.replies)
            events.replies.clear()
        return reply

    # What is on the screen

    def frame(self) -> Frame:
        """What changed since the last call. From one thread only."""
        with self._lock:
            self._reader.update(self._terminal)
            bar = self._scrollbar()
        rows = self._reader.rows()
        return Frame(rows, self._reader.cursor(), self._reader.default, bar)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._events.rows, self._events.cols

    @property
    def title(self) -> str:
        """The window title the child has set, safe to show."""
        return self._title

    @property
    def bells(self) -> int:
        """How often the child has rung the bell."""
        return self._events.bells

    @property
    def wishes(self) -> Wishes:
        """What else the child has asked for so far."""
        with self._lock:
            return self._events.wishes

    @property
    def scrollbar(self) -> Scrollbar:
        """Where the viewport is in the history."""
        with self._lock:
            return self._scrollbar()

    @property
    def scrolled(self) -> bool:
        """Whether the viewport shows history."""
        with self._lock:
            return not query(self._terminal, "VIEWPORT_ACTIVE")

    def scroll(self, rows: int) -> None:
        """Move the viewport; a negative number goes back into history."""
        with self._lock:
            scroll_viewport(self._terminal, rows)

    def scroll_to_bottom(self) -> None:
        """Show the live screen again."""
        with self._lock:
            scroll_viewport(self._terminal, None)

    def set_colors(self, fg: Rgb, bg: Rgb, palette: list[Rgb] | None = None) -> bytes:
        """The default colours and the first entries (16, or up to 256) of the palette, unless the
        child sets its own. Returns the report that a child with mode 2031 gets when it turned light or
        dark."""
        colors = ffi.new("GhosttyColorRgb[256]")
        lib.ghostty_color_palette_default(colors)
        table: list[Any] = [*(_color(rgb) for rgb in palette or ()), *colors[len(palette or ()) : 256]]
        dark = sum(bg) < 3 * 128
        report = b""
        if dark != self._events.dark and self._mode(_COLOR_SCHEME_REPORTS):
            report = b"\x1b[?997;1n" if dark else b"\x1b[?997;2n"
        with self._lock:
            self._events.dark = dark
            set_option(self._terminal, "COLOR_FOREGROUND", _color(fg))
            set_option(self._terminal, "COLOR_BACKGROUND", _color(bg))
            set_option(self._terminal, "COLOR_CURSOR", _color(fg))
            set_option(self._terminal, "COLOR_PALETTE", table)
        return report

    # Modes the child has set

    @property
    def alternate_screen(self) -> bool:
        """Whether the screen without history is shown (modes 47, 1047, 1049)."""
        with self._lock:
            screen = query(self._terminal, "ACTIVE_SCREEN")
            return bool(screen == lib.GHOSTTY_TERMINAL_SCREEN_ALTERNATE)

    @property
    def mouse_tracking(self) -> bool:
        """Whether the child wants mouse events (modes 9, 1000, 1002, 1003)."""
        with self._lock:
            return bool(query(self._terminal, "MOUSE_TRACKING"))

    @property
    def synchronized(self) -> bool:
        """Whether the child is in the middle of drawing (mode 2026)."""
        return self._mode(_SYNCHRONIZED_OUTPUT)

    @property
    def bracketed_paste(self) -> bool:
        """Mode 2004."""
        return self._mode(_BRACKETED_PASTE)

    @property
    def focus_events(self) -> bool:
        """Mode 1004."""
        return self._mode(_FOCUS_EVENTS)

    @property
    def app_cursor(self) -> bool:
        """DECCKM, mode 1."""
        return self._mode(_APP_CURSOR)

    @property
    def alternate_scroll(self) -> bool:
        """Whether the wheel is to send arrow keys on the alternate screen (mode 1007, on unless unset)."""
        return self._mode(_ALTERNATE_SCROLL)

    # What the operator does

    def encode_key(self, press: KeyPress) -> bytes:
        """The bytes to send for a key; empty when there are none."""
        with self._lock:
            return self._encoder.key(press)

    def encode_mouse(
        self, action: MouseAction, button: str | None, row: int, col: int, mods: Mods = Mods.NONE
    ) -> bytes:
        """The bytes to send for a mouse event in a cell (clamped to the screen); empty when the child
        does not want it. Buttons as in `Encoder.mouse`."""
        rows, cols = self.size
        at = min(max(row, 0), rows - 1), min(max(col, 0), cols - 1)
        with self._lock:
            return self._encoder.mouse(action, button, at, (rows, cols), mods)

    def encode_paste(self, text: str) -> bytes:
        """The bytes to send for pasted text, bracketed if the child has asked for that."""
        return encode_paste(text, self.bracketed_paste)

    def encode_focus(self, gained: bool) -> bytes:
        """The bytes to send when the pane gains or loses focus; empty unless the child asked."""
        return encode_focus(gained) if self.focus_events else b""

    def _scrollbar(self) -> Scrollbar:
        bar = query(self._terminal, "SCROLLBAR")
        return Scrollbar(bar.total, bar.offset, bar.len)

    def _mode(self, number: int) -> bool:
        config = ffi.new("GhosttyTerminalModeConfig *")
        config.mode = number
        with self._lock:
            check(lib.ghostty_terminal_get(self._terminal, lib.GHOSTTY_TERMINAL_DATA_MODE, config), "mode")
        return bool(config.value)


def _clamp(cells: int) -> int:
    return min(max(cells, 1), 0xFFFF)


def _color(rgb: Rgb) -> dict[str, int]:
    return dict(zip("rgb", rgb, strict=True))
