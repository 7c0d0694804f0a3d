"""One line on the refused process' own stderr: what was denied, and why."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import termios

from agentgate.actions import Action
from agentgate.escape import printable
from agentgate.intercept.kernel.procs import Proc

__all__ = ["tell"]

_NOTES_MAX = 64  # different lines one process is told; a loop of refusals must not flood its terminal
_LINE_MAX = 1000  # below PIPE_BUF, so it is written whole or not at all


def tell(proc: Proc, action: Action, why: str) -> None:
    """Write the line if that cannot disturb: each only once to a process, never where it would wait, and
    not into a terminal that a full-screen program has in raw mode."""
    what = printable(action.target, 300)
    line = f"agentgate: denied {action.kind} {what} ({printable(why, 500)})"
    if line in proc.notes or len(proc.notes) >= _NOTES_MAX:
        return
    proc.notes.add(line)
    with contextlib.suppress(OSError):
        descriptor = proc.descriptor(2)
        try:
            _write(descriptor, line)
        finally:
            os.close(descriptor)


def _write(descriptor: int, line: str) -> None:
    end = "\n"
    if stat.S_ISCHR(os.fstat(descriptor).st_mode) and os.isatty(descriptor):
        modes = termios.tcgetattr(descriptor)
        if not modes[3] & termios.ICANON:
            return
        end = "\n" if modes[1] & termios.OPOST else "\r\n"
    data = line.encode("utf-8", "replace")[:_LINE_MAX] + end.encode()
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    if ready.poll(0):
        os.write(descriptor, data)
