"""The difference between a file as it was and as it is, as lines of a unified diff, within bounds."""

from __future__ import annotations

import difflib
import os
import stat

from agentgate.changes.entries import Entry, Was
from agentgate.changes.look import Change, Sort
from agentgate.changes.picture import Picture
from agentgate.changes.store import Store
from agentgate.changes.walk import Walk

__all__ = ["diff"]

BYTES_MAX = 512 << 10
LINES_MAX = 5_000
"""Of either side; difflib takes half a second for two files of so many."""
SHOWN_MAX = 2_000


def diff(store: Store, picture: Picture, change: Change) -> list[str]:
    """Lines that begin with "+", "-", " ", "@" (a place) or "·" (what is not content), without line ends."""
    known = [entry for _, entry in picture.places.get(change.path, [])]
    lines: list[str] = []
    if change.sort is Sort.RENAMED:
        lines.append(f"· was {change.origin}")
    if change.what:
        lines.append(f"· {change.what}")
    if change.folder:
        return lines + _folder(change)
    with Walk() as walk:
        status = walk.status(change.path)
        if change.sort in (Sort.MODE, Sort.RENAMED):
            return lines
        before = _before(store, known)
        after = _after(walk, change.path, status)
    if isinstance(before, _Told) or isinstance(after, _Told):
        return lines + [f"· {text}" for text in (before, after) if isinstance(text, _Told)]
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > LINES_MAX and old and new:
        return [*lines, f"· {len(old):,} lines before, {len(new):,} now: too many to compare"]
    found = list(difflib.unified_diff(old, new, lineterm=""))[2:]
    if before and after and not found:
        lines.append("· the same lines; only line ends or the last one differ")
    if len(found) > SHOWN_MAX:
        found = [*found[:SHOWN_MAX], f"· {len(found) - SHOWN_MAX:,} more lines"]
    return lines + found


class _Told(str):
    """What is said of content instead of content."""


def _folder(change: Change) -> list[str]:
    if change.sort is not Sort.CREATED:
        return []
    more = "more than " if change.more else ""
    return [f"· a new directory with {more}{change.files:,} files, {change.after or 0:,} bytes"]


def _before(store: Store, known: list[Entry]) -> str:
    entry = next((entry for entry in known if entry.kept or entry.why or entry.target), known[0])
    if entry.was is Was.NONE:
        return ""
    if entry.was is Was.LINK:
        return f"link to {entry.target}\n"
    if entry.was is not Was.FILE:
        return _Told("before: a directory" if entry.was is Was.DIR else "before: no plain file")
    if not entry.kept:
        return _Told(f"the content before was not kept: {entry.why or 'it was not known to change'}")
    try:
        return _text(store.open_kept(entry.kept), "before")
    except OSError as error:
        return _Told(f"the content before cannot be read: {error.strerror}")


def _after(walk: Walk, path: str, status: os.stat_result | None) -> str:
    if status is None:
        return ""
    try:
        if stat.S_ISLNK(status.st_mode):
            parent, name = walk.parent(path)
            return f"link to {os.readlink(name, dir_fd=parent)}\n"
        if not stat.S_ISREG(status.st_mode):
            return _Told("now: a directory" if stat.S_ISDIR(status.st_mode) else "now: no plain file")
        return _text(walk.open(path, os.O_RDONLY), "now")
    except OSError as error:
        return _Told(f"the content now cannot be read: {error.strerror}")


def _text(descriptor: int, when: str) -> str:
    """What a file says. Closes it."""
    with open(descriptor, "rb", buffering=0) as file:
        size = os.fstat(descriptor).st_size
        if size > BYTES_MAX:
            return _Told(f"{when}: {size:,} bytes, too many to show")
        data = file.read(BYTES_MAX) or b""
    if b"\0" in data:
        return _Told(f"{when}: binary, {size:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _Told(f"{when}: not UTF-8, {size:,} bytes")
