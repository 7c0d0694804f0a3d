"""Calls that change what a file is like - length, mode, owner, times, extended attributes - on its behalf.

Landlock knows nothing of these, so the filter holds every one of them, also those that take a descriptor
that was opened only for reading.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Callable

from agentgate.actions import Kind
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.devices import proc_refusal
from agentgate.intercept.kernel.effect import Effect
from agentgate.intercept.kernel.handler import Handler, fail, only, signed
from agentgate.intercept.kernel.places import Object, reach

__all__ = ["HANDLERS"]

_CWD = libc.AT_FDCWD
_XATTR_NAME_MAX, _XATTR_SIZE_MAX = 256, 65536
_UNCHANGED = 0xFFFFFFFF
_OMIT = struct.pack("=q", (1 << 30) - 2)


def _change(
    caller: Caller, syscall: str, found: Object, perform: Callable[[], object], *, owner: bool
) -> Effect:
    """``owner``: only the file's owner may do this; else who may write it."""

    def run() -> int:
        perform()
        if stat.S_ISDIR(found.status.st_mode):
            caller.proc.owner.directories.forget()  # who may pass through it may have changed
        return 0

    def check() -> None:
        if owner:
            if os.geteuid() not in (0, found.status.st_uid):
                raise fail(errno.EPERM)
        elif not os.access(found.again, os.W_OK, effective_ids=True):
            raise fail(errno.EACCES)

    effect = Effect(syscall, run, check=check, keeps=[found])
    target = found.change_of(caller)
    if target and not caller.proc.ptys.made(found.status):  # screen gives its own to its user
        effect.kind, effect.target = Kind.FS_WRITE, target
        if found.path.startswith(b"/proc/"):
            effect.refused = proc_refusal(found.path, caller.proc)
    return effect


def _by_path(caller: Caller, directory: int, address: int, flags: int = 0) -> Object:
    """The object of a ...at call: AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW understood."""
    only(flags, libc.AT_SYMLINK_NOFOLLOW | libc.AT_EMPTY_PATH)
    path = caller.string(address)
    if not path and flags & libc.AT_EMPTY_PATH:
        if signed(directory) == _CWD:
            return reach(caller, _CWD, b".")
        return Object(caller.proc.descriptor(signed(directory)))
    return reach(caller, directory, path, follow=not flags & libc.AT_SYMLINK_NOFOLLOW)


def _by_descriptor(caller: Caller, number: int) -> Object:
    """What is open as ``number``. One that was opened with O_PATH is none to these calls (open(2))."""
    found = Object(caller.proc.descriptor(signed(number)))
    if fcntl.fcntl(found.fd, fcntl.F_GETFL) & os.O_PATH:
        found.close()
        raise fail(errno.EBADF)
    return found


# -- length and mode ------------------------------------------------------------------------------


def _truncate(caller: Caller, address: int, length: int) -> Effect:
    size = struct.unpack("=q", struct.pack("=Q", length))[0]
    if size < 0:
        raise fail(errno.EINVAL)
    found = _by_path(caller, _CWD, address)
    return _change(caller, "truncate", found, lambda: os.truncate(found.again, size), owner=False)


def _chmod(caller: Caller, found: Object, mode: int) -> Effect:
    return _change(caller, "chmod", found, lambda: os.chmod(found.again, mode & 0o7777), owner=True)


def _fchmod(caller: Caller, number: int, mode: int) -> Effect:
    found = _by_descriptor(caller, number)
    return _change(caller, "chmod", found, lambda: os.fchmod(found.fd, mode & 0o7777), owner=True)


# -- owner ----------------------------------------------------------------------------------------


def _outside(tid: int, kind: str, number: int) -> int:
    """The caller's user or group id ``number`` as it is called in the warden's user namespace."""
    if number == _UNCHANGED or os.readlink(f"/proc/{tid}/ns/user") == os.readlink("/proc/self/ns/user"):
        return number
    with open(f"/proc/{tid}/{kind}_map", encoding="ascii") as lines:
        for line in lines:
            inside, outside, count = map(int, line.split())
            if inside <= number < inside + count:
                return outside + number - inside
    raise fail(errno.EINVAL)


def _chown(caller: Caller, found: Object, uid: int, gid: int) -> Effect:
    user = _outside(caller.tid, "uid", uid & _UNCHANGED)
    group = _outside(caller.tid, "gid", gid & _UNCHANGED)
    return _change(
        caller, "chown", found,
        lambda: libc.fchownat(found.fd, b"", user, group, libc.AT_EMPTY_PATH), owner=True,
    )  # fmt: skip


# -- times ----------------------------------------------------------------------------------------


def _times(caller: Caller, found: Object, times: bytes | None) -> Effect:
    return _change(caller, "utime", found, lambda: libc.utimensat(_CWD, found.again, times, 0), owner=False)


def _utimensat(caller: Caller, directory: int, address: int, times: int, flags: int) -> Effect:
    raw = caller.memory(times, 32) if times else None
    if raw and raw[8:16] == raw[24:32] == _OMIT:
        return Effect("utime", lambda: 0)  # nothing to do, the path is not even looked at
    if not address and signed(directory) != _CWD:
        only(flags, 0)
        found = _by_descriptor(caller, directory)
    else:
        found = _by_path(caller, directory, address, flags)
    return _times(caller, found, raw)


def _utime(caller: Caller, address: int, times: int) -> Effect:
    raw = None
    if times:
        access, change = struct.unpack("=qq", caller.memory(times, 16))
        raw = struct.pack("=4q", access, 0, change, 0)
    return _times(caller, _by_path(caller, _CWD, address), raw)


def _utimes(caller: Caller, directory: int, address: int, times: int) -> Effect:
    raw = None
    if times:
        fields = struct.unpack("=4q", caller.memory(times, 32))
        if not (0 <= fields[1] < 1_000_000 and 0 <= fields[3] < 1_000_000):
            raise fail(errno.EINVAL)
        raw = struct.pack("=4q", fields[0], fields[1] * 1000, fields[2], fields[3] * 1000)
    by_descriptor = not address and signed(directory) != _CWD
    found = _by_descriptor(caller, directory) if by_descriptor else _by_path(caller, directory, address)
    return _times(caller, found, raw)


# -- extended attributes --------------------------------------------------------------------------


def _attribute(caller: Caller, address: int) -> bytes:
    """The attribute's name. Those that carry privileges are nobody's to set here."""
    name = caller.string(address, _XATTR_NAME_MAX, errno.ERANGE)
    if not name:
        raise fail(errno.ERANGE)
    return name


def _privileged(name: bytes) -> None:
    if name.startswith((b"security.", b"trusted.")):
        raise fail(errno.EPERM)


def _setxattr(caller: Caller, find: Callable[[], Object], args: tuple[int, ...], *, open: bool) -> Effect:
    """``open``: through the caller's own descriptor, so that one that cannot do it is refused as usual."""
    name_at, value_at, size, flags = args
    only(flags, os.XATTR_CREATE | os.XATTR_REPLACE)
    name = _attribute(caller, name_at)
    if size > _XATTR_SIZE_MAX:
        raise fail(errno.E2BIG)
    value = caller.memory(value_at, size) if size else b""
    found = find()
    _privileged(name)
    target = found.fd if open else found.again
    return _change(
        caller, "setxattr", found, lambda: os.setxattr(target, name, value, signed(flags)), owner=False
    )


def _removexattr(caller: Caller, find: Callable[[], Object], name_at: int, *, open: bool) -> Effect:
    name = _attribute(caller, name_at)
    found = find()
    _privileged(name)
    target = found.fd if open else found.again
    return _change(
        caller, "removexattr", found, lambda: os.removexattr(target, name), owner=False
    )  # fmt: skip


_NOFOLLOW = libc.AT_SYMLINK_NOFOLLOW

HANDLERS: dict[str, Handler] = {
    "truncate": lambda c, a: _truncate(c, a[0], a[1]),
    "chmod": lambda c, a: _chmod(c, _by_path(c, _CWD, a[0]), a[1]),
    "fchmod": lambda c, a: _fchmod(c, a[0], a[1]),
    "fchmodat": lambda c, a: _chmod(c, _by_path(c, a[0], a[1]), a[2]),
    "fchmodat2": lambda c, a: _chmod(c, _by_path(c, a[0], a[1], a[3]), a[2]),
    "chown": lambda c, a: _chown(c, _by_path(c, _CWD, a[0]), a[1], a[2]),
    "lchown": lambda c, a: _chown(c, _by_path(c, _CWD, a[0], _NOFOLLOW), a[1], a[2]),
    "fchown": lambda c, a: _chown(c, _by_descriptor(c, a[0]), a[1], a[2]),
    "fchownat": lambda c, a: _chown(c, _by_path(c, a[0], a[1], a[4]), a[2], a[3]),
    "utime": lambda c, a: _utime(c, a[0], a[1]),
    "utimes": lambda c, a: _utimes(c, _CWD, a[0], a[1]),
    "futimesat": lambda c, a: _utimes(c, a[0], a[1], a[2]),
    "utimensat": lambda c, a: _utimensat(c, a[0], a[1], a[2], a[3]),
    "setxattr": lambda c, a: _setxattr(c, lambda: _by_path(c, _CWD, a[0]), a[1:5], open=False),
    "lsetxattr": lambda c, a: _setxattr(c, lambda: _by_path(c, _CWD, a[0], _NOFOLLOW), a[1:5], open=False),
    "fsetxattr": lambda c, a: _setxattr(c, lambda: _by_descriptor(c, a[0]), a[1:5], open=True),
    "removexattr": lambda c, a: _removexattr(c, lambda: _by_path(c, _CWD, a[0]), a[1], open=False),
    "lremovexattr": lambda c, a: _removexattr(
        c, lambda: _by_path(c, _CWD, a[0], _NOFOLLOW), a[1], open=False
    ),
    "fremovexattr": lambda c, a: _removexattr(c, lambda: _by_descriptor(c, a[0]), a[1], open=True),
}
