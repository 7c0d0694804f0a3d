"""One record as one line for a person: ``✓ 13:20:26 exec allow npm install chalk``."""

from __future__ import annotations

from datetime import date, datetime

from agentgate.actions import Verdict
from agentgate.audit.record import Record
from agentgate.escape import printable

__all__ = ["line"]

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
    allowed = record.answer.verdict is Verdict.ALLOW
    mark = ("+" if allowed else "x") if ascii_only else ("✓" if allowed else "✗")
    moment = datetime.fromtimestamp(record.time)
    when = f"{moment:%H:%M:%S}"
    if today is not None and moment.date() != today:
        when = f"{moment:%Y-%m-%d} {when}"
    target = printable(record.action.target, limit)
    if record.action.origin:
        target = f"{printable(record.action.origin, limit)} -> {target}"
    if ascii_only:
        target = target.encode("ascii", "backslashreplace").decode("ascii")
    verdict = record.answer.verdict.value
    if colour:
        paint = _GREEN if allowed else _RED
        mark, verdict = f"{paint}{mark}{_RESET}", f"{paint}{verdict}{_RESET}"
        when = f"{_DIM}{when}{_RESET}"
    return f"{mark} {when} {record.action.kind.value} {verdict} {target}"
