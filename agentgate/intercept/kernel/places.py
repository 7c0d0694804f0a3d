"""From a path in a system call to the object it means.

A *Place* is a name in a directory that is held open: what is decided (the directory's real path and the
name) is what is used, because the last step is taken with ``dir_fd`` and never through a symbolic link.
An *Object* is an existing thing held open by an O_PATH descriptor; it is used through that descriptor.
Neither can be swapped by who renames, links or rewrites memory between decision and deed.
"""

from __future__ import annotations

import errno
import os
import re
import stat

from agentgate.intercept.kernel.caller import Caller

__all__ = ["Object", "Place", "find", "follow", "reach", "reach_at"]

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_DELETED = b" (deleted)"
_PATH_MAX = 4096  # with its NUL
_ME = b"/proc/%d" % os.getpid()
_MY_TASK = b"/task/%d" % os.getpid()
_OF_PROCESS = re.compile(rb"/proc/[0-9]+/", re.DOTALL)


def link_of(descriptor: int) -> bytes:
    """The kernel's name for what is open (proc_pid_fd(5)); not a path for pipes, sockets and the like."""
    return os.readlink(b"/proc/self/fd/%d" % descriptor)


class _Open:
    """What is held open as ``fd``, and the kernel's name for it when it was opened."""

    __slots__ = ("_link", "fd")

    def __init__(self, fd: int, link: bytes) -> None:
        self.fd = fd
        self._link = link

    def moved(self) -> bool:
        """Whether it is no longer where it was when the path was resolved."""
        return link_of(self.fd) != self._link

    def close(self) -> None:
        """Once is enough, twice does no harm: the number may be somebody else's by then."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:  # where an error came between
        self.close()


class Place(_Open):
    """``name`` in the directory open as ``fd``; ``path`` is its real absolute path. ``slashes`` when the
    caller wrote a final slash, which the kernel lets only mean a directory."""

    __slots__ = ("name", "path", "slashes")

    def __init__(self, fd: int, directory: bytes, name: bytes, *, slashes: bool) -> None:
        super().__init__(fd, directory)
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

    @property
    def directory(self) -> bytes:
        """The real path of the directory."""
        return self._link


class Object(_Open):
    """Something that exists, open as ``fd``. ``path`` is empty when it has no name to decide on (a pipe,
    a memfd, a deleted file): then only who already holds it can use it, and nothing is decided."""

    __slots__ = ("path", "status")

    def __init__(self, fd: int) -> None:
        super().__init__(fd, b"")  # from here on it is closed, whatever fails
        self._link = link_of(fd)
        self.status = os.fstat(fd)
        gone = self.status.st_nlink == 0 and self._link.endswith(_DELETED)
        self.path = b"" if gone or self._link[:1] != b"/" else self._link

    @property
    def again(self) -> bytes:
        """A path that leads to this very object, whatever its names do."""
        return b"/proc/self/fd/%d" % self.fd


def find(caller: Caller, directory: int, path: bytes) -> Place:
    """The place that ``path`` names, its last component not followed. Raises OSError as the kernel would."""
    full = caller.path(directory, path)
    trail = full.rstrip(b"/")
    if not trail:
        full, trail = b"/.", b"/."
    head, _, name = trail.rpartition(b"/")
    if name in (b".", b".."):
        head, name = trail, b"."
    slashes = full[-1:] == b"/" and len(full) > 1
    return _place(
        caller, _enter(head or b"/", _DIRECTORY), name, _plain(caller, head or b"/"), slashes=slashes
    )


def _enter(path: bytes, flags: int) -> int:
    """Open a path that ``Caller.path`` made: it may be too long by what was put before the caller's."""
    if len(path) < _PATH_MAX:
        return os.open(path, flags)
    parts = path.split(b"/", 5 if path.split(b"/", 4)[3:4] == [b"fd"] else 4)
    base = os.open(b"/".join(parts[:-1]), _DIRECTORY)
    try:
        return os.open(parts[-1], flags, dir_fd=base)
    finally:
        os.close(base)


def _plain(caller: Caller, path: bytes) -> bytes:
    """The real path of what ``path`` (as ``Caller.path`` made it) leads to when there is no link in it.
    Empty for the caller's own working directory and descriptors: it has been there itself."""
    own = b"/proc/%d/" % caller.tid
    if not path.startswith(own):
        return path
    kind, _, rest = path[len(own) :].partition(b"/")
    if kind == b"cwd":
        return b"%s/%s" % (os.fsencode(caller.cwd()).rstrip(b"/"), rest) if rest else b""
    if kind == b"fd" and b"/" not in rest:
        return b""
    return path


def _verify(fd: int, real: bytes, plain: bytes) -> None:
    """Links in /proc also lead into other mount namespaces, such as containers, where a path that is the
    project's here is another thing. The name that is decided must lead to what is open. Raises OSError."""
    if plain in (b"", real):
        return
    try:
        same = os.path.samestat(os.fstat(fd), os.stat(real, follow_symlinks=False))
    except PermissionError:  # behind a directory that may not be entered
        same = _mount(fd) in _mounts()
    except OSError:
        same = False
    if not same:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def _mount(fd: int) -> bytes:
    """The number of the mount that ``fd`` lies on (proc_pid_fdinfo(5))."""
    with open(f"/proc/self/fdinfo/{fd}", "rb") as lines:
        return next((line.split()[1] for line in lines if line.startswith(b"mnt_id:")), b"")


def _mounts() -> set[bytes]:
    """The numbers of the mounts of this namespace."""
    with open("/proc/self/mountinfo", "rb") as lines:
        return {line.split(None, 1)[0] for line in lines}


def _place(caller: Caller, fd: int, name: bytes, plain: bytes, *, slashes: bool) -> Place:
    """``name`` in the directory open as ``fd``, which is the place's from now on. ``plain``: see _verify."""
    try:
        real = link_of(fd)
        if real.startswith(_ME) and real[len(_ME) : len(_ME) + 1] in (b"", b"/"):
            # a link or a directory led to /proc/self: the kernel took it for the warden's
            own = b"/proc/%d" % caller.tid + real[len(_ME) :].removeprefix(_MY_TASK)
            theirs = os.open(own, _DIRECTORY)
            os.close(fd)
            fd = theirs
            real = plain = link_of(fd)
        if real.endswith(_DELETED) and os.fstat(fd).st_nlink == 0:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        _verify(fd, real, plain)
        return Place(fd, real, name, slashes=slashes)
    except OSError:
        os.close(fd)
        raise


def _magic(place: Place) -> bool:
    """Whether ``place`` is a file of a process in /proc: what looks like a link there is none (proc(5))."""
    return _OF_PROCESS.match(place.path) is not None


def follow(caller: Caller, place: Place) -> Place:
    """Where a symbolic link at ``place`` points: the place that an open with O_CREAT would use. Names that
    mean the caller itself (/proc/self, /dev/stdout...) mean it in a link too."""
    for _ in range(40):
        status = place.status()
        if status is None or not stat.S_ISLNK(status.st_mode) or _magic(place):
            return place
        target = os.readlink(place.name, dir_fd=place.fd)
        try:
            if target[:1] == b"/":
                following = find(caller, 0, target)
            else:
                following = _beside(caller, place, target)
        finally:
            place.close()
        place = following
    place.close()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _beside(caller: Caller, place: Place, target: bytes) -> Place:
    head, _, name = target.rstrip(b"/").rpartition(b"/")
    if name in (b"", b".", b".."):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    fd = os.open(head or b".", _DIRECTORY, dir_fd=place.fd)
    return _place(caller, fd, name, place.directory if not head else target, slashes=target[-1:] == b"/")


def reach(
    caller: Caller, directory: int, path: bytes, *, follow: bool = True, unheld: bool = False
) -> Object:
    """The existing object that ``path`` names. Raises OSError as the kernel would; and EACCES for what has
    no name and is not the caller's, unless ``unheld``."""
    flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    full = caller.path(directory, path)
    found = Object(_enter(full, flags))
    return found if unheld and not found.path else _own(caller, found, _plain(caller, full))


def reach_at(caller: Caller, place: Place) -> Object:
    """The existing object at ``place``. Raises OSError as the kernel would."""
    found = Object(os.open(place.name, os.O_PATH | os.O_CLOEXEC, dir_fd=place.fd))
    return _own(caller, found, _plain(caller, place.path))


def _own(caller: Caller, found: Object, plain: bytes) -> Object:
    """/proc/PID/fd leads to pipes and files without a name, also to those of others. There is nothing to
    decide by then, so only who holds such a thing already may reach it. ``plain``: see _verify."""
    if found.path:
        _verify(found.fd, found.path, plain)
    elif not caller.holds(found.status):
        found.close()
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    return found
