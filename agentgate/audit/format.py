"""One record as one line for a person: ``✓ 13:20:26 exec allow npm install chalk``."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from agentgate.actions import Verdict
from agentgate.audit.row import Row
from agentgate.escape import printable

__all__ = ["line"]

_GREEN, _RED, _DIM, _RESET = "\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
_LIMIT = 400  # characters of a target; both ends stay readable


def line(row: Row, *, today: date | None = None, colour: bool = False, ascii_only: bool = False) -> str:
    """``row`` in one line, nothing in it able to do more than be read.

    The time is local; the date stands before it when ``today`` is given and is another day. A call with
    two objects is shown as ``from -> to``. ``ascii_only`` is for terminals that have no ✓.
    """
    verdict, origin = row.verdict, row.origin
    allowed = verdict is Verdict.ALLOW
    mark = ("+" if allowed else "x") if ascii_only else ("✓" if allowed else "✗")
    when, day = _clock(int(row.time))
    if today is not None and day != today:
        when = f"{day} {when}"
    target = printable(row.target, _LIMIT)
    if origin:
        target = f"{printable(origin, _LIMIT)} -> {target}"
    if ascii_only:
        target = target.encode("ascii", "backslashreplace").decode("ascii")
    word = verdict.value
    if colour:
        paint = _GREEN if allowed else _RED
        mark, word = f"{paint}{mark}{_RESET}", f"{paint}{word}{_RESET}"
        when = f"{_DIM}{when}{_RESET}"
    return f"{mark} {when} {row.kind.value} {word} {target}"


@lru_cache(1024)  # of a log many lines are of the same second
def _clock(second: int) -> tuple[str, date]:
    moment = datetime.fromtimestamp(second)
    return f"{moment:%H:%M:%S}", moment.date()
