"""Where sessions keep what was there before: a directory for each agent, which only this user may enter.

    $XDG_STATE_HOME/agentgate/sessions/ID/session.json    whose it is; locked (flock(2)) while it runs
                                          journal.jsonl   see entries.py
                                          kept/N          the content of a file

The oldest sessions are removed when another begins. The directory is one of the gate's own: the agent is
asked about every write to it and every read in it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from agentgate.changes.entries import Item, line, parse
from agentgate.statedir import state_directory

__all__ = ["About", "Store", "make", "prune", "root", "sessions"]

SESSIONS_MAX = 20
BYTES_MAX = 1 << 30
_YOUNG = 60.0  # seconds in which a session may still be on its way to lock its directory


def root(env: Mapping[str, str]) -> Path:
    """The directory of all sessions, which need not be there."""
    return state_directory(env) / "sessions"


@dataclass(frozen=True, slots=True)
class About:
    """Whose store it is. ``started`` in Unix seconds."""

    session: str
    agent: str
    project: str
    command: tuple[str, ...]
    started: float


@dataclass(frozen=True)
class Store:
    folder: Path
    about: About

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    def items(self) -> Iterator[Item]:
        """What the journal says, in order. Raises OSError when it cannot be read."""
        with open(self.journal, "rb") as lines:
            yield from parse(lines)

    def add(self, *items: Item) -> None:
        """Append to the journal, in one write. Raises OSError."""
        descriptor = os.open(self.journal, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            data = b"".join(map(line, items))
            while data:
                data = data[os.write(descriptor, data) :]
        finally:
            os.close(descriptor)

    def open_kept(self, name: str) -> int:
        """A descriptor of kept content. Raises OSError."""
        return os.open(self.folder / "kept" / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def alive(self) -> bool:
        """Whether the session still runs."""
        try:
            descriptor = os.open(self.folder / "session.json", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


def make(env: Mapping[str, str], about: About) -> tuple[Store, int]:
    """The store of a session that begins, and a descriptor that says that it runs as long as it is open.
    Raises OSError."""
    base = root(env)
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    name, count = about.session, 1
    while (base / name).exists():  # of another agent in the same session
        count += 1
        name = f"{about.session}-{count}"
    about = replace(about, session=name)
    store = Store(base / name, about)
    store.folder.mkdir(mode=0o700)
    (store.folder / "kept").mkdir(mode=0o700)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    lock = os.open(store.folder / "session.json", flags, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(lock, json.dumps(asdict(about)).encode())
        os.close(os.open(store.journal, flags, 0o600))
    except BaseException:
        os.close(lock)
        raise
    return store, lock


def sessions(env: Mapping[str, str]) -> list[Store]:
    """Every session that is kept, the newest first."""
    found = []
    with contextlib.suppress(OSError):
        for folder in root(env).iterdir():
            about = _about(folder)
            if about:
                found.append(Store(folder, about))
    return sorted(found, key=lambda store: store.about.started, reverse=True)


def _about(folder: Path) -> About | None:
    try:
        data = json.loads((folder / "session.json").read_bytes())
        about = About(**data)
        return About(**{**data, "command": tuple(about.command), "started": float(about.started)})
    except (OSError, ValueError, TypeError):
        return None


def prune(env: Mapping[str, str], most: int = SESSIONS_MAX, room: int = BYTES_MAX) -> None:
    """Remove the oldest sessions, so that ``most`` stay and take no more than ``room`` bytes. Those that run
    stay, and so does whatever cannot be removed."""
    known = sessions(env)
    used = 0
    for count, store in enumerate(known):
        used += _size(store.folder)
        if (count >= most or used > room) and not store.alive():
            shutil.rmtree(store.folder, ignore_errors=True)
    names = {store.folder.name for store in known}
    with contextlib.suppress(OSError):
        for folder in root(env).iterdir():  # what a crash left half made
            if folder.name not in names and time.time() - folder.lstat().st_mtime > _YOUNG:
                shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    size = 0
    with contextlib.suppress(OSError), os.scandir(folder / "kept") as entries:
        for entry in entries:
            size += entry.stat(follow_symlinks=False).st_size
    return size
