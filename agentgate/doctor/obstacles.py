"""What keeps the kernel gate from running at all, named, with the way out: pure, from the facts."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from agentgate.doctor.facts import Facts, Finding
from agentgate.intercept.kernel.support import INSIDE

__all__ = ["Obstacle", "obstacle"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    why: str
    todo: str


_LINUX = "use Linux 5.13 or later, in a virtual machine where needed"
_PROFILE = "let the container's seccomp profile allow it (docker run --security-opt seccomp=unconfined)"
_OUTSIDE = "run agentgate outside of what holds this process already"


def obstacle(facts: Facts) -> Obstacle | None:
    """The first thing in the way, None when nothing is."""
    if facts.missing:
        return _missing(facts)
    for name, explain in (
        ("listener", _listener), ("take", _reach), ("memory", _reach), ("inject", _inject), ("floor", _plain),
        ("session", _plain),
    ):  # fmt: skip
        finding = facts.probes.get(name)
        if finding is None:
            return Obstacle(f"{name} was not tried", "report this with agentgate doctor --json")
        if not finding.ok:
            return explain(finding, facts)
    return None


def _missing(facts: Facts) -> Obstacle:
    if facts.missing == INSIDE:
        return Obstacle(INSIDE, _OUTSIDE)
    if "gVisor" in facts.surroundings:
        return Obstacle(f"{facts.missing} (gVisor)", "run it in a sandbox with a Linux kernel of its own")
    if "WSL 1" in facts.surroundings:
        return Obstacle(f"{facts.missing} (WSL 1)", "wsl --set-version <distribution> 2")
    if facts.system != "linux":
        return Obstacle(facts.missing, _LINUX)
    if "table" in facts.missing:
        return Obstacle(facts.missing, "use x86_64 or aarch64")
    if "lsm=" in facts.missing:
        return Obstacle(facts.missing, "put landlock into the kernel's lsm= list and boot again")
    return Obstacle(facts.missing, _PROFILE if "profile" in facts.missing else _LINUX)


def _listener(finding: Finding, facts: Facts) -> Obstacle:
    match finding.code:
        case errno.EBUSY:
            who = "this is inside an agentgate session" if _inside(facts) else "a sandbox or a supervisor"
            return Obstacle(f"another seccomp listener is already here: {who} (EBUSY)", _OUTSIDE)
        case errno.EINVAL:
            return Obstacle("the kernel knows no seccomp listener (EINVAL)", _LINUX)
        case errno.ENOSYS:
            return Obstacle("seccomp(2) is not there, or hidden (ENOSYS)", _PROFILE)
        case errno.EPERM | errno.EACCES:
            return Obstacle(f"seccomp(2) is refused: {finding.why}", _PROFILE)
    return Obstacle(
        f"no seccomp listener: {finding.why}", "try another kernel: this one breaks what it holds"
    )


def _reach(finding: Finding, facts: Facts) -> Obstacle:
    """A child's memory and descriptors: ptrace(2)'s access check, where Yama has its say."""
    if facts.yama is not None and facts.yama >= 2 and finding.code in (errno.EPERM, errno.EACCES):
        return Obstacle(
            f"{finding.why}: Yama's ptrace_scope is {facts.yama}",
            "sysctl -w kernel.yama.ptrace_scope=1" if facts.yama == 2 else "boot without ptrace_scope=3",
        )
    if finding.code == errno.ENOSYS:
        return Obstacle(finding.why, f"Linux 5.6 or later; {_PROFILE}")
    return Obstacle(finding.why, _PROFILE)


def _inject(finding: Finding, facts: Facts) -> Obstacle:
    return Obstacle(finding.why, "Linux 5.9 or later")


def _plain(finding: Finding, facts: Facts) -> Obstacle:
    if finding.why.startswith("no temporary folder"):
        return Obstacle(finding.why, "set TMPDIR to a directory that you may write")
    return Obstacle(finding.why, _OUTSIDE if _inside(facts) else "report this with agentgate doctor --json")


def _inside(facts: Facts) -> bool:
    return "an agentgate session" in facts.surroundings
