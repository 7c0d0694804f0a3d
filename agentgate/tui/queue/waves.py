"""Which of a card's questions a key answers: those that were on the screen for long enough. Pure.

A card can get another question while it is looked at ("x3"). Whoever presses a key was shown the ones that
were there; but were a newcomer to start the time anew, an agent could put off every answer. So the ones that
were drawn first stay answerable, and those that joined are drawn and wait out their own half second
together, one wave after the other; whatever joins a wave too late waits for the next.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Joined", "joins", "upto"]


@dataclass(frozen=True, slots=True)
class Joined:
    """The questions up to number ``upto`` joined a card; on the screen since ``drawn_at``, None: not yet."""

    upto: int
    drawn_at: float | None = None

    def armed(self, now: float, seconds: float) -> bool:
        return self.drawn_at is not None and now - self.drawn_at >= seconds


def joins(
    upto: int, joined: Joined | None, newest: int, now: float, seconds: float
) -> tuple[int, Joined | None]:
    """What is answerable and what waits, once ``newest`` is the newest question of the card."""
    if joined is not None and joined.armed(now, seconds):
        upto, joined = joined.upto, None
    if newest > upto and (joined is None or (joined.drawn_at is None and joined.upto < newest)):
        joined = Joined(newest)
    return upto, joined


def upto(upto: int, joined: Joined | None, now: float, seconds: float) -> int:
    """The newest question that a key pressed at ``now`` answers."""
    return joined.upto if joined is not None and joined.armed(now, seconds) else upto
