"""Calls that change what a file is like - length, mode, owner, times, extended attributes - on its behalf.

Landlock knows nothing of these, so the filter holds every one of them, also those that take a descriptor
that was opened only for reading.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable

from agentgate.actions import Kind
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.devices import proc_refusal
from agentgate.intercept.kernel.effect import Effect
from agentgate.intercept.kernel.files import Handler, fail, signed
from agentgate.intercept.kernel.places import Object, reach

__all__ = ["HANDLERS"]

_CWD = libc.AT_FDCWD
_XATTR_NAME_MAX, _XATTR_SIZE_MAX = 256, 65536
_UNCHANGED = 0xFFFFFFFF


def _change(
    caller: Caller, syscall: str, found: Object, perform: Callable[[], object], *, owner: bool
) -> Effect:
    """``owner``: only the file's owner may do this; else who may write it."""

    def run() -> int:
        perform()
        return 0

    def check() -> None:
        if owner:
            if os.geteuid() not in (0, found.status.st_uid):
                raise fail(errno.EPERM)
        elif not os.access(found.again, os.W_OK, effective_ids=True):
            raise fail(errno.EACCES)

    effect = Effect(syscall, run, check=check, keeps=[found])
    if found.path:
        effect.kind, effect.target = Kind.FS_WRITE, os.fsdecode(found.path)
        if found.path.startswith(b"/proc/"):
            effect.refused = proc_refusal(found.path, caller.proc)
    return effect


def _by_path(caller: Caller, directory: int, address: int, flags: int = 0) -> Object:
    """The object of a ...at call: AT_EMPTY_PATH and AT_SYMLINK_NOFOLLOW understood."""
    path = caller.string(address)
    if not path and flags & libc.AT_EMPTY_PATH:
        return _by_descriptor(caller, directory)
    return reach(caller, directory, path, follow=not flags & libc.AT_SYMLINK_NOFOLLOW)


def _by_descriptor(caller: Caller, number: int) -> Object:
    number = signed(number)
    if number == _CWD:
        return reach(caller, _CWD, b".")
    return Object(caller.proc.descriptor(number))


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
    found = _by_path(caller, directory, address, flags) if address else _by_descriptor(caller, directory)
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
    found = _by_path(caller, directory, address) if address else _by_descriptor(caller, directory)
    return _times(caller, found, raw)


# -- extended attributes --------------------------------------------------------------------------


def _attribute(caller: Caller, found: Object, address: int) -> bytes:
    """The attribute's name. Those that carry privileges are nobody's to set here."""
    name = caller.string(address, _XATTR_NAME_MAX, errno.ERANGE)
    if name.startswith((b"security.", b"trusted.")):
        found.close()
        raise fail(errno.EPERM)
    return name


def _path_of(found: Object, *, descriptor: bool) -> bytes | int:
    # through the caller's own descriptor, so that one opened with O_PATH is refused as the kernel does
    return found.fd if descriptor else found.again


def _setxattr(caller: Caller, found: Object, args: tuple[int, ...], *, descriptor: bool = False) -> Effect:
    name_at, value_at, size, flags = args
    name = _attribute(caller, found, name_at)
    if size > _XATTR_SIZE_MAX:
        raise fail(errno.E2BIG)
    value = caller.memory(value_at, size) if size else b""
    target = _path_of(found, descriptor=descriptor)
    return _change(
        caller, "setxattr", found, lambda: os.setxattr(target, name, value, signed(flags)), owner=False
    )


def _removexattr(caller: Caller, found: Object, name_at: int, *, descriptor: bool = False) -> Effect:
    name = _attribute(caller, found, name_at)
    target = _path_of(found, descriptor=descriptor)
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
    "setxattr": lambda c, a: _setxattr(c, _by_path(c, _CWD, a[0]), a[1:5]),
    "lsetxattr": lambda c, a: _setxattr(c, _by_path(c, _CWD, a[0], _NOFOLLOW), a[1:5]),
    "fsetxattr": lambda c, a: _setxattr(c, _by_descriptor(c, a[0]), a[1:5], descriptor=True),
    "removexattr": lambda c, a: _removexattr(c, _by_path(c, _CWD, a[0]), a[1]),
    "lremovexattr": lambda c, a: _removexattr(c, _by_path(c, _CWD, a[0], _NOFOLLOW), a[1]),
    "fremovexattr": lambda c, a: _removexattr(c, _by_descriptor(c, a[0]), a[1], descriptor=True),
}
