"""The table as lines of text in a given width, and as a JSON object. Pure."""

from __future__ import annotations

import textwrap
from typing import Any

from agentgate.doctor.facts import Facts
from agentgate.doctor.promises import Grade, Outlook
from agentgate.escape import printable

__all__ = ["as_json", "machine", "table"]

_HEAD = ("promise", "here", "why", "what to do")
_GAP = "  "
_ARROW = "-> "
_NARROWEST, _FOUR_COLUMNS = 60, 110
_LONGEST = 46  # columns of a promise
_COLOUR = {Grade.HOLDS: "32", Grade.PARTLY: "33", Grade.NOT: "31"}


def machine(facts: Facts) -> str:
    """Where this was found, in one line."""
    user = "root" if facts.uid == 0 else f"uid {facts.uid}"
    where = f", in {', '.join(facts.surroundings)}" if facts.surroundings else ""
    landlock = f", Landlock ABI {facts.landlock}" if facts.landlock else ""
    text = f"{facts.system} {facts.release} on {facts.machine}{landlock}, {user}{where}"
    return printable(text, 400)


def table(found: Outlook, width: int, colour: bool = False) -> list[str]:
    """The rows in at most ``width`` columns (60 where that is less), and behind them the verdict as one
    line, however long. Where there is no room for a column of its own, what to do stands below the why."""
    width = max(width, _NARROWEST)
    wide = width >= _FOUR_COLUMNS
    grades = max(len(grade) for grade in Grade)
    rest = width - grades - (3 if wide else 2) * len(_GAP)
    promise = min(rest // 3, _LONGEST)
    todo = (rest - promise) * 2 // 5 if wide else 0
    sizes = (promise, grades, rest - promise - todo, *([todo] if wide else []))
    lines = [*_row([[word] for word in _HEAD[: len(sizes)]], sizes, "1" if colour else ""), ""]
    for row in found.rows:
        why, act = _wrap(row.why, sizes[2]), row.todo
        columns = [_wrap(row.promise, promise), [row.grade.value], why]
        if wide:
            columns.append(_wrap(act, todo))
        elif act:
            columns[2] = [*why, *_wrap(f"{_ARROW}{act}", sizes[2])]
        lines += _row(columns, sizes, _COLOUR[row.grade] if colour else "", 1)
    return [*lines, "", printable(found.verdict, 1000)]


def _row(columns: list[list[str]], sizes: tuple[int, ...], paint: str, painted: int = -1) -> list[str]:
    """Folded ``columns`` side by side; column ``painted`` (or all) in colour ``paint``."""
    lines = []
    for number in range(max(map(len, columns))):
        parts = []
        for index, (column, size) in enumerate(zip(columns, sizes, strict=True)):
            text = (column[number] if number < len(column) else "").ljust(size)
            if paint and painted in (-1, index) and text.strip():
                text = f"\x1b[{paint}m{text}\x1b[0m"
            parts.append(text)
        lines.append(_GAP.join(parts).rstrip())
    return lines


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(printable(text, 1000), width, break_on_hyphens=False) or [""]


def as_json(facts: Facts, found: Outlook) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "verdict": found.verdict,
        "rows": [
            {"promise": row.promise, "grade": row.grade.value, "why": row.why, "todo": row.todo}
            for row in found.rows
        ],
        "facts": facts.to_json(),
    }
