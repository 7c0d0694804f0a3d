"""What a file says that is about to be renamed onto a guarded name, when nobody can change it any more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat

from agentgate.actions import GuardName
from agentgate.gate.gitconfig import SIZE_MAX, harmless
from agentgate.intercept.kernel.places import Place

__all__ = ["clears"]

_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def clears(guard: GuardName, source: Place, target: Place) -> bool:
    """Whether ``guard`` has nothing to ask about a rename of ``source`` to ``target``.

    Holds for a rename that the warden makes before it takes another call: who would write the file first has
    to open it, and that would be held.
    """
    if guard is not GuardName.GIT_CONFIG or target.name not in (b"config", b"config.worktree"):
        return False
    try:
        new = _settled(source)
        old = _text(target) if target.status() else b""
        return new is not None and harmless(new, old, empty=_empty(target))
    except OSError:
        return False


def _settled(place: Place) -> bytes | None:
    """The text of the file at ``place``; None when it has another name, or is open for writing anywhere: then
    it can still become another text. The kernel gives a read lease only on a file that is not (fcntl(2))."""
    descriptor = os.open(place.name, _READING, dir_fd=place.fd)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return _whole(descriptor) if os.fstat(descriptor).st_nlink == 1 else None
    finally:
        os.close(descriptor)


def _empty(config: Place) -> bool:
    """Whether the repository that ``config`` belongs to has no objects (gitrepository-layout(5))."""
    beside = b"/proc/self/fd/%d/" % config.fd
    found: list[str] = []
    for part in (b"objects", b"objects/info", b"objects/pack"):
        with contextlib.suppress(FileNotFoundError):
            found += map(os.fsdecode, os.listdir(beside + part))
    return not set(found) - {"info", "pack"} and not os.path.lexists(beside + b"commondir")


def _text(place: Place) -> bytes:
    descriptor = os.open(place.name, _READING, dir_fd=place.fd)
    try:
        return _whole(descriptor)
    finally:
        os.close(descriptor)


def _whole(descriptor: int) -> bytes:
    """The text of a small regular file. Raises OSError for anything else."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > SIZE_MAX:
        raise OSError
    text = os.read(descriptor, SIZE_MAX)
    if len(text) != status.st_size:
        raise OSError
    return text
