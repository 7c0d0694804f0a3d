"""The shared words: what an agent wants to do, and what may be answered.

Everything here is frozen, without I/O, and knows no other module of ours. Strings that came from the
kernel (paths, arguments) are decoded with ``os.fsdecode``: bytes that are not UTF-8 are kept as lone
surrogates, so a target always names exactly one object. Escape them before showing (``escape.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["Action", "Answer", "Decision", "GuardName", "Kind", "Process", "Ruling", "Source", "Verdict"]


class Kind(StrEnum):
    """What an action does to the host. The words of the policy's ``action:`` key."""

    EXEC = "exec"
    FS_WRITE = "fs_write"
    FS_READ = "fs_read"
    NET_EGRESS = "net_egress"


class Decision(StrEnum):
    """What policy says."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


class Verdict(StrEnum):
    """What happens in the end."""

    ALLOW = "allow"
    DENY = "deny"


class Source(StrEnum):
    """Where a decision or a verdict comes from."""

    GUARD = "guard"  # a place that is asked about whatever the rules say
    RULE = "rule"  # rule N of the policy
    DEFAULT = "default"  # the policy's default: no rule matched
    SCOPE = "scope"  # a rule matched, but the object lies outside the rule's scope
    UNNAMED = "unnamed"  # a socket of a program outside the session, which no broad rule can allow
    SESSION = "session"  # an answer remembered for this session
    OPERATOR = "operator"  # the person at the screen
    TIMEOUT = "timeout"  # nobody answered in time
    ENFORCE = "enforce"  # asks are denies in this session
    GATE = "gate"  # the gate itself: cannot be decided, or is never possible


class GuardName(StrEnum):
    """The guards: sorts of places that are asked about whatever the rules say, the last ones also when they
    are only read. The words of the policy's ``lift_guards:``; what each stands for is in ``gate/guards.py``
    and ``gate/secrets.py``."""

    SHELL_STARTUP = "shell-startup"
    SSH = "ssh"
    AUTOSTART = "autostart"
    SYSTEMD_USER = "systemd-user"
    LAUNCH_AGENTS = "launch-agents"
    CRON = "cron"
    GIT_HOOKS = "git-hooks"
    GIT_CONFIG = "git-config"
    ENVRC = "envrc"
    EDITOR_TASKS = "editor-tasks"
    AGENT_CONFIG = "agent-config"
    CI_WORKFLOWS = "ci-workflows"
    PYTHON_STARTUP = "python-startup"
    GATE = "gate"
    READ_KEYS = "read-keys"
    READ_CLOUD = "read-cloud"
    READ_FORGE = "read-forge"
    READ_REGISTRY = "read-registry"
    READ_ENV = "read-env"
    READ_BROWSER = "read-browser"
    READ_AGENTS = "read-agents"
    READ_WALLETS = "read-wallets"
    READ_HISTORY = "read-history"
    READ_DEVICES = "read-devices"


@dataclass(frozen=True, slots=True)
class Process:
    """One process as it was when the action was caught.

    ``start`` is its start time in clock ticks since boot (proc_pid_stat(5), field 22), 0 when unknown:
    with the pid it names a process for ever, even after the pid is used again.
    """

    pid: int
    argv: tuple[str, ...] = ()
    exe: str = ""
    start: int = 0

    @property
    def command(self) -> str:
        """The joined argv, or the program when there are no arguments to be read."""
        return " ".join(self.argv) or self.exe or f"pid {self.pid}"

    def to_wire(self) -> list[Any]:
        return [self.pid, self.argv, self.exe, self.start]

    @classmethod
    def from_wire(cls, data: list[Any]) -> Process:
        return cls(data[0], tuple(data[1]), data[2], data[3])


class Action(NamedTuple):
    """One thing that would touch the host. (A tuple, because the warden makes one for every held call, and
    a frozen dataclass takes five times as long to make.)

    ``target`` is the resolved object in the policy's language (the joined argv, an absolute path,
    ``host:port``). ``origin`` is the second object of a call that has two: the path a rename or a link
    comes from, or what a unix socket is called when it is reached by another name; both are decided.
    ``chain`` starts with the acting process and goes up to the agent.
    ``syscall`` is the system call or protocol that was caught. ``intent`` is a claim, never a fact.
    """

    kind: Kind
    target: str
    argv: tuple[str, ...] = ()
    cwd: str = ""
    chain: tuple[Process, ...] = ()
    syscall: str = ""
    origin: str = ""
    intent: str = ""

    @property
    def pid(self) -> int:
        """The acting process, 0 when unknown."""
        return self.chain[0].pid if self.chain else 0

    @property
    def objects(self) -> tuple[str, ...]:
        """Every object this action is decided on."""
        return (self.target, self.origin) if self.origin else (self.target,)

    def to_wire(self) -> dict[str, Any]:
        """A JSON-ready form; ``from_wire`` gives an equal action back."""
        return {
            "kind": self.kind.value,
            "target": self.target,
            "argv": self.argv,
            "cwd": self.cwd,
            "chain": [process.to_wire() for process in self.chain],
            "syscall": self.syscall,
            "origin": self.origin,
            "intent": self.intent,
        }

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> Action:
        return cls(
            kind=Kind(data["kind"]),
            target=data["target"],
            argv=tuple(data["argv"]),
            cwd=data["cwd"],
            chain=tuple(Process.from_wire(process) for process in data["chain"]),
            syscall=data["syscall"],
            origin=data["origin"],
            intent=data["intent"],
        )


@dataclass(frozen=True, slots=True)
class Ruling:
    """What guards and policy say of an action, and why.

    ``rule`` counts the policy's rules from 1; ``line`` is that rule's line in its file; ``guard`` names
    the guard that turned the ruling into an ask. ``reason`` is the rule's or guard's own text.
    """

    decision: Decision
    source: Source
    rule: int | None = None
    line: int | None = None
    reason: str = ""
    guard: str = ""

    @property
    def why(self) -> str:
        """One short phrase: ``rule 3 (line 12): every install is looked at``."""
        if self.source is Source.RULE:
            head = f"rule {self.rule}" + (f" (line {self.line})" if self.line else "")
        elif self.source is Source.SCOPE:
            head = f"outside the scope of rule {self.rule}"
        elif self.source is Source.GUARD:
            head = f"guard {self.guard}"
        elif self.source is Source.UNNAMED:
            head = "no rule names this socket"
        else:
            head = str(self.source)
        return f"{head}: {self.reason}" if self.reason else head

    def to_wire(self) -> list[Any]:
        return [self.decision.value, self.source.value, self.rule, self.line, self.reason, self.guard]

    @classmethod
    def from_wire(cls, data: list[Any]) -> Ruling:
        return cls(Decision(data[0]), Source(data[1]), *data[2:])


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of a question. ``note`` is the operator's word to the agent."""

    verdict: Verdict
    source: Source
    ruling: Ruling = field(default=Ruling(Decision.ASK, Source.DEFAULT))
    note: str = ""

    def to_wire(self) -> list[Any]:
        return [self.verdict.value, self.source.value, self.ruling.to_wire(), self.note]

    @classmethod
    def from_wire(cls, data: list[Any]) -> Answer:
        return cls(Verdict(data[0]), Source(data[1]), Ruling.from_wire(data[2]), data[3])

    @property
    def why(self) -> str:
        """Why, in words fit for the refused process: the note, or the rule, or who said so."""
        if self.note:
            return f"{self.source}: {self.note}"
        asked = self.source in (Source.OPERATOR, Source.TIMEOUT, Source.SESSION)
        if asked and self.ruling.source is not Source.SESSION:
            return f"{self.source}; asked by {self.ruling.why}"
        return self.ruling.why
