"""Which records are wanted. Pure: the time now is always given."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from agentgate.actions import Decision, Kind, Verdict
from agentgate.audit.record import Record
from agentgate.escape import printable

__all__ = ["Filter", "parse_since"]

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@dataclass(frozen=True, slots=True)
class Filter:
    """What is not None must fit. ``decision`` is what the rules said, ``verdict`` how it ended;
    ``since`` is Unix time in seconds, itself included."""

    decision: Decision | None = None
    verdict: Verdict | None = None
    action: Kind | None = None
    since: float | None = None

    def matches(self, record: Record) -> bool:
        return (
            (self.decision is None or record.ruling.decision is self.decision)
            and (self.verdict is None or record.answer.verdict is self.verdict)
            and (self.action is None or record.action.kind is self.action)
            and (self.since is None or record.time >= self.since)
        )


def parse_since(text: str, now: float) -> float:
    """The Unix time that ``text`` names: so long ago (``45s 30m 1h 2d 1w``), a local date or date and
    time in ISO 8601 (``2026-11-23``, ``2026-11-23T13:20``, with or without a zone), or a local time of
    day, the last one before ``now`` (``13:20``). Raises ValueError with one line."""
    text = text.strip()
    ago = _AGO.fullmatch(text)
    if ago:
        return now - int(ago[1]) * _SECONDS[ago[2]]
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text):
            today = datetime.fromtimestamp(now)
            moment = datetime.combine(today.date(), time.fromisoformat(text.zfill(5 if len(text) < 6 else 8)))
            if moment > today:
                moment -= timedelta(days=1)
            return moment.timestamp()
        if re.match(r"\d{4}-\d{2}-\d{2}", text):
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"not a time: {printable(text, 40)!r} (write 30m, 1h, 2d, 13:20 or 2026-11-23)")
