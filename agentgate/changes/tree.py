"""Changes as a tree, and each in words: for the shell and for the control room. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agentgate.changes.look import Change, Sort

__all__ = ["MARKS", "Row", "counts", "near", "said", "size", "summary", "tree"]

MARKS = {Sort.CREATED: "+", Sort.CHANGED: "~", Sort.REMOVED: "-", Sort.RENAMED: ">", Sort.MODE: "·"}


@dataclass(frozen=True, slots=True)
class Row:
    """``name`` at ``depth``: a directory that holds changes, or a ``change``. ``path`` is its whole path."""

    depth: int
    name: str
    path: str
    change: Change | None = None


@dataclass(slots=True)
class _Node:
    change: Change | None = None
    below: dict[str, _Node] = field(default_factory=dict)

    @property
    def folder(self) -> bool:
        return bool(self.below) or (self.change is not None and self.change.folder)


def tree(changes: Iterable[Change], project: str) -> list[Row]:
    """Rows from top to bottom: what lies in the project first, then all else. A directory that holds only
    one thing stands on one line with it."""
    inside, outside = _Node(), _Node()
    for change in changes:
        within = change.path == project or change.path.startswith(project.rstrip("/") + "/")
        node = inside if within else outside
        rest = change.path[len(project) :] if within else change.path
        for part in filter(None, rest.split("/")):
            node = node.below.setdefault(part, _Node())
        node.change = change
    rows: list[Row] = []
    if inside.change:  # the project itself
        rows.append(Row(0, "./", project, inside.change))
    _rows(inside, 0, project.rstrip("/"), "", rows)
    _rows(outside, 0, "", "/", rows)
    return rows


def _rows(node: _Node, depth: int, path: str, before: str, rows: list[Row]) -> None:
    for name, child in sorted(node.below.items(), key=lambda each: (not each[1].folder, each[0])):
        shown, at = before + name, f"{path}/{name}"
        while child.change is None and len(child.below) == 1:
            [(name, child)] = child.below.items()
            shown, at = f"{shown}/{name}", f"{at}/{name}"
        rows.append(Row(depth, shown + "/" * child.folder, at, child.change))
        _rows(child, depth + 1, at, "", rows)


def size(count: int) -> str:
    """Bytes, short: ``96 B``, ``4.2 KiB``."""
    if count < 1000:
        return f"{count} B"
    units = ["KiB", "MiB", "GiB"]
    amount = count / 1024
    while amount >= 1000 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.1f} {units[0]}" if amount < 10 else f"{amount:.0f} {units[0]}"


def near(path: str, project: str) -> str:
    """``path`` from the project where it lies in it, else the whole."""
    return path.removeprefix(project.rstrip("/") + "/")


def said(change: Change, project: str = "") -> str:
    """What stands behind the name: sizes, where it was, what cannot be had."""
    words = ""
    if change.sort is Sort.RENAMED:
        words = f"was {near(change.origin, project) if project else change.origin}"
    elif change.sort is Sort.CREATED and change.folder:
        more = "+" if change.more else ""
        words = f"{change.files:,}{more} file{'s' if change.files != 1 else ''}, {size(change.after or 0)}"
    elif change.sort is Sort.MODE:
        words = change.what
    elif change.sort is Sort.CHANGED and change.before is not None and change.after is not None:
        words = size(change.after)
        if change.before != change.after:
            words = f"{size(change.before)} → {words}"
    elif change.before is not None or change.after is not None:
        known = change.after if change.sort is Sort.CREATED else change.before
        words = size(known) if known is not None else ""
    return f"{words}, not kept: {change.why}".removeprefix(", ") if change.why else words


def counts(changes: Iterable[Change]) -> str:
    """How many of each sort, by their marks: ``+3 ~1``."""
    sorts = [change.sort for change in changes]
    return " ".join(f"{MARKS[sort]}{sorts.count(sort):,}" for sort in Sort if sort in sorts)


def summary(changes: Iterable[Change]) -> str:
    """How many of each sort: ``3 created, 1 changed``."""
    sorts = [change.sort for change in changes]
    words = {Sort.MODE: "with another mode"}
    return ", ".join(f"{sorts.count(sort):,} {words.get(sort, sort.value)}" for sort in Sort if sort in sorts)
