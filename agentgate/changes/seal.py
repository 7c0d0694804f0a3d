"""The end of a session: what it left is written down, so that what somebody changes afterwards is known."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator

from agentgate.changes.entries import Note, Stamp
from agentgate.changes.look import contents
from agentgate.changes.picture import Picture
from agentgate.changes.store import Store
from agentgate.changes.walk import Walk

__all__ = ["seal", "stamp"]

_BATCH = 1000


def stamp(path: str, status: os.stat_result | None) -> Stamp:
    """What is at ``path``. A directory is only itself: what it holds has stamps of its own."""
    if status is None:
        return Stamp(path)
    if stat.S_ISDIR(status.st_mode):
        return Stamp(path, status.st_ino)
    return Stamp(path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def seal(store: Store) -> None:
    """Write a stamp of everything that the session changed. To be called when none of its processes runs any
    more. Raises OSError; then the journal is not sealed, and taking back asks to be forced."""
    picture = Picture(store.items())
    batch: list[Stamp] = []
    for each in _stamps(picture):
        batch.append(each)
        if len(batch) >= _BATCH:
            store.add(*batch)
            batch.clear()
    store.add(*batch, Note("sealed", time=time.time()))


def _stamps(picture: Picture) -> Iterator[Stamp]:
    with Walk() as walk:
        done: set[str] = set()
        for path in sorted({*picture.places, *picture.renamed}):
            if path in done:
                continue
            walk.trim()
            status = walk.status(path)
            yield stamp(path, status)
            done.add(path)
            if status is not None and stat.S_ISDIR(status.st_mode) and picture.created(path):
                for below, its in contents(walk, path):
                    if below not in done:
                        yield stamp(below, its)
                        done.add(below)
