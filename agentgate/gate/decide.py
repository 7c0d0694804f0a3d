"""What the rules say of an action: guards, then policy, then what was already answered.

Pure and the same everywhere: the warden, the proxy, the shims' broker and ``agentgate check`` all ask
this one object, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from agentgate.actions import Action, Decision, GuardName, Kind, Ruling, Source
from agentgate.gate import helpers
from agentgate.gate.guards import Guards
from agentgate.gate.remembered import Answers
from agentgate.gate.secrets import Secrets

__all__ = ["Cleared", "Decider", "Grants", "Rules"]

_NO_SECRET = Ruling(Decision.ALLOW, Source.GATE, reason="no secret, and no rule for fs_read is about it")
_NAMING = ("rename", "link")  # a read by these calls: under another name it would be free
_MOVED = Ruling(
    Decision.ASK, Source.GUARD, reason="holds files that are secret where they lie", guard=GuardName.READ_KEYS
)
_STRICTNESS = {Decision.ALLOW: 0, Decision.ASK: 1, Decision.DENY: 2}


_Key = tuple[Kind, str, int, int]
Cleared = Callable[[GuardName], bool]


class Rules(Protocol):
    """What Decider needs of a policy (``policy.match.Matcher`` is one)."""

    def on(self, action: Action, target: str) -> Ruling:
        """What holds for one of the action's objects."""

    def reading(self, action: Action, target: str) -> Ruling | None:
        """What the rules hold that name reads, if one does."""

    def closed_below(self, directory: str) -> bool:
        """Whether one of those may be about something in ``directory``."""


class Grants:
    """Answers that hold for one process and one object: "once" means that the process may finish what it
    was allowed to begin (open, write, chmod, rename onto the same file), not that it is asked at each call.

    Keyed by pid and start time, so a later process with the same pid has no share in them. Commands are
    never covered: every execve is a new question.
    """

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._known: dict[_Key, str] = {}

    @staticmethod
    def _key(action: Action, target: str) -> _Key | None:
        if action.kind is Kind.EXEC or not action.chain or not action.chain[0].start:
            return None
        return action.kind, target, action.chain[0].pid, action.chain[0].start

    def add(self, action: Action, target: str, guard: str = "") -> None:
        """``guard`` is the one that asked, if one did: then what it asks is covered too."""
        key = self._key(action, target)
        if key:
            self._known[key] = guard or self._known.get(key, "")
        while len(self._known) > self._limit:
            del self._known[next(iter(self._known))]

    def cover(self, action: Action, target: str, guard: str = "") -> bool:
        """Whether what is asked about was answered before: an answer that no guard asked for says nothing
        to a guard."""
        if not self._known:
            return False
        key = self._key(action, target)
        known = self._known.get(key) if key else None
        return known is not None and guard in ("", known)

    def clear(self) -> None:
        self._known.clear()


class Decider:
    """Immutable but for ``grants`` and ``answers``, which the Decider of a changed policy takes over."""

    def __init__(
        self,
        rules: Rules,
        guards: Guards,
        secrets: Secrets,
        *,
        enforce: bool = False,
        grants: Grants | None = None,
        answers: Answers | None = None,
    ) -> None:
        self._rules = rules
        self._guards = guards
        self._secrets = secrets
        self._enforce = enforce
        self.grants = grants if grants is not None else Grants()
        self.answers = answers

    def grant(self, action: Action) -> None:
        """The operator allowed ``action``: its process may finish what it began with these objects."""
        for target in action.objects:
            self.grants.add(action, target, self._guard(action, target))

    def _guard(self, action: Action, target: str) -> str:
        """The name of the guard that stands before this object."""
        if action.kind is Kind.FS_READ:
            secret = self._secrets.find(target)
            return secret.name if secret else _MOVED.guard if action.syscall in _NAMING else ""
        guard = self._guards.find(target, action.syscall) if action.kind is Kind.FS_WRITE else None
        return guard.name if guard else ""

    def secret(self, action: Action) -> str:
        """What a read would reveal, in a few words; empty for any other action and for what is no secret."""
        secret = self._secrets.find(action.target) if action.kind is Kind.FS_READ else None
        return secret.what if secret else ""

    def rule(self, action: Action, cleared: Cleared | None = None) -> Ruling:
        """The strictest ruling over the action's objects (deny, then ask, then allow).

        An ask becomes an allow where this process was already allowed this object, and a deny where
        asks are denies (``enforce``). ``cleared``: whether a guard has nothing to ask, because what would be
        written was read; it counts only for an action that is then allowed, and so done at once.
        """
        ruling = self._strictest(action, cleared)
        if cleared and ruling.decision is not Decision.ALLOW:
            ruling = self._strictest(action, None)
        return self.final(ruling)

    def final(self, ruling: Ruling) -> Ruling:
        """``ruling``, but a deny for an ask where asks are denies."""
        if self._enforce and ruling.decision is Decision.ASK:
            return replace(ruling, decision=Decision.DENY, source=Source.ENFORCE, reason=ruling.why)
        return ruling

    def along(self, action: Action, before: str, after: str) -> Ruling:
        """What holds for a file that goes along, under both its names, when ``action`` renames a directory
        above it. It was guarded where it was made; a guard asks only where the new place is what makes it
        run."""
        ruling, other = self._rules.on(action, after), self._rules.on(action, before)
        if _STRICTNESS[other.decision] > _STRICTNESS[ruling.decision]:
            return other
        if ruling.decision is Decision.ALLOW:
            guard = self._guards.find(after, action.syscall)
            if guard and guard is not self._guards.find(before, action.syscall):
                return Ruling(Decision.ASK, Source.GUARD, ruling.rule, ruling.line, guard.reason, guard.name)
        return ruling

    def _strictest(self, action: Action, cleared: Cleared | None) -> Ruling:
        ruling = self._one(action, action.target, cleared)
        if action.origin:
            other = self._one(action, action.origin, cleared)
            if _STRICTNESS[other.decision] > _STRICTNESS[ruling.decision]:
                ruling = other
        return ruling

    def _one(self, action: Action, target: str, cleared: Cleared | None) -> Ruling:
        reads = action.kind is Kind.FS_READ
        ruling = self._read(action, target) if reads else self._rules.on(action, target)
        if action.kind is Kind.FS_WRITE and ruling.decision is not Decision.DENY:
            guard = self._guards.find(target, action.syscall)
            if guard and not (cleared and ruling.decision is Decision.ALLOW and cleared(guard.name)):
                ruling = Ruling(
                    Decision.ASK, Source.GUARD, ruling.rule, ruling.line, guard.reason, guard.name
                )
        elif ruling.decision is Decision.ASK and action.kind is Kind.NET_EGRESS and not ruling.reason:
            meaning = helpers.meaning(target)  # of what works for the agent outside the gate
            ruling = replace(ruling, reason=meaning) if meaning else ruling
        if ruling.decision is not Decision.ASK:
            return ruling
        if self.grants.cover(action, target, ruling.guard):
            return Ruling(Decision.ALLOW, Source.SESSION, ruling.rule, ruling.line, "allowed to this process")
        if self.answers:
            return self.answers.find(action, target, ruling) or ruling
        return ruling

    def _read(self, action: Action, target: str) -> Ruling:
        """Reading is free but for secrets; rules for any kind of action can close a secret, never open it."""
        named = self._rules.reading(action, target)
        if named is not None:
            return named
        secret = self._secrets.find(target)
        if secret is None:
            moved = action.syscall in _NAMING and (
                self._secrets.held_by(target) or self._rules.closed_below(target)
            )
            return _MOVED if moved else _NO_SECRET
        general = self._rules.on(action, target)
        if general.decision is Decision.DENY and general.source is not Source.DEFAULT:
            return general
        if secret.owned(action.argv):
            return Ruling(
                Decision.ALLOW, Source.GUARD, reason="read by the program it is for", guard=secret.name
            )
        if general.decision is Decision.DENY:
            return general
        return Ruling(Decision.ASK, Source.GUARD, reason=secret.reason, guard=secret.name)
