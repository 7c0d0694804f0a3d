"""The operator's terminal while questions are asked on it: nobody else opens it.

Whoever runs as the same user may open a terminal by its name (/dev/pts/N) and read what is typed there:
keys that were meant for a question would go to the agent, and with some luck only those. TIOCEXCL
(tty_ioctl(2)) refuses every further open to all but CAP_SYS_ADMIN, which the agent never has.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
from collections.abc import Iterator

__all__ = ["alone", "names"]


def names() -> list[str]:
    """The terminals that standard input, output and error lead to."""
    found = []
    for descriptor in range(3):
        with contextlib.suppress(OSError):
            found.append(os.ttyname(descriptor))
    return sorted(set(found))


@contextlib.contextmanager
def alone(descriptor: int = 0) -> Iterator[None]:
    """Within this, nobody else can open the terminal ``descriptor``; nothing happens if it is none.

    Should this process be killed outright, the terminal stays so until it is closed."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(descriptor, termios.TIOCEXCL)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.ioctl(descriptor, termios.TIOCNXCL)
