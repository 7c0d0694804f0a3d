"""The log read from its beginning, and on: only the rows that are wanted, a megabyte at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from agentgate.audit.match import Matcher
from agentgate.audit.query import Filter
from agentgate.audit.read import LONGEST
from agentgate.audit.row import Row
from agentgate.audit.scan import Scan

__all__ = ["Search", "last_session"]

PIECE = 1 << 20
_MONSTER = b"?\n"  # stands for a line that is longer than any record: no record


class Search:
    """A log that is read on. Raises OSError when the file cannot be opened or read.

    ``skipped`` counts the lines that were no records, ``done`` the bytes that were read. Memory does not
    grow with the file. What is read may be a pipe.
    """

    def __init__(self, path: Path, wanted: Filter, begin: int = 0) -> None:
        """Nothing that is wanted stands before byte ``begin``, where a line begins."""
        self.path = path
        self.done = 0
        self._scan = Scan(Matcher(wanted))
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 (closed by close)
        if 0 < begin <= os.fstat(self._file.fileno()).st_size:
            self.done = self._file.seek(begin)
        self._begun = b""  # a line that has no end yet
        self._monster = False

    def close(self) -> None:
        self._file.close()

    @property
    def skipped(self) -> int:
        return self._scan.skipped

    def rows(self, progress: Callable[[int, int], None] | None = None) -> Iterator[Row]:
        """What fits in the whole lines that were not read yet, oldest first. ``progress`` is told after each
        piece how many bytes are done, and of how many."""
        size = os.fstat(self._file.fileno()).st_size
        while piece := self._next():
            for _, row in self._scan.rows(piece):
                yield row
            if progress is not None:
                progress(self.done, max(size, self.done))

    def end(self) -> Iterator[Row]:
        """The last line where no newline ends it: a record that is whole, else it is counted as skipped."""
        rest, self._begun = self._begun, b""
        if rest or self._monster:
            for _, row in self._scan.rows(_MONSTER if self._monster else rest + b"\n"):
                yield row

    def _next(self) -> bytes:
        """The next whole lines, b"" when there are none for now."""
        while data := self._file.read(PIECE):
            self.done += len(data)
            cut = data.rfind(b"\n") + 1
            if not cut:
                self._begun += b"" if self._monster else data
                if len(self._begun) > LONGEST:
                    self._begun, self._monster = b"", True
                continue
            if self._monster:
                piece = _MONSTER + data[data.index(b"\n") + 1 : cut]
            else:
                piece = self._begun + data[:cut]
            self._begun, self._monster = data[cut:], False
            return piece
        return b""

    def again(self) -> None:
        """Go on with the file that the path names now, from its beginning."""
        file = open(self.path, "rb", buffering=0)  # noqa: SIM115
        self._file.close()
        self._file, self.done = file, 0
        self._begun, self._monster = b"", False

    def replaced(self) -> bool:
        """Whether the path names another file by now, or the file was cut: what follows is in a new one."""
        info = os.fstat(self._file.fileno())
        try:
            return info.st_size < self.done or not os.path.samestat(os.stat(self.path), info)
        except OSError:
            return False  # moved away: the next one will come


def last_session(path: Path) -> str:
    """The session of the last record, "" where there is none. Raises OSError."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        back = PIECE
        while True:
            begin = max(0, size - back)
            file.seek(begin)
            lines = file.read(size - begin).splitlines(keepends=True)
            for line in reversed(lines[1 if begin else 0 :]):
                row = Row.of(line)
                if row is not None:
                    return row.session
            if not begin:
                return ""
            back *= 8
