"""Files by their real paths, reached without following a link: what was a directory when a path was written
down may have become a link since, put there by who wants something else restored or shown."""

from __future__ import annotations

import errno
import os
from types import TracebackType

__all__ = ["Walk", "linked"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_MAX = 128


def linked(path: str) -> OSError:
    return OSError(errno.ELOOP, "a link stands there now", path)


class Walk:
    """Directories are held open from the root on and used again, so what is done to several paths below one
    is done in the same directory. Close it."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}

    def __enter__(self) -> Walk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def folder(self, path: str) -> int:
        """A descriptor of the directory at ``path``, closed with the walk, by ``trim`` or ``forget``. Raises
        OSError: ELOOP where a part of the path is a link."""
        known = self._open.get(path)
        if known is not None:
            return known
        if path == "/":
            found = os.open("/", _FOLDER)
        else:
            parent, name = self.parent(path)
            try:
                found = os.open(name, _FOLDER, dir_fd=parent)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    status = self.status(path)
                    if status is not None and status.st_mode & 0o170000 == 0o120000:
                        raise linked(path) from None
                raise OSError(error.errno, error.strerror, path) from None
        self._open[path] = found
        return found

    def parent(self, path: str) -> tuple[int, str]:
        """The directory that holds ``path``, and the name in it. Raises OSError."""
        folder, _, name = path.rpartition("/")
        return self.folder(folder or "/"), name

    def status(self, path: str) -> os.stat_result | None:
        """What is at ``path``; None for nothing, or where the way there leads through what is no directory.
        Raises OSError where one may not look."""
        try:
            parent, name = self.parent(path)
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None
            raise

    def open(self, path: str, flags: int) -> int:
        """A descriptor of the file at ``path``. Raises OSError."""
        parent, name = self.parent(path)
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)

    def trim(self) -> None:
        """Let go of all, should they be many. What was returned is not to be used any more."""
        if len(self._open) > _OPEN_MAX:
            self.close()

    def forget(self, path: str) -> None:
        """Let go of the directory at ``path`` and those below it: it is another one now."""
        below = f"{path}/"
        for known in [known for known in self._open if known == path or known.startswith(below)]:
            os.close(self._open.pop(known))

    def close(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()
