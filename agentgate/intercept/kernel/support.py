"""What keeps the kernel gate from running here, as far as that can be told without trying.

Asked before every session, on every system: nothing that only Linux has is imported before it is known that
this is Linux. Whether a listener can really be installed is told by the warden when it tries, and by
``agentgate doctor`` before.
"""

from __future__ import annotations

import os
import sys

from agentgate.intercept.kernel.abi import native

__all__ = ["INSIDE", "missing"]

INSIDE = "another seccomp listener is already here: this is inside an agentgate session"


def missing() -> str:
    """The first thing that is missing, in one line; empty when nothing is."""
    if sys.platform != "linux":
        return f"{sys.platform} has no seccomp"
    if native() is None:
        return f"no system call table for {os.uname().machine}"
    from agentgate.intercept.kernel import landlock

    why = landlock.absent()
    if why:  # within a session there is none to be seen (abi.py)
        return INSIDE if os.environ.get("AGENTGATE") else why
    try:
        with open("/proc/sys/kernel/seccomp/actions_avail", encoding="ascii") as actions:
            if "user_notif" not in actions.read().split():
                return "the kernel has no seccomp user notification (5.0 or later)"
    except OSError:
        return "/proc/sys/kernel/seccomp is not there: no seccomp filters in this kernel"
    return ""
