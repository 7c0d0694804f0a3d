"""Whether a fifo that is open for reading has had a writer yet (fifo(7)).

A reader waits in open(2) until there is one. The warden may not wait, and a descriptor that is handed over
too early would be at its end before it began.
"""

from __future__ import annotations

import os
import select

from agentgate.intercept.kernel import libc

__all__ = ["Fifos"]


class Fifos:
    """Looks without taking anything out: tee(2) tells an empty fifo with a writer from one without."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def written(self, fifo: int) -> bool:
        """Whether somebody has ``fifo`` open for writing, or had since it was opened here. Raises OSError."""
        try:
            count = libc.tee(fifo, self._in, 1)
        except BlockingIOError:
            return True
        if count:
            os.read(self._out, count)
            return True
        hangup = select.poll()
        hangup.register(fifo, select.POLLHUP)
        return bool(hangup.poll(0))
