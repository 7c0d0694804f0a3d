"""The floor: a Landlock domain (landlock(7)) that changes no file, reaches no port, signals nobody outside.

It knows nothing of modes, owners, times and attributes (chmod(2) and its kin), of UDP, nor of unix sockets
by path: those are held by the filter alone.

Everything the agent is allowed to do is done by the warden, which stands outside the domain. So a call
that the filter lets go by mistake, or one whose arguments were swapped after a check, finds no right to
use. Two rights are left out on purpose: reading (it would slow every open), and TRUNCATE, because
handling it makes the kernel walk the path of every read-only open too (1.37x on a read storm); all calls
that truncate are held instead.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct

from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.abi import number_of

__all__ = ["abi_version", "absent", "restrict"]

_CREATE = number_of("landlock_create_ruleset")
_ADD_RULE = number_of("landlock_add_rule")
_RESTRICT = number_of("landlock_restrict_self")

_WRITE_FILE, _IOCTL_DEV = 1 << 1, 1 << 15
# REMOVE_DIR, REMOVE_FILE, MAKE_CHAR, MAKE_DIR, MAKE_REG, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM
_CHANGES = sum(1 << bit for bit in range(4, 13))
_REFER = 1 << 13  # ABI 2; without it every move between directories is refused anyway
_TCP = 0b11  # BIND_TCP, CONNECT_TCP; ABI 4
_SCOPES = 0b11  # abstract unix sockets, signals; ABI 6


def abi_version() -> int:
    """The kernel's Landlock ABI, 0 where it has none or it is switched off."""
    try:
        return _version()
    except OSError:
        return 0


def absent() -> str:
    """Why there is no Landlock here, in one line; empty where there is."""
    try:
        _version()
    except OSError as error:
        if error.errno == errno.EOPNOTSUPP:
            return "Landlock is built into the kernel and switched off (add 'landlock' to lsm= at boot)"
        if error.errno == errno.ENOSYS:
            return "the kernel has no Landlock (5.13 or later, with CONFIG_SECURITY_LANDLOCK)"
        return f"Landlock is refused here: {error.strerror} (a container's seccomp profile does that)"
    return ""


def _version() -> int:
    return libc.call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1))


def restrict(abi: int) -> None:
    """Put this thread, and all it will start, into the domain for ever. Needs no_new_privs.

    The one file that may still be opened for writing inside is /dev/tty: it means something else to every
    caller, so nobody can open it on another's behalf. The terminal that descriptors 0, 1 and 2 lead to may
    be asked for its modes also when it was opened anew, for reading only.
    """
    handled = _WRITE_FILE | _CHANGES
    if abi >= 2:
        handled |= _REFER
    if abi >= 5:
        handled |= _IOCTL_DEV
    attributes = struct.pack("=QQQ", handled, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = libc.call(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    try:
        _except(ruleset, "/dev/tty", handled & (_WRITE_FILE | _IOCTL_DEV))
        for descriptor in range(3):
            with contextlib.suppress(OSError):  # no terminal
                _except(ruleset, os.ttyname(descriptor), handled & _IOCTL_DEV)
        libc.call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0))
    finally:
        os.close(ruleset)


def _except(ruleset: int, path: str, rights: int) -> None:
    """A rule (struct landlock_path_beneath_attr) that leaves ``rights`` for ``path``."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, descriptor)
        libc.call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint(0))
    finally:
        os.close(descriptor)
