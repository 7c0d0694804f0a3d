"""One store, looked at again and again while its session goes on: only what is new in the journal is read."""

from __future__ import annotations

import threading

from agentgate.changes.diff import diff
from agentgate.changes.entries import parse
from agentgate.changes.look import Change, Look
from agentgate.changes.picture import Picture
from agentgate.changes.store import Store

__all__ = ["Following"]


class Following:
    """May be used from several threads; each waits for the other."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._picture = Picture()
        self._look = Look(store)
        self._read = 0
        self._lock = threading.Lock()

    def changes(self) -> list[Change]:
        """What differs now. Raises OSError when the journal cannot be read."""
        with self._lock:
            with open(self.store.journal, "rb") as file:
                file.seek(self._read)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read += len(whole)
            for item in parse(whole.splitlines()):
                self._picture.add(item)
            return self._look.changes(self._picture)

    def diff(self, change: Change) -> list[str]:
        """As ``changes.diff.diff``, of a change that ``changes`` gave."""
        with self._lock:
            return diff(self.store, self._picture, change)
