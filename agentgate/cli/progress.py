"""How far a long reading is: one line on standard error, where that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

__all__ = ["Progress"]

SILENT = 1.0  # seconds: what is done by then says nothing
BETWEEN = 0.2  # seconds between two looks


class Progress:
    """Call it with what is done and how much there is. Nothing of it stays on the screen: ``clear`` before
    something else is printed there, and at the end."""

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._what = what
        self._clock = clock
        self._shows = sys.stderr.isatty()
        self._next = clock() + SILENT
        self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.clear()

    def __call__(self, done: int, total: int) -> None:
        if not self._shows or self._clock() < self._next:
            return
        self._next = self._clock() + BETWEEN
        percent = done * 100 // total if total else 100
        print(f"\r{self._what}: {percent} % of {total >> 20:,} MB\x1b[K", end="", file=sys.stderr, flush=True)
        self._shown = True

    def clear(self) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._shown = False
