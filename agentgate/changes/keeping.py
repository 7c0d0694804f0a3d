"""One session's store from its begin to its end, for the session itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time

from agentgate.changes.entries import Entry, Move
from agentgate.changes.seal import seal
from agentgate.changes.store import About, Store, make, prune
from agentgate.settings import Settings

__all__ = ["Keeping"]


class Keeping:
    """``store`` is None while there is none: before the begin, and in a session that keeps nothing; ``why``
    says why not."""

    def __init__(self, settings: Settings, session: str) -> None:
        self._settings = settings
        self._session = session
        self._lock = -1
        self.store: Store | None = None
        self.why = "the session did not begin"

    def begin(self) -> str:
        """Make the store; returns its directory for the warden, "" where nothing is kept."""
        settings = self._settings
        if not settings.undo:
            self.why = "--no-undo: nothing is kept in this session"
            return ""
        about = About(self._session, settings.agent, str(settings.project), settings.command, time.time())
        try:
            self.store, self._lock = make(settings.env, about)
        except OSError as error:
            self.why = f"there is no place to keep what was there before: {error}"
            return ""
        # the rest of what old sessions kept may go while this one begins
        threading.Thread(target=prune, args=(settings.env,), daemon=True).start()
        return str(self.store.folder)

    def end(self) -> None:
        """To be called when none of the session's processes runs any more. Safe to call twice."""
        if self._lock < 0 or self.store is None:
            return
        with contextlib.suppress(OSError):  # not sealed: undo says so
            if any(isinstance(item, Entry | Move) for item in self.store.items()):
                seal(self.store)
            else:  # another session's place is worth more
                shutil.rmtree(self.store.folder, ignore_errors=True)
        os.close(self._lock)
        self._lock = -1
