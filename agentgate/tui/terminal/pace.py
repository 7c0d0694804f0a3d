"""When to draw: at once if nothing was drawn lately, else at a bounded rate, and never half a frame.

Between output and screen there is a second clock, Textual's own 60 frames a second. Two clocks of the
same rate in series add their delays up, so this one runs at twice that.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Final, final

__all__ = ["MAX_HOLD", "MAX_RATE", "Pacer"]

MAX_RATE: Final = 120.0
"""Most drawings a second."""

MAX_HOLD: Final = 0.1
"""Seconds that drawing waits for a frame under way (mode 2026) to be completed."""


@final
class Pacer:
    """Calls ``draw`` in the running loop, once for any number of `soon` since the last time; while
    ``held`` says that a frame is under way, only every `MAX_HOLD`."""

    def __init__(self, draw: Callable[[], None], held: Callable[[], bool]) -> None:
        self._draw = draw
        self._held = held
        self._timer: asyncio.TimerHandle | None = None
        self._drawn_at = 0.0
        self._held_since: float | None = None

    def soon(self) -> None:
        """There is something new: draw now, or as soon as the pace allows."""
        now = asyncio.get_running_loop().time()
        due = max(now, self._drawn_at + 1 / MAX_RATE)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self.cancel()
        if due <= now:
            self._run()
        else:
            self._run_at(due)

    def cancel(self) -> None:
        """Forget what is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run_at(self, when: float) -> None:
        call_at = asyncio.get_running_loop().call_at
        self._timer = call_at(when, self._run, context=contextvars.copy_context())

    def _run(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        if not self._held():
            self._held_since = None
        elif self._held_since is None or now < self._held_since + MAX_HOLD:
            self._held_since = self._held_since or now
            self._run_at(self._held_since + MAX_HOLD)
            return
        else:
            self._held_since = now
        self._drawn_at = now
        self._draw()
