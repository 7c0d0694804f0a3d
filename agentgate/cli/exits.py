"""Every exit status of ``agentgate``, in one place.

``run`` and ``tui`` end with the agent's own status once it runs (128 + N when signal N ended it); what is
below is said of themselves. ``check`` says its decision: only 0 means that the action would go ahead.
"""

from __future__ import annotations

__all__ = [
    "ALLOW",
    "ASK",
    "CANNOT_RUN",
    "CHANGED",
    "DENY",
    "DONE",
    "FOUND",
    "GATE_LOST",
    "NOT_ALL",
    "NOT_FOUND",
    "NO_GATE",
    "OK",
    "SIGNALLED",
    "UNAVAILABLE",
    "USAGE",
    "of",
]

OK = 0
ALLOW = 0  # check: allowed
DENY = 1  # check: denied
NOT_ALL = 1  # undo: something was not taken back
DONE = 1  # drill: a harmful step was not stopped
NO_GATE = 1  # doctor: the kernel gate cannot run here, or does not hold
CHANGED = 1  # audit verify: the record is not what was written
FOUND = 1  # policy lint, test, replay: something was found
USAGE = 2  # bad command line, policy or file: one line on standard error
ASK = 3  # check: you would be asked
UNAVAILABLE = 69  # the chosen gate cannot run here (EX_UNAVAILABLE, sysexits.h)
GATE_LOST = 70  # the gate broke down while the agent ran; the agent was ended (EX_SOFTWARE)
CANNOT_RUN = 126  # the agent's command is there but is no program (as a shell says it)
NOT_FOUND = 127  # there is no such command
SIGNALLED = 128  # + N: signal N ended agentgate itself


def of(error: BaseException) -> tuple[int, str] | None:
    """The exit status and the line for an error that a person can mend; None for a mistake of ours."""
    # Imported here: a command that succeeds does not pay for it.
    from agentgate.configdir import ConfigError
    from agentgate.intercept.backend import GateUnavailable
    from agentgate.policy.errors import PolicyError

    if isinstance(error, GateUnavailable):
        return UNAVAILABLE, str(error)
    if isinstance(error, PolicyError | ConfigError):
        return USAGE, str(error)
    if isinstance(error, OSError):
        if error.strerror is None:
            return USAGE, str(error)
        where = f"{error.filename}: " if error.filename is not None else ""
        return USAGE, f"{where}{error.strerror}"
    return None
