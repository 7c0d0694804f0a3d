"""What the cover about this machine says: ``agentgate doctor``'s table, in lines."""

from __future__ import annotations

from dataclasses import dataclass

from agentgate.doctor.facts import Facts
from agentgate.doctor.promises import Grade, outlook
from agentgate.doctor.report import machine
from agentgate.tui.bars import PORTABLE
from agentgate.tui.ink import Ink, Line, fold, outside

__all__ = ["Health", "health_lines"]

_MARKS = {Grade.HOLDS: ("✓", Ink.ALLOW), Grade.PARTLY: ("~", Ink.WAIT), Grade.NOT: ("✗", Ink.DENY)}
_SESSIONS = {"kernel": "the kernel gate", "shim": f"the {PORTABLE}"}


@dataclass(frozen=True, slots=True)
class Health:
    """``facts`` once they are found; ``trying`` until then, or ``error`` why there are none."""

    facts: Facts | None = None
    trying: bool = False
    error: str = ""


def health_lines(health: Health, gate: str, cells: int) -> list[Line]:
    """``gate`` is the running session's. Each promise, then why, then what to do."""
    lines = fold((("this session: ", Ink.DIM), (_SESSIONS.get(gate, "no gate"), Ink.PLAIN)), cells, indent=2)
    if health.facts is None:
        said = outside(health.error, 1000) or "trying what holds on this machine ..."
        return [*lines, (), *fold(((said, Ink.DENY if health.error else Ink.WAIT),), cells)]
    found = outlook(health.facts)
    lines += fold((("this machine: ", Ink.DIM), (machine(health.facts), Ink.PLAIN)), cells, indent=2)
    lines += [(), *fold(((outside(found.verdict, 1000), Ink.ALLOW if found.ok else Ink.DENY),), cells), ()]
    for row in found.rows:
        mark, ink = _MARKS[row.grade]
        grade = "" if row.grade is Grade.HOLDS else f"  {row.grade.value}"
        lines += fold(((f"{mark} ", ink), (row.promise, Ink.STRONG), (grade, ink)), cells, indent=2)
        lines += fold((("  ", Ink.PLAIN), (outside(row.why, 1000), Ink.DIM)), cells, indent=2)
        if row.todo:
            lines += fold((("  → ", Ink.WAIT), (outside(row.todo, 1000), Ink.PLAIN)), cells, indent=4)
    return lines
