"""Directories held open, and those that were found before: most calls name a file in one of a few.

A *Directory* is the object itself with the name that the kernel gave for it (proc_pid_fd(5)). One that is
kept is used again only when the kernel still gives that name, so what is decided on is where it is done,
whoever renamed what meanwhile.
"""

from __future__ import annotations

import os

__all__ = ["DIRECTORY", "Directories", "Directory", "link_of"]

DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_KEPT = 512
_FDS = os.open("/proc/self/fd", DIRECTORY)  # saves the walk to it


def link_of(descriptor: int) -> bytes:
    """The kernel's name for what is open (proc_pid_fd(5)); not a path for pipes, sockets and the like."""
    return os.readlink(b"%d" % descriptor, dir_fd=_FDS)


class Directory:
    """Open as ``fd`` (O_PATH) at the real path ``path``. Shared by all that use it; closed with the last."""

    __slots__ = ("fd", "path")

    def __init__(self, fd: int, path: bytes) -> None:
        self.fd = fd
        self.path = path

    def moved(self) -> bool:
        """Whether it is no longer where it was when it was opened."""
        return link_of(self.fd) != self.path

    def __del__(self) -> None:
        os.close(self.fd)


class Directories:
    """Directories by their real paths, the latest few hundred.

    ``find`` answers for a path that was written as the real path of what it leads to, so that no link on
    the way could have been turned. Permissions on the way are not looked at again: whoever changes those
    of a directory calls ``forget``, and so does who sees that something was mounted. Nothing below /proc or
    directly in /dev is kept: names there mean the caller.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Directory] = {}

    def find(self, path: bytes) -> Directory | None:
        known = self._known.get(path)
        if known is None:
            return None
        if link_of(known.fd) == path:
            return known
        del self._known[path]
        return None

    def keep(self, directory: Directory) -> None:
        path = directory.path
        if path.startswith(b"/proc") or path in (b"/dev", b"/"):
            return
        if len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[path] = directory

    def forget(self) -> None:
        self._known.clear()
