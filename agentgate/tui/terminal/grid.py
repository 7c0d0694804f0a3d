"""All that the terminal keeps, history and screen, as one grid: places in it, their words, lines and links.

A `Point` counts rows from the first line of history, so it means another line once the oldest are dropped;
an `Anchor` stays with its text. Both are of the screen that is shown: the alternate one has no history.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, NamedTuple, final

from pyghostty._ffi import union_fn

from agentgate.tui.terminal.core import Terminal, check, ffi, handle, lib, query

__all__ = ["Anchor", "Grid", "Point", "Range", "locate", "sized"]

_URI_LIMIT: Final = 8192
_CONCEALED: Final = "\x1b[8m"
_SGR: Final = re.compile("\x1b\\[([0-9:;]*)m")
_OSC: Final = re.compile("\x1b\\][^\x1b]*\x1b\\\\")
_ADDRESS: Final = re.compile(r"https?://[!-~]*[A-Za-z0-9/#&=+~_%-]", re.IGNORECASE)
"""Ends where a sentence's own punctuation would begin."""
_KEPT: Final = "\n\t\u200d"
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})

# A union cannot be passed by value in ABI mode; pyghostty has a struct of the same layout for this one.
_grid_ref = union_fn(
    "ghostty_terminal_grid_ref", "GhosttyResult(*)(GhosttyTerminal, GhosttyPointS, GhosttyGridRef *)"
)
_track = union_fn(
    "ghostty_terminal_grid_ref_track",
    "GhosttyResult(*)(GhosttyTerminal, GhosttyPointS, GhosttyTrackedGridRef *)",
)
_track_again = union_fn(
    "ghostty_tracked_grid_ref_set",
    "GhosttyResult(*)(GhosttyTrackedGridRef, GhosttyTerminal, GhosttyPointS)",
)


class Point(NamedTuple):
    """A cell: ``row`` from the first line of history, ``col`` from the left."""

    row: int
    col: int


Range = tuple[Point, Point]
"""The first and the last cell of a stretch of text, both in it."""


def _without_concealed(styled: str) -> str:
    """The text of a selection with styles, blanks for what is concealed: it is not shown (`paint`), and a
    command that is not seen is not one to be copied. The core begins each style with a reset and writes each
    attribute on its own."""
    parts = _SGR.split(_OSC.sub("", styled).replace("\r\n", "\n"))
    shown, concealed = [parts[0]], False
    for sgr, text in zip(parts[1::2], parts[2::2], strict=True):
        concealed = sgr == "8" or (concealed and sgr != "0")
        shown.append(re.sub(r"[^\n]", " ", text) if concealed else text)
    return "\n".join(line.rstrip() for line in "".join(shown).split("\n"))


def sized(ctype: str) -> Any:
    """A new struct that says its own size, as the core wants it."""
    struct = ffi.new(ctype + " *")
    struct.size = ffi.sizeof(ctype)
    return struct


def locate(core: Terminal, ref: Any) -> Point | None:
    """Where a grid reference is. With the lock held."""
    out = ffi.new("GhosttyPointCoordinate *")
    where = lib.ghostty_terminal_point_from_grid_ref(core.native, ref, lib.GHOSTTY_POINT_TAG_SCREEN, out)
    return Point(out.y, out.x) if where == lib.GHOSTTY_SUCCESS else None


def _point(point: Point) -> Any:
    out = ffi.new("GhosttyPointS *")
    out.tag = lib.GHOSTTY_POINT_TAG_SCREEN
    out.value.x, out.value.y = point.col, point.row
    return out[0]


def _ref(core: Terminal, point: Point) -> Any:
    """A reference to the cell at ``point``, good until the terminal changes. With the lock held."""
    if point.row < 0 or not 0 <= point.col <= 0xFFFF:
        return None
    ref = sized("GhosttyGridRef")
    return ref if _grid_ref(core.native, _point(point), ref) == lib.GHOSTTY_SUCCESS else None


@final
class Anchor:
    """A place that stays with its text, whatever is written and however the screen is resized.

    It is registered in the terminal, and goes only with it: it is set anew, never made anew.
    """

    def __init__(self, core: Terminal) -> None:
        self._core = core
        self._ref: Any = None
        self._screen: int | None = None

    def put(self, point: Point | None) -> None:
        """Be at ``point``; nowhere with None, or when there is no such place any more."""
        core = self._core
        with core.lock:
            self._screen = None
            if point is None or _ref(core, point) is None:
                return
            if self._ref is None:
                self._ref = handle(
                    self,
                    "GhosttyTrackedGridRef",
                    lambda out: _track(core.native, _point(point), out),
                    lib.ghostty_tracked_grid_ref_free,
                )
            else:
                check(_track_again(self._ref, core.native, _point(point)), "anchor")
            self._screen = query(core.native, "ACTIVE_SCREEN")

    @property
    def point(self) -> Point | None:
        """Where it is now; None when it is nowhere, its text is gone, or the other screen is shown."""
        core = self._core
        with core.lock:
            if self._screen is None or self._screen != query(core.native, "ACTIVE_SCREEN"):
                return None
            out = ffi.new("GhosttyPointCoordinate *")
            where = lib.ghostty_tracked_grid_ref_point(self._ref, lib.GHOSTTY_POINT_TAG_SCREEN, out)
            return Point(out.y, out.x) if where == lib.GHOSTTY_SUCCESS else None


@final
class Grid:
    """Reads stretches of text. A point beyond the grid is nowhere: there is no word, line or link."""

    def __init__(self, core: Terminal) -> None:
        self._core = core
        self.cursor = Anchor(core)
        """Where the operator reads."""
        self.begin = Anchor(core)
        self.end = Anchor(core)
        """Where what the operator selects begins and ends, in either order."""

    def word(self, point: Point) -> Range | None:
        """The word at ``point``: paths and the like are one, as a double click takes them."""
        options = sized("GhosttyTerminalSelectWordOptions")
        return self._select(lib.ghostty_terminal_select_word, options, point)

    def line(self, point: Point) -> Range | None:
        """The line at ``point``, over all rows that it was wrapped to, without blanks at its ends."""
        options = sized("GhosttyTerminalSelectLineOptions")
        return self._select(lib.ghostty_terminal_select_line, options, point)

    def text(self, begin: Point, end: Point) -> str:
        """What stands from ``begin`` up to and with ``end``: wrapped lines whole again, blanks at ends of
        lines gone, and nothing in it that was not to be seen."""
        core = self._core
        with core.lock:
            selection = sized("GhosttySelection")
            first, last = _ref(core, min(begin, end)), _ref(core, max(begin, end))
            if first is None or last is None:
                return ""
            selection.start, selection.end = first[0], last[0]
            text = self._written(selection, lib.GHOSTTY_FORMATTER_FORMAT_PLAIN)
            styled = self._written(selection, lib.GHOSTTY_FORMATTER_FORMAT_VT)
        if _CONCEALED in styled:
            text = _without_concealed(styled)
        if text.isascii():
            return text  # no cell holds a control character
        return "".join(c for c in text if c in _KEPT or unicodedata.category(c) not in _HIDDEN)

    def link(self, point: Point) -> str:
        """The address behind the text at ``point`` (OSC 8), as the agent wrote it; else empty."""
        with self._core.lock:
            ref = _ref(self._core, point)
            if ref is None:
                return ""
            length = ffi.new("size_t *")
            buffer = ffi.new("uint8_t[]", _URI_LIMIT)
            if lib.ghostty_grid_ref_hyperlink_uri(ref, buffer, _URI_LIMIT, length) != lib.GHOSTTY_SUCCESS:
                return ""
            raw: bytes = ffi.buffer(buffer, length[0])[:]
        return raw.decode("utf-8", "surrogateescape")

    def address(self, point: Point) -> str:
        """The address of the web that is written out at ``point``; empty when there is none. Where a program
        has broken it into lines itself, only the part on this one."""
        line = self.line(point)
        if line is None or not line[0] <= point <= line[1]:
            return ""
        before, whole = self.text(line[0], point), self.text(*line)
        for found in _ADDRESS.finditer(whole):
            if found.start() < len(before) <= found.end():
                return found[0]
        return ""

    def _written(self, selection: Any, form: int) -> str:
        """What is selected, written in a form of the core's; with the lock held."""
        options = sized("GhosttyTerminalSelectionFormatOptions")
        options.emit = form
        options.unwrap = options.trim = True
        options.selection = selection
        length = ffi.new("size_t *")
        write, native = lib.ghostty_terminal_selection_format_buf, self._core.native
        if write(native, options[0], ffi.NULL, 0, length) != lib.GHOSTTY_OUT_OF_SPACE:
            return ""
        buffer = ffi.new("uint8_t[]", length[0])
        check(write(native, options[0], buffer, length[0], length), "selection text")
        text: str = ffi.buffer(buffer, length[0])[:].decode("utf-8", "replace")
        return text

    def _select(self, select: Any, options: Any, point: Point) -> Range | None:
        core = self._core
        with core.lock:
            ref = _ref(core, point)
            if ref is None:
                return None
            options.ref = ref[0]
            selection = sized("GhosttySelection")
            if select(core.native, options, selection) != lib.GHOSTTY_SUCCESS:
                return None
            begin = locate(core, ffi.addressof(selection, "start"))
            end = locate(core, ffi.addressof(selection, "end"))
        return (begin, end) if begin and end else None
