"""The end of the agent's tree."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from agentgate.intercept.kernel.procs import descendants

__all__ = ["end_tree", "reap", "reap_orphans"]


def reap(pid: int) -> int:
    """The exit status of a child that has ended or will: 0-255, or 128 + signal."""
    _, raw = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(raw)
    return 128 - code if code < 0 else code


def end_tree(seconds: float = 5.0) -> None:
    """Kill every descendant of this process. Stops them all first, so that none can start another."""
    limit = time.monotonic() + seconds
    me = os.getpid()
    stopped: set[int] = set()
    while time.monotonic() < limit:
        found = descendants(me)
        new = found - stopped
        for pid in new:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGSTOP)
        stopped |= new
        if not new:
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if _nobody_left():
                return
            time.sleep(0.005)


def _nobody_left() -> bool:
    """Take the statuses of those that ended; whoever loses its parent becomes our child."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def reap_orphans(root: int) -> None:
    """Wait for the orphans that came to us and have ended, because we are their subreaper (prctl(2)); not
    for ``root``, whose status is asked for later."""
    with contextlib.suppress(ChildProcessError):
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or found.si_pid == root:
                return
            os.waitpid(found.si_pid, 0)
