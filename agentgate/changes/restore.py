"""One path back to what a journal's entry says: through directories held open, never through a link.

A file is written beside its place and then put there by a rename, so that it is whole at every moment; one
that had other names too, and is still the same file, is written in place, so that all of them lead to it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import secrets
import stat

from agentgate.changes.copy import fill, share
from agentgate.changes.entries import Entry, Was
from agentgate.changes.store import Store
from agentgate.changes.walk import Walk

__all__ = ["Refused", "exchange", "remove", "restore", "settle"]


class Refused(Exception):
    """It was not taken back, and why: a sentence's second half."""


def restore(walk: Walk, store: Store, path: str, entry: Entry) -> None:
    """Make ``path`` what ``entry`` says, but a directory's mode and times, which ``settle`` sets when what it
    holds is back. Raises Refused or OSError; then what was there is as it was."""
    now = walk.status(path)
    if entry.was is Was.NONE:
        if now is not None:
            remove(walk, path)
    elif entry.was is Was.DIR:
        _directory(walk, path, now)
    elif entry.was is Was.FILE:
        _file(walk, store, path, entry, now)
    elif entry.was is Was.LINK:
        _link(walk, path, entry, now)
    else:
        _other(walk, path, entry, now)


def remove(walk: Walk, path: str) -> None:
    """Remove what is at ``path``; of directories only empty ones. Raises OSError."""
    parent, name = walk.parent(path)
    status = os.stat(name, dir_fd=parent, follow_symlinks=False)
    walk.forget(path)
    try:
        _drop(parent, name, status)
    except PermissionError:
        if os.fstat(parent).st_uid != os.geteuid():
            raise
        os.fchmod(parent, stat.S_IMODE(os.fstat(parent).st_mode) | stat.S_IRWXU)  # as Go leaves its modules
        _drop(parent, name, status)


def exchange(one: int, name: str, other: int, new: str) -> None:
    """Swap two names: renameat2(2) with RENAME_EXCHANGE. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if libc.renameat2(one, os.fsencode(name), other, os.fsencode(new), ctypes.c_uint(2)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _drop(parent: int, name: str, status: os.stat_result) -> None:
    (os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink)(name, dir_fd=parent)


def settle(walk: Walk, path: str, entry: Entry) -> None:
    """Mode, owner, attributes and times of what is at ``path`` now. Raises OSError."""
    parent, name = walk.parent(path)
    descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        _like(descriptor, entry)
    finally:
        os.close(descriptor)
    os.utime(name, ns=(entry.atime, entry.mtime), dir_fd=parent, follow_symlinks=False)


def _like(descriptor: int, entry: Entry) -> None:
    """Owner, mode and attributes; an owner that only root could give stays."""
    again, status = f"/proc/self/fd/{descriptor}", os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
        with contextlib.suppress(PermissionError):
            os.chown(again, entry.uid, entry.gid)
    if entry.was is Was.LINK:
        return
    os.chmod(again, stat.S_IMODE(entry.mode))
    with contextlib.suppress(OSError):  # not every file system has them
        for name in set(os.listxattr(again)) - set(entry.attributes):
            os.removexattr(again, name)
        for name, value in entry.attributes.items():
            os.setxattr(again, name, bytes.fromhex(value))


def _directory(walk: Walk, path: str, now: os.stat_result | None) -> None:
    if now is not None and stat.S_ISDIR(now.st_mode):
        return
    parent, name = walk.parent(path)
    if now is not None:
        os.unlink(name, dir_fd=parent)
    os.mkdir(name, 0o700, dir_fd=parent)


def _file(walk: Walk, store: Store, path: str, entry: Entry, now: os.stat_result | None) -> None:
    there = now is not None and stat.S_ISREG(now.st_mode)
    if not entry.kept:
        if entry.why or not there:
            raise Refused(f"its content was not kept ({entry.why or 'only its mode was changed, until now'})")
        settle(walk, path, entry)
        return
    try:
        source = store.open_kept(entry.kept)
    except OSError as error:
        raise Refused(f"its kept content cannot be read: {error.strerror}") from None
    try:
        if os.fstat(source).st_size != entry.size:
            raise Refused("its kept content is not whole")
        if there and now is not None and now.st_nlink > 1 and now.st_ino == entry.inode and entry.links > 1:
            _in_place(walk, path, source, entry)
        else:
            _beside(walk, path, source, entry, now)
    finally:
        os.close(source)


def _in_place(walk: Walk, path: str, source: int, entry: Entry) -> None:
    parent, name = walk.parent(path)
    holder = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        again = f"/proc/self/fd/{holder}"
        os.chmod(again, stat.S_IMODE(entry.mode) | stat.S_IWUSR)
        target = os.open(again, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            fill(source, target, entry.size)
        finally:
            os.close(target)
    finally:
        os.close(holder)
    settle(walk, path, entry)


def _beside(walk: Walk, path: str, source: int, entry: Entry, now: os.stat_result | None) -> None:
    parent, _ = walk.parent(path)
    new = _spare()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    target = os.open(new, flags, 0o600, dir_fd=parent)
    try:
        if not share(source, target):
            fill(source, target, entry.size)
        _like(target, entry)
        os.utime(target, ns=(entry.atime, entry.mtime))
        _put(walk, path, new, now)
    except BaseException:
        os.unlink(new, dir_fd=parent)
        raise
    finally:
        os.close(target)


def _put(walk: Walk, path: str, new: str, now: os.stat_result | None) -> None:
    """Rename ``new``, which lies beside it, to ``path``."""
    parent, name = walk.parent(path)
    if now is not None and stat.S_ISDIR(now.st_mode):
        walk.forget(path)
        os.rmdir(name, dir_fd=parent)
    os.rename(new, name, src_dir_fd=parent, dst_dir_fd=parent)


def _link(walk: Walk, path: str, entry: Entry, now: os.stat_result | None) -> None:
    if entry.target:
        parent, _ = walk.parent(path)
        new = _spare()
        os.symlink(entry.target, new, dir_fd=parent)
        try:
            _put(walk, path, new, now)
        except BaseException:
            os.unlink(new, dir_fd=parent)
            raise
    elif now is None or not stat.S_ISLNK(now.st_mode):
        raise Refused("where the link led is not known")
    settle(walk, path, entry)


def _other(walk: Walk, path: str, entry: Entry, now: os.stat_result | None) -> None:
    if now is None or stat.S_IFMT(now.st_mode) != stat.S_IFMT(entry.mode):
        if not stat.S_ISFIFO(entry.mode):
            raise Refused("a socket or a device is not made again")
        if now is not None:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
        parent, name = walk.parent(path)
        os.mkfifo(name, 0o600, dir_fd=parent)
    settle(walk, path, entry)


def _spare() -> str:
    return f".agentgate-undo-{secrets.token_hex(6)}"
