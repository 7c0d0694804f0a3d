"""Copies of files as they are now, in the session's store: shared, linked or copied, within bounds."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field

from agentgate.changes.copy import attributes, fill, share
from agentgate.intercept.kernel.places import Object, Place

__all__ = ["Copies", "Copy"]

FILE_MAX = 8 << 20  # bytes that are copied of one file: 4 ms
TOTAL_MAX = 256 << 20  # bytes in all
COPIES_MAX = 20_000
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Copy:
    """``name`` in the store; empty when there is no copy, and ``why``. ``attributes`` are the file's."""

    name: str = ""
    why: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    linked: bool = False


class Copies:
    """``folder`` is the directory for them. ``trouble`` is told what could not be kept."""

    def __init__(self, folder: str, trouble: Callable[[str, OSError], None]) -> None:
        self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._device = os.fstat(self._folder).st_dev
        self._trouble = trouble
        self._unshared: set[int] = set()  # devices that cannot share content with the store
        self._count = self._bytes = 0

    def make(self, held: Place | Object, status: os.stat_result, *, going: bool = False) -> Copy:
        """Copy the file at ``held``, which has this ``status``. ``going``: it is about to lose this name, so
        where that is its only one a link serves as well, at no cost. Should it keep the name after all, call
        ``part``: the file must not be shared then."""
        if self._count >= COPIES_MAX:
            return Copy(why=f"{COPIES_MAX:,} files are kept already")
        if self._bytes + status.st_size > TOTAL_MAX:
            return Copy(why=f"{TOTAL_MAX >> 20} MiB are kept already")
        name = str(self._count + 1)
        source = -1
        try:
            if isinstance(held, Place):
                source = os.open(held.name, _READING, dir_fd=held.fd)
            else:
                source = os.open(held.again, _READING & ~os.O_NOFOLLOW)
            if not os.path.samestat(os.fstat(source), status):
                return Copy(why="it was changed meanwhile")
            linked = going and isinstance(held, Place) and self._link(held, status, name)
            if not linked and not self._copy(source, status, name):
                return Copy(why="too large")
            self._count += 1
            self._bytes += status.st_size
            return Copy(name, "", attributes(source), linked)
        except OSError as error:
            self._trouble(os.fsdecode(held.path), error)
            return Copy(why=error.strerror or str(error))
        finally:
            if source >= 0:
                os.close(source)

    def _link(self, place: Place, status: os.stat_result, name: str) -> bool:
        if status.st_nlink > 1 or status.st_dev != self._device or not stat.S_ISREG(status.st_mode):
            return False
        try:
            os.link(place.name, name, src_dir_fd=place.fd, dst_dir_fd=self._folder, follow_symlinks=False)
        except OSError:  # not everybody may link to everything (fs.protected_hardlinks)
            return False
        return True

    def _copy(self, source: int, status: os.stat_result, name: str) -> bool:
        large = status.st_size > FILE_MAX
        if large and status.st_dev in self._unshared:
            return False
        target = os.open(name, _NEW, 0o600, dir_fd=self._folder)
        done = False
        try:
            if status.st_dev not in self._unshared:
                done = share(source, target)
                if not done:
                    self._unshared.add(status.st_dev)
            if not done and not large:
                fill(source, target, FILE_MAX)
                done = True
        finally:
            os.close(target)
            if not done:
                os.unlink(name, dir_fd=self._folder)
        return done

    def part(self, name: str) -> None:
        """Make a copy of what is a link. Raises OSError."""
        source = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._folder)
        new = f"{name}.part"
        try:
            target = os.open(new, _NEW, 0o600, dir_fd=self._folder)
            try:
                if not share(source, target):
                    fill(source, target, TOTAL_MAX)
                os.rename(new, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
            finally:
                os.close(target)
        finally:
            os.close(source)
