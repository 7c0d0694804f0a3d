"""The lines of a log that fit a filter, found a piece at a time and read on demand: 8 bytes of memory a line.

The newest is found first: the file is read back from its end, and on from there as it grows. `work` reads and
searches one piece and may run in a thread; `take` puts what it found into the index, where the index is used.
Only one piece is worked on at a time.

Lines that are no records have their place too, as long as there is no filter: what is in the file is shown.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from agentgate.audit.match import Matcher
from agentgate.audit.query import Filter
from agentgate.audit.read import LONGEST
from agentgate.audit.row import Row
from agentgate.audit.scan import Scan

__all__ = ["Found", "Index"]

PIECE = 256 << 10
"""Bytes that are searched at once: a few milliseconds of a thread."""

READ = 4096  # bytes: most lines are shorter

_LINE = re.compile(rb"[^\n]*\n")


@dataclass(frozen=True, slots=True)
class Found:
    """What a piece from ``begin`` to ``end`` holds: where lines that fit begin, in order, and their rows
    where there was a filter. ``older``: it stands before what was searched already."""

    begin: int
    end: int
    places: list[int]
    rows: list[Row]
    older: bool
    skipped: int


class Index:
    """Raises OSError when the log cannot be opened or read. Nothing that is wanted stands before byte
    ``begin``. ``forward`` reads from there on instead of back from the end. ``rows``: have them also where
    there is no filter. ``skipped`` counts the lines that were no records, where rows are read."""

    def __init__(
        self, path: Path, wanted: Filter, begin: int = 0, *, forward: bool = False, rows: bool = False
    ) -> None:
        self.path = path
        self._rows = rows or bool(wanted.wants)
        self.skipped = 0
        self._scan = Scan(Matcher(wanted))
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._older = array("Q")  # from the newest to the oldest
        self._newer = array("Q")
        end = self._whole_lines(os.fstat(self._file).st_size)
        self._begin = begin if begin <= end else 0  # else the log was replaced by a shorter one
        self._low = self._high = self._begin if forward else end

    def close(self) -> None:
        os.close(self._file)

    def __len__(self) -> int:
        return len(self._older) + len(self._newer)

    @property
    def total(self) -> int:
        """Bytes of the log that are looked at."""
        return max(self._high, os.fstat(self._file).st_size) - self._begin

    @property
    def done(self) -> int:
        """Bytes that were searched."""
        return self._high - self._low if self._low > self._begin else self._high - self._begin

    @property
    def complete(self) -> bool:
        """Whether everything older was searched."""
        return self._low <= self._begin

    def behind(self) -> bool:
        """Whether the file has grown since."""
        return os.fstat(self._file).st_size > self._high

    def replaced(self) -> bool:
        """Whether the path names another file by now, or the file was cut."""
        info = os.fstat(self._file)
        try:
            return info.st_size < self._high or not os.path.samestat(os.stat(self.path), info)
        except OSError:
            return False

    # Searching

    def work(self) -> Found | None:
        """Search the next piece: what was written meanwhile, else what is older. None: nothing to do now."""
        piece = self._read(self._high, PIECE)
        cut = piece.rfind(b"\n") + 1
        while not cut and len(piece) >= PIECE:  # a line as long as that
            longer = self._read(self._high, len(piece) * 4)
            if len(longer) == len(piece):
                break
            piece, cut = longer, longer.rfind(b"\n") + 1
        if cut:
            return self._search(piece[:cut], self._high, older=False)
        if self.complete:
            return None
        begin, size = self._low, PIECE
        while True:
            begin = max(self._begin, self._low - size)
            piece = self._read(begin, self._low - begin)
            first = 0 if begin == self._begin else piece.find(b"\n") + 1
            if begin == self._begin or 0 < first < len(piece):
                return self._search(piece[first:], begin + first, older=True)
            size *= 4

    def _search(self, piece: bytes, begin: int, *, older: bool) -> Found:
        before = self._scan.skipped
        rows: list[Row] = []
        if self._rows:
            places = []
            for place, row in self._scan.rows(piece):
                places.append(begin + place)
                rows.append(row)
        else:
            places = [begin + line.start() for line in _LINE.finditer(piece) if line.end() - line.start() > 1]
        return Found(begin, begin + len(piece), places, rows, older, self._scan.skipped - before)

    def take(self, found: Found, *, keep: bool = True) -> int:
        """Put it in (or not: ``keep``), and go on behind it. Returns how many lines now stand before those
        that stood here already."""
        self.skipped += found.skipped
        if not keep:
            found = replace(found, places=[])
        if found.older:
            self._older.extend(reversed(found.places))
            self._low = found.begin
            return len(found.places)
        self._newer.extend(found.places)
        self._high = found.end
        return 0

    # Reading

    def __getitem__(self, index: int) -> bytes:
        """Line ``index``, the oldest first. Raises IndexError."""
        return self.line(self.place(index))

    def place(self, index: int) -> int:
        """Where line ``index`` begins."""
        older = len(self._older)
        return self._older[older - 1 - index] if index < older else self._newer[index - older]

    def places(self) -> Iterator[int]:
        yield from reversed(self._older)
        yield from self._newer

    def line(self, place: int) -> bytes:
        """The line that begins at ``place``, without its end; at most `LONGEST` bytes of it."""
        size = READ
        while True:
            data = self._read(place, size)
            end = data.find(b"\n")
            if end >= 0 or len(data) < size or size >= LONGEST:
                return data[:end] if end >= 0 else data
            size *= 8

    def _read(self, begin: int, size: int) -> bytes:
        return os.pread(self._file, size, begin)

    def _whole_lines(self, size: int) -> int:
        """Where the last line ends that has an end."""
        end = size
        while end > 0:
            begin = max(0, end - PIECE)
            newline = self._read(begin, end - begin).rfind(b"\n")
            if newline >= 0:
                return begin + newline + 1
            end = begin
        return 0
