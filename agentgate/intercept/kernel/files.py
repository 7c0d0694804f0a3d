"""Calls that change names, done on the caller's behalf: made, removed, moved, linked.

Each handler takes the caller and the six raw arguments and returns an Effect; it raises OSError with the
errno that the kernel would give. Opening is in ``opens.py``, attribute changes are in ``attributes.py``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from agentgate.actions import Kind
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.content import clears
from agentgate.intercept.kernel.effect import Effect, Reply
from agentgate.intercept.kernel.handler import Handler, fail, may_write, only, signed, with_umask
from agentgate.intercept.kernel.moves import Moved
from agentgate.intercept.kernel.places import Object, Place, find, reach

__all__ = ["HANDLERS"]

_CWD = libc.AT_FDCWD
_NOREPLACE, _EXCHANGE, _WHITEOUT = 1, 2, 4  # renameat2(2)
_REMOVEDIR = 0x200
_NODES = (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)


def _create(caller: Caller, syscall: str, place: Place, make: Callable[[], None]) -> Effect:
    """A call that puts a new name at ``place``."""

    def perform() -> Reply:
        with_umask(caller, make)
        return 0

    def check() -> None:
        if place.status() is not None or place.name == b".":
            raise fail(errno.EEXIST)
        may_write(place)

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
        may_write(place)

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
        may_write(source)
        may_write(target)

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
        may_write(place)

    effect = Effect(
        "link", perform, Kind.FS_WRITE, os.fsdecode(place.path), source.change_of(caller),
        check=check, keeps=[source, place],
    )  # fmt: skip
    if stat.S_ISLNK(source.status.st_mode):
        effect.renames = (Moved(effect.target),)
    return effect


HANDLERS: dict[str, Handler] = {
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
