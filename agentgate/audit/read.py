"""The audit log, read: one record at a time, whatever else the file holds.

A torn line (power cut, SIGKILL), a line of another program, a later version's field: none is fatal.
What cannot be understood is skipped and counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentgate.audit.record import Record

__all__ = ["Entry", "Log", "parse"]

LONGEST = 16 << 20  # bytes; an argv has at most 2 MiB (execve(2)), escaped six times that


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: the record, whose it is, and the object as written. ``number`` counts within ``session``."""

    record: Record
    session: str
    agent: str
    number: int
    data: dict[str, Any]


def parse(line: bytes) -> Entry | None:
    """The entry of one line, None when it is no whole record."""
    try:
        data = json.loads(line)
        record = Record.from_json(data)
        number = data.get("id", 0)
        return Entry(
            record,
            str(data.get("session", "")),
            str(data.get("agent", "")),
            number if isinstance(number, int) else 0,
            data,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        return None


class Log:
    """Iterate for the entries, oldest first; ``skipped`` counts the lines that were not understood.

    Raises OSError when the file cannot be opened or read. Memory does not grow with the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped = 0

    def __iter__(self) -> Iterator[Entry]:
        self.skipped = 0
        with open(self.path, "rb") as file:
            while line := file.readline(LONGEST):
                if not line.strip():
                    continue
                entry = parse(line)
                while not line.endswith(b"\n") and len(line) == LONGEST:  # pass over the rest of a monster
                    line = file.readline(LONGEST)
                if entry is None:
                    self.skipped += 1
                else:
                    yield entry
