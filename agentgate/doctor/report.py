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
_NARROWEST = 60
_COLOUR = {Grade.HOLDS: "32", Grade.PARTLY: "33", Grade.NOT: "31"}


def machine(facts: Facts) -> str:
    """Where this was found, in one line."""
    user = "root" if facts.uid == 0 else f"uid {facts.uid}"
    where = f", in {', '.join(facts.surroundings)}" if facts.surroundings else ""
    landlock = f", Landlock ABI {facts.landlock}" if facts.landlock else ""
    text = f"{facts.system} {facts.release} on {facts.machine}{landlock}, {user}{where}"
    return printable(text, 400)


def table(found: Outlook, width: int, colour: bool = False) -> list[str]:
    """The rows in at most ``width`` columns (60 where that is less), and the verdict behind them."""
    width = max(width, _NARROWEST)
    grades = max(len(grade) for grade in Grade)
    rest = width - grades - 3 * len(_GAP)
    todo = rest // 4
    promise = min(rest // 4, 30)
    sizes = (promise, grades, rest - promise - todo, todo)
    lines = [_row(_HEAD, sizes, "1" if colour else "")[0], ""]
    for row in found.rows:
        cells = (row.promise, row.grade.value, row.why, row.todo)
        lines += _row(cells, sizes, _COLOUR[row.grade] if colour else "", 1)
    lines += ["", *_wrap(found.verdict, width)]
    return lines


def _row(cells: tuple[str, ...], sizes: tuple[int, ...], paint: str, painted: int = -1) -> list[str]:
    """``cells`` side by side, each folded to its column; column ``painted`` (or all) in colour ``paint``."""
    columns = [_wrap(cell, size) for cell, size in zip(cells, sizes, strict=True)]
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
