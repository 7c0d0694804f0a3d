"""Searching what the terminal keeps: from the newest line back, upper and lower case alike (in ASCII).

A match that is wrapped to the next row is one match; those of the alternate screen are that screen's.
"""

from __future__ import annotations

from typing import Any, Final, final

from agentgate.tui.terminal.core import Terminal, check, ffi, handle, lib
from agentgate.tui.terminal.grid import Range, locate, sized

__all__ = ["Finder"]

_MARKED_MOST: Final = 20_000
"""Most matches that are told apart around the viewport; the core gives them a page of history at a time."""


@final
class Finder:
    """One search at a time."""

    def __init__(self, core: Terminal) -> None:
        self._core = core
        self._search: Any = None
        self._needle = ""
        self._room = 256

    @property
    def needle(self) -> str:
        """What is searched for; empty when nothing is."""
        return self._needle

    def start(self, needle: str) -> int:
        """Search for ``needle``; an empty one ends the search. Returns how many matches there are. With
        10,000 lines of history that takes about 0.1 s, once."""
        core = self._core
        self._needle = needle
        with core.lock:
            if self._search is None:
                if not needle:
                    return 0
                self._search = handle(
                    self,
                    "GhosttySearch",
                    lambda out: lib.ghostty_search_new(ffi.NULL, out, core.native),
                    lib.ghostty_search_free,
                )
            data = needle.encode("utf-8", "replace")
            buffer = ffi.new("uint8_t[]", data or b"\0")
            text = ffi.new("GhosttyString *")
            text.ptr, text.len = buffer, len(data)
            check(lib.ghostty_search_set(self._search, lib.GHOSTTY_SEARCH_OPT_NEEDLE, text), "search")
            return self._run() if needle else 0

    def step(self, older: bool) -> tuple[Range, int, int] | None:
        """Go to the next match, an ``older`` or a newer one, and from the last on to the first. Returns
        where it is, its number counted from the newest (0) and how many there are; None without any."""
        core = self._core
        with core.lock:
            if self._search is None or not self._needle or not (total := self._run()):
                return None
            option = lib.GHOSTTY_SEARCH_OPT_SELECT_NEXT if older else lib.GHOSTTY_SEARCH_OPT_SELECT_PREV
            check(lib.ghostty_search_set(self._search, option, ffi.NULL), "search")
            match = sized("GhosttySelection")
            which = lib.GHOSTTY_SEARCH_DATA_SELECTED_MATCH
            if lib.ghostty_search_get(self._search, which, match) != lib.GHOSTTY_SUCCESS:
                return None
            place = self._range(match)
            number = self._number("SELECTED_INDEX")
        return (place, number, total) if place else None

    def marked(self, top: int, rows: int) -> list[Range]:
        """The matches in the ``rows`` rows from ``top`` that the viewport shows."""
        with self._core.lock:
            if self._search is None or not self._needle:
                return []
            self._run()
            found = ffi.new("GhosttySelectionBuffer *")
            which = lib.GHOSTTY_SEARCH_DATA_VIEWPORT_MATCHES
            while True:
                space = ffi.new("GhosttySelection[]", self._room)
                for n in range(self._room):
                    space[n].size = ffi.sizeof("GhosttySelection")
                found.ptr, found.cap, found.len = space, self._room, 0
                result = lib.ghostty_search_get(self._search, which, found)
                if result != lib.GHOSTTY_OUT_OF_SPACE or self._room >= _MARKED_MOST:
                    break
                self._room = min(max(found.len, 2 * self._room), _MARKED_MOST)
            if result != lib.GHOSTTY_SUCCESS:
                return []
            places = [self._range(space[n]) for n in range(found.len)]
        return [p for p in places if p and p[1].row >= top and p[0].row < top + rows]

    def _run(self) -> int:
        check(lib.ghostty_search_run(self._search), "search")
        return self._number("TOTAL_MATCHES")

    def _number(self, name: str) -> int:
        out = ffi.new("size_t *")
        which = getattr(lib, f"GHOSTTY_SEARCH_DATA_{name}")
        found = lib.ghostty_search_get(self._search, which, out) == lib.GHOSTTY_SUCCESS
        return int(out[0]) if found else 0

    def _range(self, match: Any) -> Range | None:
        begin = locate(self._core, ffi.addressof(match, "start"))
        end = locate(self._core, ffi.addressof(match, "end"))
        return (begin, end) if begin and end else None
