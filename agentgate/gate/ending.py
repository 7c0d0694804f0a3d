"""Ends one process, and never another one that got its number."""

from __future__ import annotations

import contextlib
import os
import signal

from agentgate.actions import Process
from agentgate.gate.lineage import parent_and_start

__all__ = ["end_process"]


def end_process(process: Process) -> bool:
    """Kill ``process``; False when it is gone. The pidfd is opened first and the start time compared then,
    so that the signal goes to the process that was caught or to nobody (pidfd_open(2)).

    Raises OSError, saying why, where it cannot be told which process that is, or not be signalled.
    """
    if process.pid <= 1 or not process.start:
        raise OSError("it is not known which process that was")
    if not hasattr(os, "pidfd_open"):
        raise OSError("this system cannot name a process for good (no pidfd)")
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        known = parent_and_start(process.pid)
        if known is None or known[1] != process.start:
            return False
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            return True
        return False
    finally:
        os.close(descriptor)
