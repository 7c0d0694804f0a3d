"""Times as a person writes them, on the command line and in a filter. Pure: the time now is always given."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from agentgate.escape import printable

__all__ = ["parse_since", "parse_until"]

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


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
        if _DAY.match(text):
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"not a time: {printable(text, 40)!r} (write 30m, 1h, 2d, 13:20 or 2026-11-23)")


def parse_until(text: str, now: float) -> float:
    """As `parse_since`, but a date without a time is the end of that day: ``until 2026-11-23`` has all of
    the 23rd in it."""
    moment = parse_since(text, now)
    if _DAY.fullmatch(text.strip()):
        return (datetime.fromtimestamp(moment) + timedelta(days=1)).timestamp()
    return moment
