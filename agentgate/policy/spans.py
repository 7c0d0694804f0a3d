"""How long an answer holds. Pure: the time now is always given."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

__all__ = ["Span"]


class Span(StrEnum):
    """From short to long; the value is what a person calls it. Once and a session leave the policy file as
    it is; the others stand in it."""

    ONCE = "once"
    SESSION = "this session"
    HOUR = "1 hour"
    DAY = "1 day"
    ALWAYS = "always"

    @property
    def written(self) -> bool:
        """Whether it takes a rule in the file."""
        return self in _LENGTHS or self is Span.ALWAYS

    def until(self, now: dt.datetime) -> dt.datetime | None:
        """The rule's ``until``, in whole seconds and in the zone of ``now``; None: it has none."""
        length = _LENGTHS.get(self)
        return None if length is None else now.replace(microsecond=0) + length

    def moved(self, by: int) -> Span:
        """The one ``by`` places further, round and round."""
        spans = list(Span)
        return spans[(spans.index(self) + by) % len(spans)]


_LENGTHS = {Span.HOUR: dt.timedelta(hours=1), Span.DAY: dt.timedelta(days=1)}
