"""What differs now from what was there before the session: the journal's picture held against the disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from agentgate.changes.copy import attributes
from agentgate.changes.entries import Entry, Was
from agentgate.changes.picture import Numbered, Picture, parents
from agentgate.changes.store import Store
from agentgate.changes.walk import Walk

__all__ = ["Change", "Look", "Sort", "contents"]

ENTRIES_MAX = 50_000
"""Files counted in directories that the session made."""

_PART = 1 << 20


class Sort(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    REMOVED = "removed"
    RENAMED = "renamed"
    MODE = "mode"  # mode, owner, times or attributes alone


@dataclass(frozen=True, slots=True)
class Change:
    """One path that is not as it was. ``before`` and ``after`` are sizes in bytes, None for what has none or
    is not there. ``why`` says why the content before cannot be had, if it cannot. ``origin`` is what a
    renamed thing was called; ``files`` how many a created directory holds (``after`` is their size, and
    ``more`` says that not all were counted); ``what`` else differs, of `MODE`. ``number`` is the place in
    the journal."""

    path: str
    sort: Sort
    number: int
    before: int | None = None
    after: int | None = None
    why: str = ""
    origin: str = ""
    folder: bool = False
    files: int = 0
    more: bool = False
    what: str = ""


class Look:
    """Looks again and again at one store; what was compared once is compared again only when it changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._same: dict[tuple[str, int, int, int], bool] = {}

    def changes(self, picture: Picture) -> list[Change]:
        """By path. What cannot be looked at is left out."""
        found: list[Change] = []
        created: set[str] = set()
        left = ENTRIES_MAX
        with Walk() as walk:
            for path, renamed in picture.renamed.items():
                status = _status(walk, path)
                if status is not None:
                    size = status.st_size if stat.S_ISREG(status.st_mode) else None
                    found.append(
                        Change(
                            path, Sort.RENAMED, renamed.number, size, size, origin=renamed.origin,
                            folder=stat.S_ISDIR(status.st_mode),
                        )
                    )  # fmt: skip
            for path in sorted(picture.places):
                if _goes_with(path, created, picture):
                    continue
                walk.trim()
                change = self._change(walk, path, picture.places[path], left)
                if change is None:
                    continue
                if change.sort is Sort.CREATED and change.folder:
                    created.add(path)
                    left -= change.files
                found.append(change)
        return sorted(found, key=lambda change: change.path)

    def _change(self, walk: Walk, path: str, known: list[Numbered], left: int) -> Change | None:
        number, first = known[0]
        status = _status(walk, path)
        size = status.st_size if status and stat.S_ISREG(status.st_mode) else None
        if first.was is Was.NONE:
            if status is None:
                return None
            if not stat.S_ISDIR(status.st_mode):
                return Change(path, Sort.CREATED, number, None, size)
            files, total, more = _count(walk, path, max(left, 0))
            return Change(path, Sort.CREATED, number, None, total, folder=True, files=files, more=more)
        before = first.size if first.was is Was.FILE else None
        content = next((entry for _, entry in known if entry.kept or entry.why), first)
        folder = first.was is Was.DIR
        if status is None:
            why = content.why or ("its content was not kept" if _lost(content) else "")
            return Change(path, Sort.REMOVED, number, before, None, why, folder=folder)
        if stat.S_IFMT(status.st_mode) != stat.S_IFMT(first.mode) or not self._same_content(
            walk, path, status, content
        ):
            why = content.why or ("its content was not kept" if _lost(content) else "")
            return Change(path, Sort.CHANGED, number, before, size, why, folder=folder)
        what = ", ".join(_differs(walk, path, status, first))
        return Change(path, Sort.MODE, number, before, size, folder=folder, what=what) if what else None

    def _same_content(self, walk: Walk, path: str, status: os.stat_result, entry: Entry) -> bool:
        if entry.was is Was.LINK:
            parent, name = walk.parent(path)
            return not entry.target or os.readlink(name, dir_fd=parent) == entry.target
        if entry.was is not Was.FILE:
            return True
        if status.st_size != entry.size:
            return False
        if not entry.kept:
            return not entry.why or status.st_mtime_ns == entry.mtime
        key = entry.kept, status.st_ino, status.st_ctime_ns, status.st_size
        same = self._same.get(key)
        if same is None:
            try:
                same = _equal(self._store.open_kept(entry.kept), walk.open(path, os.O_RDONLY))
            except OSError:
                same = status.st_mtime_ns == entry.mtime
            self._same[key] = same
        return same


def _differs(walk: Walk, path: str, status: os.stat_result, entry: Entry) -> Iterator[str]:
    """What is another but the content."""
    if stat.S_IMODE(status.st_mode) != stat.S_IMODE(entry.mode):
        yield f"mode {stat.S_IMODE(entry.mode):o} → {stat.S_IMODE(status.st_mode):o}"
    if (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
        yield f"owner {entry.uid}:{entry.gid} → {status.st_uid}:{status.st_gid}"
    if not stat.S_ISDIR(status.st_mode) and status.st_mtime_ns != entry.mtime:
        yield "times"
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        parent, name = walk.parent(path)
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
        try:
            if attributes(f"/proc/self/fd/{descriptor}") != entry.attributes:
                yield "attributes"
        finally:
            os.close(descriptor)


def _goes_with(path: str, created: set[str], picture: Picture) -> bool:
    """Whether ``path`` is part of a directory that the session made."""
    for parent in parents(path):
        if parent in picture.renamed:
            return False
        if parent in created:
            return True
    return False


def _lost(entry: Entry) -> bool:
    return entry.was is Was.FILE and not entry.kept


def _status(walk: Walk, path: str) -> os.stat_result | None:
    try:
        return walk.status(path)
    except OSError:
        return None


def _equal(one: int, other: int) -> bool:
    """Whether two files hold the same. Closes both."""
    with open(one, "rb", buffering=0) as first, open(other, "rb", buffering=0) as second:
        while True:
            part = first.read(_PART)
            if part != second.read(_PART):
                return False
            if not part:
                return True


def _count(walk: Walk, path: str, most: int) -> tuple[int, int, bool]:
    """Files below ``path``, their bytes, and whether there were more than ``most``."""
    files = size = 0
    for _, status in contents(walk, path):
        if not stat.S_ISDIR(status.st_mode):
            if files >= most:
                return files, size, True
            files += 1
            size += status.st_size
    return files, size, False


def contents(walk: Walk, path: str) -> list[tuple[str, os.stat_result]]:
    """Everything below the directory at ``path``, directories before what they hold. What cannot be looked at
    is left out."""
    found: list[tuple[str, os.stat_result]] = []
    waiting = [path]
    while waiting and len(found) < 2 * ENTRIES_MAX:
        folder = waiting.pop()
        try:
            descriptor = os.dup(walk.folder(folder))
        except OSError:
            continue
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    found.append((f"{folder}/{entry.name}", status))
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(f"{folder}/{entry.name}")
        except OSError:
            pass
        finally:
            os.close(descriptor)
            walk.forget(folder)
    return found
