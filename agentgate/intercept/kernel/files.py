"""File calls, done on the caller's behalf: open for writing, and every other call that changes names.

Each handler takes the caller and the six raw arguments and returns an Effect (or LET_GO); it raises
OSError with the errno that the kernel would give. Attribute changes are in ``attributes.py``.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Callable

from agentgate.actions import Kind
from agentgate.intercept.kernel import devices, libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.content import clears
from agentgate.intercept.kernel.effect import LET_GO, Descriptor, Effect, LetGo, NotYet, Reply
from agentgate.intercept.kernel.moves import Moved
from agentgate.intercept.kernel.places import Object, Place, find, follow, reach, reach_at
from agentgate.intercept.kernel.userns import MAPS, open_within

__all__ = ["HANDLERS", "Args", "Handler", "only"]

Args = tuple[int, int, int, int, int, int]
Handler = Callable[[Caller, Args], Effect | LetGo | Descriptor]  # a descriptor: there was nothing to decide

_CWD = libc.AT_FDCWD
_TMPFILE = os.O_TMPFILE & ~os.O_DIRECTORY
_NOREPLACE, _EXCHANGE, _WHITEOUT = 1, 2, 4  # renameat2(2)
_REMOVEDIR = 0x200
_NODES = (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)


def signed(value: int) -> int:
    return ctypes.c_int(value & 0xFFFFFFFF).value


def fail(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def only(flags: int, known: int) -> None:
    """EINVAL for flags that the call does not have, before anything else is looked at."""
    if flags & 0xFFFFFFFF & ~known:
        raise fail(errno.EINVAL)


def _may_write(place: Place) -> None:
    """The error for creating or removing names in a directory that the user may not write."""
    if not os.access(b"/proc/self/fd/%d" % place.fd, os.W_OK | os.X_OK, effective_ids=True):
        raise fail(errno.EACCES)


def with_umask(caller: Caller, perform: Callable[[], None]) -> None:
    """Run ``perform`` under the caller's umask (the warden has only this one thread that creates)."""
    before = os.umask(caller.umask())
    try:
        perform()
    finally:
        os.umask(before)


# -- open -----------------------------------------------------------------------------------------


def _open(caller: Caller, directory: int, address: int, flags: int, mode: int) -> Effect | LetGo:
    flags &= 0xFFFFFFFF
    if flags & os.O_PATH:
        return LET_GO  # opens nothing for writing, whatever else the flags say
    if flags & _TMPFILE:
        if flags & (os.O_DIRECTORY | os.O_CREAT) != os.O_DIRECTORY or not flags & os.O_ACCMODE:
            raise fail(errno.EINVAL)
    elif flags & os.O_DIRECTORY and flags & os.O_CREAT:
        raise fail(errno.EINVAL)
    path = caller.string(address)
    if path == b"/dev/tty" and flags & os.O_ACCMODE:
        return LET_GO  # the one writable file that the Landlock domain leaves
    if flags & _TMPFILE:
        return _open_unnamed(caller, reach(caller, directory, path), flags, mode)
    if path[-1:] == b"/" and not flags & os.O_CREAT:
        raise fail(_slash_error(caller, directory, path))
    place = find(caller, directory, path)
    try:
        if place.slashes:
            raise fail(errno.EISDIR)
        keep_link = bool(flags & os.O_NOFOLLOW) or (
            flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL
        )
        # nearly every file that is opened so is new, and an exception costs more than a question
        status = place.status() if not flags & os.O_CREAT or place.there() else None
        if status is not None and not keep_link and (stat.S_ISLNK(status.st_mode) or _in_proc(place)):
            found = _through_links(caller, directory, path, place)
            if found is None:
                place = follow(caller, place)
                status = place.status()
                found = reach_at(caller, place) if status is not None and _in_proc(place) else None
            if found is not None:
                place.close()
                return _open_object(caller, found, flags)
        if status is None:
            if not flags & os.O_CREAT:
                raise fail(errno.ENOENT)
            return _open_new(caller, place, flags, mode)
        if flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL:
            raise fail(errno.EEXIST)
        return _open_there(caller, place, status, flags, mode)
    except BaseException:
        place.close()
        raise


def _slash_error(caller: Caller, directory: int, path: bytes) -> int:
    found = reach(caller, directory, path)  # ENOENT, ENOTDIR
    found.close()
    return errno.EISDIR


def _in_proc(place: Place) -> bool:
    return place.path.startswith(b"/proc/")


def _through_links(caller: Caller, directory: int, path: bytes, place: Place) -> Object | None:
    """What the kernel finds at ``path``. None when that is nothing, or may be another thing to the caller:
    then its links are to be followed one by one."""
    if _in_proc(place):
        return None
    try:
        found = reach(caller, directory, path, unheld=True)
    except FileNotFoundError:
        return None
    if found.path and not found.path.startswith((b"/proc/", b"/dev/")):
        return found
    found.close()
    return None


def _opened(descriptor: int, flags: int) -> Descriptor:
    return Descriptor(descriptor, bool(flags & os.O_CLOEXEC))


def _open_new(caller: Caller, place: Place, flags: int, mode: int) -> Effect:
    def perform() -> Reply:
        before = os.umask(caller.umask())
        try:
            how = flags | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW
            return _opened(_without_waiting(place.name, how, mode & 0o7777, place.fd), flags)
        finally:
            os.umask(before)

    return Effect(
        "open", perform, Kind.FS_WRITE, os.fsdecode(place.path),
        check=lambda: _may_write(place), keeps=[place],
    )  # fmt: skip


def _open_there(caller: Caller, place: Place, status: os.stat_result, flags: int, mode: int) -> Effect:
    """A file that exists, by its name; a link there is refused by O_NOFOLLOW as the caller wished. O_CREAT
    stays, because the kernel then looks more closely in sticky directories (fs.protected_regular)."""
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        fd = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=place.fd)
        found = Object(fd)
        place.close()
        return _open_object(caller, found, flags)
    how = flags & ~os.O_EXCL | os.O_CLOEXEC | os.O_NOCTTY | os.O_NOFOLLOW

    def perform() -> Reply:
        permissions = mode & 0o7777 & ~caller.umask()  # should it be gone by now
        return _opened(_without_waiting(place.name, how, permissions, place.fd), flags)

    def check() -> None:
        if flags & os.O_DIRECTORY:
            raise fail(errno.ENOTDIR)
        if stat.S_ISLNK(status.st_mode):
            raise fail(errno.ELOOP)
        if not os.access(place.name, _wanted(flags), dir_fd=place.fd, effective_ids=True):
            raise fail(errno.EACCES)

    return Effect(
        "open", perform, Kind.FS_WRITE, os.fsdecode(place.path), check=check, keeps=[place]
    )  # fmt: skip


def _wanted(flags: int) -> int:
    access = flags & os.O_ACCMODE
    wanted = os.W_OK if access != os.O_RDONLY or flags & os.O_TRUNC else 0
    return wanted | (os.R_OK if access != os.O_WRONLY else 0)


def _open_object(caller: Caller, found: Object, flags: int) -> Effect:
    """Something that exists, through the descriptor that holds it: links, devices, fifos, /proc/self/fd."""
    how = (flags & ~(os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)) | os.O_CLOEXEC | os.O_NOCTTY
    mode = found.status.st_mode
    if stat.S_ISDIR(mode) and flags & os.O_CREAT:
        found.close()
        raise fail(errno.EISDIR)

    def perform() -> Reply:
        if found.path.startswith(b"/proc/") and found.path.rpartition(b"/")[2] in MAPS:
            return _opened(open_within(caller.tid, found.again, found.path, how), flags)
        if stat.S_ISFIFO(mode) or stat.S_ISREG(mode):
            return _opened(_without_waiting(found.again, how), flags)
        descriptor = os.open(found.again, how)
        if stat.S_ISCHR(mode):
            caller.proc.ptys.note(descriptor, found.status.st_rdev)
        return _opened(descriptor, flags)

    def check() -> None:
        if stat.S_ISDIR(mode):
            raise fail(errno.EISDIR)
        if stat.S_ISSOCK(mode):
            raise fail(errno.ENXIO)
        if not os.access(found.again, _wanted(flags), effective_ids=True):
            raise fail(errno.EACCES)

    effect = Effect("open", perform, check=check, keeps=[found])
    if found.path.startswith(b"/proc/"):
        effect.refused = devices.proc_refusal(found.path, caller.proc)
        if effect.refused:
            effect.kind, effect.target = Kind.FS_WRITE, os.fsdecode(found.path)
    elif not devices.harmless(found.status, caller.proc):
        target = found.change_of(caller)
        if target:
            effect.kind, effect.target = Kind.FS_WRITE, target
    return effect


def _without_waiting(path: bytes, how: int, mode: int = 0, directory: int | None = None) -> int:
    """Open, but not wait here for the other end of a fifo (which may be there by now, whatever was decided
    on) or for the holder of a lease (fcntl(2)); then with the blocking mode that the caller asked for."""
    try:
        descriptor = os.open(path, how | os.O_NONBLOCK, mode, dir_fd=directory)
    except OSError as error:
        if how & os.O_NONBLOCK or error.errno not in (errno.ENXIO, errno.EAGAIN):
            raise
        if error.errno == errno.ENXIO and not stat.S_ISFIFO(os.stat(path, dir_fd=directory).st_mode):
            raise
        raise NotYet from None
    if not how & os.O_NONBLOCK:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, how)
    return descriptor


def _open_unnamed(caller: Caller, found: Object, flags: int, mode: int) -> Effect:
    def perform() -> Reply:
        before = os.umask(caller.umask())
        try:
            return _opened(os.open(found.again, flags | os.O_CLOEXEC, mode & 0o7777), flags)
        finally:
            os.umask(before)

    def check() -> None:
        if not os.access(found.again, os.W_OK | os.X_OK, effective_ids=True):
            raise fail(errno.EACCES)

    return Effect(
        "tmpfile", perform, Kind.FS_WRITE, os.fsdecode(found.path), check=check, keeps=[found]
    )  # fmt: skip


# -- names ----------------------------------------------------------------------------------------


def _create(caller: Caller, syscall: str, place: Place, make: Callable[[], None]) -> Effect:
    """A call that puts a new name at ``place``."""

    def perform() -> Reply:
        with_umask(caller, make)
        return 0

    def check() -> None:
        if place.status() is not None or place.name == b".":
            raise fail(errno.EEXIST)
        _may_write(place)

    return Effect(
        syscall, perform, Kind.FS_WRITE, os.fsdecode(place.path), check=check, keeps=[place]
    )  # fmt: skip


def _mkdir(caller: Caller, directory: int, address: int, mode: int) -> Effect:
    place = find(caller, directory, caller.string(address))
    return _create(caller, "mkdir", place, lambda: os.mkdir(place.spelled, mode & 0o7777, dir_fd=place.fd))


def _mknod(caller: Caller, directory: int, address: int, mode: int, device: int) -> Effect:
    if stat.S_ISDIR(mode):
        raise fail(errno.EPERM)
    if stat.S_IFMT(mode) and not stat.S_ISREG(mode) and stat.S_IFMT(mode) not in _NODES:
        raise fail(errno.EINVAL)
    place = find(caller, directory, caller.string(address))
    effect = _create(
        caller, "mknod", place, lambda: os.mknod(place.spelled, mode & 0xFFFF, device, dir_fd=place.fd)
    )
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        effect.refused = "a device node would reach the hardware around the gate"
    return effect


def _symlink(caller: Caller, text: int, directory: int, address: int) -> Effect:
    points = caller.string(text)
    if not points:
        raise fail(errno.ENOENT)
    place = find(caller, directory, caller.string(address))
    effect = _create(caller, "symlink", place, lambda: os.symlink(points, place.spelled, dir_fd=place.fd))
    effect.renames = (Moved(effect.target),)
    return effect


def _remove(caller: Caller, syscall: str, directory: int, address: int, *, rmdir: bool) -> Effect:
    path = caller.string(address)
    place = find(caller, directory, path)
    if rmdir and path.rstrip(b"/").rpartition(b"/")[2] == b"..":
        raise fail(errno.ENOTEMPTY)
    remove = os.rmdir if rmdir else os.unlink

    def perform() -> Reply:
        remove(place.spelled, dir_fd=place.fd)
        return 0

    def check() -> None:
        status = place.status()
        if status is None:
            raise fail(errno.ENOENT)
        if stat.S_ISDIR(status.st_mode) != rmdir:
            raise fail(errno.ENOTDIR if rmdir else errno.EISDIR)
        _may_write(place)

    return Effect(
        syscall, perform, Kind.FS_WRITE, os.fsdecode(place.path), check=check, keeps=[place]
    )  # fmt: skip


def _unlinkat(caller: Caller, directory: int, address: int, flags: int) -> Effect:
    only(flags, _REMOVEDIR)
    rmdir = bool(flags & _REMOVEDIR)
    return _remove(caller, "rmdir" if rmdir else "unlink", directory, address, rmdir=rmdir)


def _rename(caller: Caller, d1: int, a1: int, d2: int, a2: int, flags: int) -> Effect:
    only(flags, _NOREPLACE | _EXCHANGE | _WHITEOUT)
    if flags & _EXCHANGE and flags & (_NOREPLACE | _WHITEOUT):
        raise fail(errno.EINVAL)
    source = find(caller, d1, caller.string(a1))
    try:
        target = find(caller, d2, caller.string(a2))
    except OSError:
        if not os.access(b"/proc/self/fd/%d" % source.fd, os.X_OK, effective_ids=True):
            raise fail(errno.EACCES) from None  # the kernel comes to the first of two errors first
        raise

    def perform() -> Reply:
        libc.renameat2(source.fd, source.spelled, target.fd, target.spelled, flags)
        return 0

    def check() -> None:
        if source.status() is None:
            raise fail(errno.ENOENT)
        _may_write(source)
        _may_write(target)

    old, new = os.fsdecode(source.path), os.fsdecode(target.path)
    effect = Effect("rename", perform, Kind.FS_WRITE, new, old, check=check, keeps=[source, target])
    effect.renames = (Moved(new, source), Moved(old, target)) if flags & _EXCHANGE else (Moved(new, source),)
    if not flags & ~_NOREPLACE:
        effect.cleared = lambda guard: clears(guard, source, target)
    return effect


def _link(caller: Caller, d1: int, a1: int, d2: int, a2: int, flags: int) -> Effect:
    """Both ends are decided: who may write the new name can change the file behind the old one."""
    only(flags, libc.AT_SYMLINK_FOLLOW | libc.AT_EMPTY_PATH)
    path = caller.string(a1)
    if not path and flags & libc.AT_EMPTY_PATH:
        source = Object(caller.proc.descriptor(signed(d1)))
    else:
        source = reach(caller, d1, path, follow=bool(flags & libc.AT_SYMLINK_FOLLOW))
    try:
        place = find(caller, d2, caller.string(a2))
    except BaseException:
        source.close()
        raise

    def perform() -> Reply:
        libc.linkat(_CWD, source.again, place.fd, place.spelled, libc.AT_SYMLINK_FOLLOW)
        return 0

    def check() -> None:
        if place.status() is not None:
            raise fail(errno.EEXIST)
        _may_write(place)

    effect = Effect(
        "link", perform, Kind.FS_WRITE, os.fsdecode(place.path), source.change_of(caller),
        check=check, keeps=[source, place],
    )  # fmt: skip
    if stat.S_ISLNK(source.status.st_mode):
        effect.renames = (Moved(effect.target),)
    return effect


HANDLERS: dict[str, Handler] = {
    "open": lambda c, a: _open(c, _CWD, a[0], a[1], a[2]),
    "openat": lambda c, a: _open(c, a[0], a[1], a[2], a[3]),
    "creat": lambda c, a: _open(c, _CWD, a[0], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, a[1]),
    "mkdir": lambda c, a: _mkdir(c, _CWD, a[0], a[1]),
    "mkdirat": lambda c, a: _mkdir(c, a[0], a[1], a[2]),
    "mknod": lambda c, a: _mknod(c, _CWD, a[0], a[1], a[2]),
    "mknodat": lambda c, a: _mknod(c, a[0], a[1], a[2], a[3]),
    "symlink": lambda c, a: _symlink(c, a[0], _CWD, a[1]),
    "symlinkat": lambda c, a: _symlink(c, a[0], a[1], a[2]),
    "rmdir": lambda c, a: _remove(c, "rmdir", _CWD, a[0], rmdir=True),
    "unlink": lambda c, a: _remove(c, "unlink", _CWD, a[0], rmdir=False),
    "unlinkat": lambda c, a: _unlinkat(c, a[0], a[1], a[2]),
    "rename": lambda c, a: _rename(c, _CWD, a[0], _CWD, a[1], 0),
    "renameat": lambda c, a: _rename(c, a[0], a[1], a[2], a[3], 0),
    "renameat2": lambda c, a: _rename(c, a[0], a[1], a[2], a[3], a[4] & 0xFFFFFFFF),
    "link": lambda c, a: _link(c, _CWD, a[0], _CWD, a[1], 0),
    "linkat": lambda c, a: _link(c, a[0], a[1], a[2], a[3], a[4]),
}
