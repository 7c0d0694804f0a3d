"""System calls as they are, without a library between: for programs that the tests run as the agent."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import sys
from collections.abc import Callable

from agentgate.intercept.kernel.abi import native

_abi = native()
assert _abi
NUMBERS = _abi.numbers
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long

CWD = -100
NOFOLLOW, REMOVEDIR, FOLLOW, EMPTY = 0x100, 0x200, 0x400, 0x1000
TMPFILE = os.O_TMPFILE


def call(name: str | int, *args: int | bytes | None) -> int:
    """Raises OSError. Buffers are bytes; their memory lives until the call returns."""
    number = NUMBERS[name] if isinstance(name, str) else name
    given = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    result = _libc.syscall(ctypes.c_long(number), *given)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(result)


def has(name: str) -> bool:
    return name in NUMBERS


def outcome(action: Callable[[], object]) -> str:
    """``ok`` or the errno's name."""
    try:
        action()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok"


def report(found: object) -> None:
    """The last line of the output."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
