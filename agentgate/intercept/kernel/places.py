"""From a path in a system call to the object it means.

A *Place* is a name in a directory that is held open: what is decided (the directory's real path and the
name) is what is used, because the last step is taken with ``dir_fd`` and never through a symbolic link.
An *Object* is an existing thing held open by an O_PATH descriptor; it is used through that descriptor.
Neither can be swapped by who renames, links or rewrites memory between decision and deed.
"""

from __future__ import annotations

import errno
import os
import stat

from agentgate.intercept.kernel.caller import Caller

__all__ = ["Object", "Place", "find", "reach"]

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_DELETED = b" (deleted)"


def link_of(descriptor: int) -> bytes:
    """The kernel's name for what is open (proc_pid_fd(5)); not a path for pipes, sockets and the like."""
    return os.readlink(b"/proc/self/fd/%d" % descriptor)


class Place:
    """``name`` in the directory open as ``fd``; ``path`` is its real absolute path. ``slashes`` when the
    caller wrote a final slash, which the kernel lets only mean a directory."""

    __slots__ = ("_directory", "fd", "name", "path", "slashes")

    def __init__(self, fd: int, directory: bytes, name: bytes, *, slashes: bool) -> None:
        self.fd = fd
        self._directory = directory
        self.name = name
        self.slashes = slashes
        if name in (b".", b".."):  # no place to create or remove anything: the kernel will refuse it
            self.path = directory
        else:
            self.path = (b"" if directory == b"/" else directory) + b"/" + name

    @property
    def spelled(self) -> bytes:
        """The name as the kernel should see it, final slash and all."""
        return self.name + b"/" if self.slashes else self.name

    def status(self) -> os.stat_result | None:
        """What is there, links not followed; None for nothing."""
        try:
            return os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def moved(self) -> bool:
        """Whether the directory is no longer where it was when the path was resolved."""
        return link_of(self.fd) != self._directory

    def close(self) -> None:
        """Once is enough, twice does no harm: the number may be somebody else's by then."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:  # where an error came between
        self.close()


class Object:
    """Something that exists, open as ``fd``. ``path`` is empty when it has no name to decide on (a pipe,
    a memfd, a deleted file): then only who already holds it can use it, and nothing is decided."""

    __slots__ = ("_link", "fd", "path", "status")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._link = link_of(fd)
        self.status = os.fstat(fd)
        gone = self.status.st_nlink == 0 and self._link.endswith(_DELETED)
        self.path = b"" if gone or self._link[:1] != b"/" else self._link

    @property
    def again(self) -> bytes:
        """A path that leads to this very object, whatever its names do."""
        return b"/proc/self/fd/%d" % self.fd

    def moved(self) -> bool:
        return link_of(self.fd) != self._link

    def close(self) -> None:
        """Once is enough, twice does no harm: the number may be somebody else's by then."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:  # where an error came between
        self.close()


def find(caller: Caller, directory: int, path: bytes) -> Place:
    """The place that ``path`` names, its last component not followed. Raises OSError as the kernel would."""
    full = caller.path(directory, path)
    trail = full.rstrip(b"/")
    if not trail:
        full, trail = b"/.", b"/."
    head, _, name = trail.rpartition(b"/")
    if name in (b".", b".."):
        head, name = trail, b"."
    if len(name) > 255:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
    fd = os.open(head or b"/", _DIRECTORY)
    try:
        real = link_of(fd)
        if real.endswith(_DELETED) and os.fstat(fd).st_nlink == 0:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        return Place(fd, real, name, slashes=full[-1:] == b"/" and len(full) > 1)
    except OSError:
        os.close(fd)
        raise


def follow(caller: Caller, place: Place) -> Place:
    """Where a dangling symbolic link at ``place`` points: the place that an open with O_CREAT would use."""
    for _ in range(40):
        status = place.status()
        if status is None or not stat.S_ISLNK(status.st_mode):
            return place
        target = os.readlink(place.name, dir_fd=place.fd)
        try:
            if target[:1] == b"/":
                following = find(caller, 0, target)
            else:
                following = _beside(place, target)
        finally:
            place.close()
        place = following
    place.close()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _beside(place: Place, target: bytes) -> Place:
    head, _, name = target.rstrip(b"/").rpartition(b"/")
    if name in (b"", b".", b".."):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    fd = os.open(head or b".", _DIRECTORY, dir_fd=place.fd)
    try:
        return Place(fd, link_of(fd), name, slashes=target[-1:] == b"/")
    except OSError:
        os.close(fd)
        raise


def reach(caller: Caller, directory: int, path: bytes, *, follow: bool = True) -> Object:
    """The existing object that ``path`` names. Raises OSError as the kernel would."""
    flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    return Object(os.open(caller.path(directory, path), flags))
