"""A summary in words: a few lines for the end of a session, all of it for ``agentgate audit --summary``.

Everything that came from the agent is escaped. Pure.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentgate.actions import Kind
from agentgate.audit.summary import Change, Summary
from agentgate.escape import printable

__all__ = ["as_json", "brief", "full"]

LABEL = 10
MANY = 3  # files of one directory that are named one by one outside the project
CUT = 40  # characters of a command in a list of them
SHOWN = 40  # lines of one sort in the full summary
_NOTABLE = ("outside", "refused", "read", "asked")
_VERBS = {Kind.EXEC: "run", Kind.FS_WRITE: "change", Kind.FS_READ: "read", Kind.NET_EGRESS: "reach"}


def brief(told: Summary, project: str, cells: int, *, only_notable: bool = False) -> list[str]:
    """At most eight lines of ``cells`` characters; of what did not happen none. ``only_notable`` leaves out
    what a session is for: commands, connections and changes in the project."""
    ran = [_cut(each.command) + _times(each.count) for each in told.ran if each.depth == 1]
    below = sum(each.count for each in told.ran if each.depth > 1)
    here, outside = _changes(told, project)
    rows = [
        ("ran", [*ran, *([f"{_number(below, 'command')} below"] if below else [])]),
        ("reached", _counted(told.reached)),
        ("listened", _counted(told.listened)),
        ("changed", here),
        ("outside", outside),
        ("refused", _refused(told, project)),
        ("read", _secrets(told, project)),
        ("asked", [_asked(told)] if told.waits or told.unanswered else []),
    ]
    return [
        label.ljust(LABEL) + _fitting(parts, cells - LABEL)
        for label, parts in rows
        if parts and (label in _NOTABLE or not only_notable)
    ]


def full(told: Summary, project: str) -> list[str]:
    """The heading, and under it one thing a line."""
    lines = [heading(told)]
    top = [printable(each.command, 200) + _times(each.count) for each in told.ran if each.depth <= 1]
    below = [printable(each.command, 200) + _times(each.count) for each in told.ran if each.depth > 1]
    here, outside = _changes(told, project)
    for title, parts in (
        ("What ran", top),
        ("What that ran", below),
        ("What was reached", _counted(told.reached)),
        ("Where it listened", _counted(told.listened)),
        ("What changed in the project", here),
        ("What changed outside", outside),
        ("What was refused", _refused(told, project)),
        ("What secrets were read", _secrets(told, project)),
        ("What was asked", [_asked(told)] if told.waits or told.unanswered else []),
    ):
        if parts:
            lines += ["", title, *(f"  {part}" for part in parts[:SHOWN])]
            if len(parts) > SHOWN:
                lines.append(f"  and {len(parts) - SHOWN:,} more (--json has them all)")
    return lines


def heading(told: Summary) -> str:
    """``session c0e59786 of claude, 14:42:57 to 14:51:03: 1,204 decisions, 3 denied``."""
    what = f"{_number(told.records, 'decision')}, {told.denied:,} denied"
    if not told.records:
        return what
    first, last = datetime.fromtimestamp(told.first), datetime.fromtimestamp(told.last)
    until = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    who = f"{len(told.sessions):,} sessions"
    if len(told.sessions) == 1:
        ((session, agent),) = told.sessions.items()
        who = f"session {printable(session, 40)} of {printable(agent, 40)}"
    return f"{who}, {first:%Y-%m-%d %H:%M:%S} to {until}: {what}"


def as_json(told: Summary, project: str) -> dict[str, Any]:
    return {
        "records": told.records,
        "denied": told.denied,
        "first": told.first,
        "last": told.last,
        "sessions": told.sessions,
        "ran": [{"command": each.command, "count": each.count, "depth": each.depth} for each in told.ran],
        "reached": told.reached,
        "listened": told.listened,
        "changed": {
            place: {
                path: change.value for path, change in told.changed.items() if _is_in(path, project) is inside
            }
            for place, inside in (("project", True), ("outside", False))
        },
        "changed_more": told.more,
        "refused": [
            {"action": each.kind.value, "target": each.target, "why": each.why, "count": count}
            for each, count in told.refused.items()
        ],
        "secrets": told.secrets,
        "questions": {
            "answered": len(told.waits),
            "denied": told.refusals,
            "unanswered": told.unanswered,
            "median_seconds": told.median_wait,
            "under_a_second": told.quick,
        },
    }


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _times(count: int) -> str:
    return f" ×{count:,}" if count > 1 else ""


def _counted(counts: dict[str, int]) -> list[str]:
    """The most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return [printable(target.removesuffix(":443"), 200) + _times(count) for target, count in ordered]


def _refused(told: Summary, project: str) -> list[str]:
    return [
        f"to {_VERBS[each.kind]} {_short(each.target, project)}{_times(count)} ({printable(each.why, 120)})"
        for each, count in told.refused.items()
    ]


def _secrets(told: Summary, project: str) -> list[str]:
    return [f"{_short(path, project)} by {printable(by, 40)}" for path, by in told.secrets.items()]


def _asked(told: Summary) -> str:
    parts = []
    if told.waits:
        said = f"{_number(len(told.waits), 'question')}: {len(told.waits) - told.refusals:,} allowed, "
        parts.append(f"{said}{told.refusals:,} denied; half of them within {told.median_wait:.1f} s")
    if told.quick:
        parts.append(f"{told.quick:,} in under a second")
    if told.unanswered:
        parts.append(f"{_number(told.unanswered, 'question')} not answered in time")
    return ", ".join(parts)


# What changed


@dataclass(frozen=True, slots=True)
class _Place:
    """A directory or file as it is shown, with what happened there."""

    name: str
    changes: tuple[Change, ...]

    @property
    def words(self) -> str:
        if len(self.changes) == 1 and not self.name.endswith("/"):
            return f"{printable(self.name, 200)} {self.changes[0]}"
        counts = [(self.changes.count(change), change) for change in Change]
        return f"{printable(self.name, 200)} " + ", ".join(f"{n:,} {change}" for n, change in counts if n)


def _changes(told: Summary, project: str) -> tuple[list[str], list[str]]:
    """In the project by its first level, and outside by name, where a directory has many by directory."""
    here: dict[str, list[Change]] = {}
    outside: dict[str, list[tuple[str, Change]]] = {}
    for path, change in told.changed.items():
        if _is_in(path, project):
            name, slash, _ = os.path.relpath(path, project).partition("/")
            here.setdefault(name + slash, []).append(change)
        else:
            outside.setdefault(os.path.dirname(path), []).append((path, change))
    inside = [_Place(name, tuple(changes)) for name, changes in here.items()]
    inside.sort(key=lambda place: -len(place.changes))
    away: list[_Place] = []
    for directory, files in outside.items():
        if len(files) > MANY:
            away.append(_Place(_short(directory, "") + "/", tuple(change for _, change in files)))
        else:
            away += [_Place(_short(path, ""), (change,)) for path, change in files]
    if told.more:
        away.append(_Place(f"and {told.more:,} more changes, of more files than are told apart", ()))
    return [place.words for place in inside], [place.words.rstrip() for place in away]


def _is_in(path: str, project: str) -> bool:
    return path == project or path.startswith(project.rstrip("/") + "/")


def _short(target: str, project: str) -> str:
    """A path below the project from there on, one below the home with ~."""
    home = os.path.expanduser("~")
    if project and target.startswith(project.rstrip("/") + "/"):
        target = os.path.relpath(target, project)
    elif home != "/" and target.startswith(home + "/"):
        target = "~" + target[len(home) :]
    return printable(target, 200)


def _cut(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= CUT else shown[: CUT - 1].rstrip() + "…"


def _fitting(parts: Iterable[str], cells: int) -> str:
    """As many parts as fit, and how many more there are."""
    parts = list(parts)
    for count in range(len(parts), 0, -1):
        more = f" · and {len(parts) - count:,} more" if count < len(parts) else ""
        line = " · ".join(parts[:count]) + more
        if len(line) <= cells:
            return line
    more = f" · and {len(parts) - 1:,} more" if len(parts) > 1 else ""
    return (parts[0][: max(cells - len(more) - 1, 8)].rstrip() + "…" + more)[: max(cells, 0)]
