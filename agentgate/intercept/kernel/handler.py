"""What every handler of a held call is made with: its shape, and the small things that all of them do."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable

from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import Descriptor, Effect, LetGo
from agentgate.intercept.kernel.places import Place

__all__ = ["Args", "Handler", "fail", "may_write", "only", "signed", "with_umask"]

Args = tuple[int, int, int, int, int, int]
"""The six raw arguments of the call."""

Handler = Callable[[Caller, Args], Effect | LetGo | Descriptor]
"""Takes a call apart: what it would do. A descriptor: there was nothing to decide, and this is what the call
returns. Raises OSError with the errno that the kernel would give."""


def signed(value: int) -> int:
    return ctypes.c_int(value & 0xFFFFFFFF).value


def fail(code: int) -> OSError:
    return OSError(code, os.strerror(code))


def only(flags: int, known: int) -> None:
    """EINVAL for flags that the call does not have, before anything else is looked at."""
    if flags & 0xFFFFFFFF & ~known:
        raise fail(errno.EINVAL)


def may_write(place: Place) -> None:
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
