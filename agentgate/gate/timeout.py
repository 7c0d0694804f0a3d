"""Questions that nobody answers in time are denied: this once, and no rule comes of it.

The clock of a question stops while the operator looks at it: who reads is not away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

from agentgate.actions import Source, Verdict
from agentgate.gate.events import Ask
from agentgate.gate.gate import Gate

__all__ = ["Timeout"]

_LOOK = 1.0  # seconds between two looks at most: new questions come unannounced
_KEPT = 4096  # questions whose stopped time is kept


class Timeout:
    """Denies what waits for longer than ``seconds``. ``clock`` is that of ``Ask.since``."""

    def __init__(self, gate: Gate, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._gate = gate
        self._clock = clock
        self._looked_at: dict[int, float] = {}  # since when
        self._stopped: dict[int, float] = {}  # for how long before that

    def look(self, numbers: Iterable[int]) -> None:
        """These questions are being looked at from now on, and no others: their clocks stand still."""
        now, wanted = self._clock(), set(numbers)
        for number in [number for number in self._looked_at if number not in wanted]:
            self._stopped[number] = self._stopped.get(number, 0.0) + now - self._looked_at.pop(number)
        for number in wanted:
            self._looked_at.setdefault(number, now)
        while len(self._stopped) > _KEPT:
            del self._stopped[next(iter(self._stopped))]

    def stopped(self, number: int) -> bool:
        """Whether the clock of question ``number`` stands still."""
        return number in self._looked_at

    def left(self, ask: Ask) -> float:
        """Seconds that ``ask`` may still wait; 0 when it is over."""
        now = self._clock()
        stopped = self._stopped.get(ask.number, 0.0)
        if ask.number in self._looked_at:
            stopped += now - max(self._looked_at[ask.number], ask.since)
        return max(0.0, self.seconds - (now - ask.since - stopped))

    def deny_late(self) -> float:
        """Deny what is over; returns the seconds until it is worth to look again."""
        now = self._clock()
        late: list[Ask] = []
        for ask in self._gate:  # oldest first; the clock of none runs faster than that of an older one
            if now - ask.since < self.seconds:
                return self._deny(late, max(0.001, min(_LOOK, self.seconds - (now - ask.since))))
            if not self.stopped(ask.number) and self.left(ask) <= 0:
                late.append(ask)
        return self._deny(late, min(_LOOK, max(self.seconds, 0.001)))

    def _deny(self, late: list[Ask], again: float) -> float:
        for ask in late:
            note = f"nobody answered within {self.seconds:g} s"
            self._gate.answer(ask.number, Verdict.DENY, Source.TIMEOUT, note)
        return again

    async def run(self) -> None:
        """Deny what is over, until cancelled."""
        while True:
            await asyncio.sleep(self.deny_late())
