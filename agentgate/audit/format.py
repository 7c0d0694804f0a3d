"""One record as one line for a person: ``✓ 13:20:26 exec allow npm install chalk``."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache

from agentgate.actions import Kind, Verdict
from agentgate.audit.record import Record
from agentgate.audit.row import Row
from agentgate.escape import printable

__all__ = ["line", "row_line"]

_GREEN, _RED, _DIM, _RESET = "\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
_LIMIT = 400  # characters of a target; both ends stay readable


def line(
    record: Record,
    *,
    today: date | None = None,
    colour: bool = False,
    ascii_only: bool = False,
    limit: int = _LIMIT,
) -> str:
    """``record`` in one line, nothing in it able to do more than be read.

    The time is local; the date stands before it when ``today`` is given and is another day. A call with
    two objects is shown as ``from -> to``. ``ascii_only`` is for terminals that have no ✓.
    """
    action = record.action
    return _line(
        record.time, action.kind, record.answer.verdict, action.target, action.origin,
        today=today, colour=colour, ascii_only=ascii_only, limit=limit,
    )  # fmt: skip


def row_line(row: Row, *, today: date | None = None, colour: bool = False, ascii_only: bool = False) -> str:
    """`line`, of a row."""
    return _line(
        row.time, row.kind, row.verdict, row.target, row.origin,
        today=today, colour=colour, ascii_only=ascii_only, limit=_LIMIT,
    )  # fmt: skip


def _line(
    time: float,
    kind: Kind,
    verdict: Verdict,
    target: str,
    origin: str,
    *,
    today: date | None,
    colour: bool,
    ascii_only: bool,
    limit: int,
) -> str:
    allowed = verdict is Verdict.ALLOW
    mark = ("+" if allowed else "x") if ascii_only else ("✓" if allowed else "✗")
    when, day = _clock(int(time))
    if today is not None and day != today:
        when = f"{day} {when}"
    target = printable(target, limit)
    if origin:
        target = f"{printable(origin, limit)} -> {target}"
    if ascii_only:
        target = target.encode("ascii", "backslashreplace").decode("ascii")
    word = verdict.value
    if colour:
        paint = _GREEN if allowed else _RED
        mark, word = f"{paint}{mark}{_RESET}", f"{paint}{word}{_RESET}"
        when = f"{_DIM}{when}{_RESET}"
    return f"{mark} {when} {kind.value} {word} {target}"


@lru_cache(1024)  # of a log many lines are of the same second
def _clock(second: int) -> tuple[str, date]:
    moment = datetime.fromtimestamp(second)
    return f"{moment:%H:%M:%S}", moment.date()
