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

from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.directories import DIRECTORY, Directory, link_of

__all__ = ["Object", "Place", "find", "follow", "reach", "reach_at"]

_DELETED = b" (deleted)"
_PATH_MAX = 4096  # with its NUL
_ME = b"/proc/%d" % os.getpid()
_MY_TASK = b"/task/%d" % os.getpid()
_OF_PROCESS = re.compile(rb"/proc/[0-9]+/", re.DOTALL)
_NO_NAME = (b"", b".", b"..")
_CWD = libc.AT_FDCWD & 0xFFFFFFFF


class Place:
    """``name`` in a directory that is held open as ``fd``; ``path`` is its real absolute path. ``slashes``
    when the caller wrote a final slash, which the kernel lets only mean a directory."""

    __slots__ = ("_directory", "fd", "name", "path", "slashes")

    def __init__(self, directory: Directory, name: bytes, *, slashes: bool) -> None:
        self._directory = directory
        self.fd = directory.fd
        self.name = name
        self.slashes = slashes
        if name in _NO_NAME:  # no place to create or remove anything: the kernel will refuse it
            self.path = directory.path
        elif directory.path == b"/":
            self.path = b"/" + name
        else:
            self.path = directory.path + b"/" + name

    @property
    def spelled(self) -> bytes:
        """The name as the kernel should see it, final slash and all."""
        return self.name + b"/" if self.slashes else self.name

    def there(self) -> bool:
        """Whether there is something by that name, a link that leads nowhere included."""
        return os.access(self.name, os.F_OK, dir_fd=self.fd, follow_symlinks=False)

    def status(self) -> os.stat_result | None:
        """What is there, links not followed; None for nothing."""
        try:
            return os.stat(self.name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    @property
    def directory(self) -> bytes:
        """The real path of the directory."""
        return self._directory.path

    def moved(self) -> bool:
        """Whether the directory is no longer where it was when the path was resolved."""
        return self._directory.moved()

    def close(self) -> None:
        """Nothing: the directory is closed with the last place in it."""


class Object:
    """Something that exists, open as ``fd``. ``path`` is empty when it has no name (a pipe, a memfd, a
    deleted file): then only who already holds it can use it, and ``change_of`` says what is decided."""

    __slots__ = ("_link", "fd", "path", "status")

    def __init__(self, fd: int) -> None:
        self.fd = fd  # from here on it is closed, whatever fails
        self._link = link_of(fd)
        self.status = os.fstat(fd)
        gone = self.status.st_nlink == 0 and self._link.endswith(_DELETED)
        self.path = b"" if gone or self._link[:1] != b"/" else self._link

    def change_of(self, caller: Caller) -> str:
        """The path that a change of it is decided on. Empty when nothing is: it has no name, and the caller
        holds it open for writing. Who only reads a file that lost its name, or never had one, may be reading
        what others go on using (shared memory): its last name stands for it then."""
        if self.path:
            return os.fsdecode(self.path)
        if stat.S_ISREG(self.status.st_mode) and not caller.holds(self.status, writing=True):
            return os.fsdecode(self._link)
        return ""

    @property
    def again(self) -> bytes:
        """A path that leads to this very object, whatever its names do."""
        return b"/proc/self/fd/%d" % self.fd

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


def find(caller: Caller, directory: int, path: bytes) -> Place:
    """The place that ``path`` names, its last component not followed. Raises OSError as the kernel would."""
    if caller.proc.owner.rooted:
        caller.check_root()
    head, slash, name = path.rpartition(b"/")
    if name not in _NO_NAME:
        if not slash:
            if directory & 0xFFFFFFFF == _CWD:
                here = caller.here() or _open(caller, b"/proc/%d/cwd" % caller.tid)
                return Place(here, name, slashes=False)
        elif path[:1] == b"/":
            known = caller.proc.owner.directories.find(head)
            if known:
                return Place(known, name, slashes=False)
    full = caller.path(directory, path)
    trail = full.rstrip(b"/")
    if not trail:
        full, trail = b"/.", b"/."
    head, _, name = trail.rpartition(b"/")
    if name in (b".", b".."):
        head, name = trail, b"."
    slashes = full[-1:] == b"/" and len(full) > 1
    return Place(_open(caller, head or b"/"), name, slashes=slashes)


def _open(caller: Caller, path: bytes) -> Directory:
    """The directory at ``path``, which ``Caller.path`` made."""
    found = _directory(caller, _enter(caller, path, DIRECTORY), _plain(caller, path))
    if found.path == path:
        caller.proc.owner.directories.keep(found)
    return found


def _enter(caller: Caller, path: bytes, flags: int) -> int:
    """Open a path that ``Caller.path`` made: it may be too long by what was put before the caller's."""
    try:
        if len(path) < _PATH_MAX:
            return os.open(path, flags)
        parts = path.split(b"/", 5 if path.split(b"/", 4)[3:4] == [b"fd"] else 4)
        base = os.open(b"/".join(parts[:-1]), DIRECTORY)
        try:
            return os.open(parts[-1], flags, dir_fd=base)
        finally:
            os.close(base)
    except FileNotFoundError:
        caller.check_base(path)
        raise


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


def _directory(caller: Caller, fd: int, plain: bytes) -> Directory:
    """What is open as ``fd``, which is the directory's from now on. ``plain``: see _verify."""
    try:
        real = link_of(fd)
        if real.startswith(_ME) and real[len(_ME) : len(_ME) + 1] in (b"", b"/"):
            # a link or a directory led to /proc/self: the kernel took it for the warden's
            own = b"/proc/%d" % caller.tid + real[len(_ME) :].removeprefix(_MY_TASK)
            theirs = os.open(own, DIRECTORY)
            os.close(fd)
            fd = theirs
            real = plain = link_of(fd)
        if real.endswith(_DELETED) and os.fstat(fd).st_nlink == 0:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        _verify(fd, real, plain)
        return Directory(fd, real)
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
    fd = os.open(head or b".", DIRECTORY, dir_fd=place.fd)
    folder = _directory(caller, fd, place.directory if not head else target)
    return Place(folder, name, slashes=target[-1:] == b"/")


def reach(
    caller: Caller, directory: int, path: bytes, *, follow: bool = True, unheld: bool = False
) -> Object:
    """The existing object that ``path`` names. Raises OSError as the kernel would; and EACCES for what has
    no name and is not the caller's, unless ``unheld``."""
    if caller.proc.owner.rooted:
        caller.check_root()
    flags = os.O_PATH | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    full = caller.path(directory, path)
    found = Object(_enter(caller, full, flags))
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
