"""open(2) for writing and its kin, done on the caller's behalf: the opened file is given to it.

A name that is not there yet, one that is, a link, a device, a pipe: what is opened is the object that was
decided on, through the directory or the descriptor that holds it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from agentgate.actions import Kind
from agentgate.intercept.kernel import devices, libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import LET_GO, Descriptor, Effect, LetGo, NotYet, Reply
from agentgate.intercept.kernel.handler import Handler, fail, may_write
from agentgate.intercept.kernel.places import Object, Place, find, follow, reach, reach_at
from agentgate.intercept.kernel.userns import MAPS, open_within

__all__ = ["HANDLERS"]

_CWD = libc.AT_FDCWD
_TMPFILE = os.O_TMPFILE & ~os.O_DIRECTORY


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
        check=lambda: may_write(place), keeps=[place],
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


HANDLERS: dict[str, Handler] = {
    "open": lambda c, a: _open(c, _CWD, a[0], a[1], a[2]),
    "openat": lambda c, a: _open(c, a[0], a[1], a[2], a[3]),
    "creat": lambda c, a: _open(c, _CWD, a[0], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, a[1]),
}
