"""What the warden decides by: its copy of the policy, the guards, and the few rulings of the gate itself."""

from __future__ import annotations

import os
from dataclasses import dataclass

from agentgate.actions import Action, Decision, Kind, Ruling, Source
from agentgate.gate.command import Places
from agentgate.gate.decide import Decider, Grants
from agentgate.gate.guards import Guards
from agentgate.policy.match import Context, Matcher
from agentgate.policy.model import Policy

__all__ = ["Judge", "Rules"]

_NO_NET = Ruling(Decision.DENY, Source.GATE, reason="--no-net: no connections in this session")
_GOES_ON = Ruling(Decision.ALLOW, Source.SESSION, reason="the approved command, in its interpreter")
_STARTED = Ruling(Decision.ALLOW, Source.OPERATOR, reason="the command of this session")
_DIRECTORIES = 4096  # whose answer is remembered


@dataclass(frozen=True)
class Rules:
    """What the warden decides by, but for the policy itself, which can change."""

    context: Context
    places: Places
    own: tuple[str, ...]
    enforce: bool
    network: bool

    def decider(self, policy: Policy, grants: Grants) -> Decider:
        guards = Guards(
            home=self.context.home, project=self.context.project, own=self.own, lifted=policy.lifted
        )
        return Decider(Matcher(policy, self.context), guards, enforce=self.enforce, grants=grants)


class Judge:
    """The rulings of one session. ``use`` changes the policy; what was granted stays granted."""

    def __init__(self, rules: Rules, policy: Policy) -> None:
        self._rules = rules
        self._decider = rules.decider(policy, Grants())
        self._writable: dict[str, bool] = {}
        self._held: Ruling | None = None

    def use(self, policy: Policy) -> None:
        self._decider = self._rules.decider(policy, self._decider.grants)
        self._writable.clear()

    def hold(self, why: str) -> None:
        """Allow nothing and ask nothing, because of ``why``; "" ends it."""
        self._held = Ruling(Decision.DENY, Source.GATE, reason=why) if why else None

    def grant(self, action: Action) -> None:
        """The operator allowed ``action``: its process may finish what it was allowed to begin."""
        self._decider.grant(action)

    def rule(self, action: Action, refused: str, *, first: bool, goes_on: bool) -> Ruling:
        """What holds for ``action``: see ``_rule``, and ``hold``."""
        ruling = self._rule(action, refused, first=first, goes_on=goes_on)
        return ruling if self._held is None or ruling.decision is Decision.DENY else self._held

    def _rule(self, action: Action, refused: str, *, first: bool, goes_on: bool) -> Ruling:
        """What holds for ``action``. ``refused``: why the gate never does it, empty when it does.
        ``first``: the agent's own program is not running yet, so this execve is the session's command.
        ``goes_on``: a script that was approved goes on in the interpreter it names, which is no new
        question; but a rule that denies the interpreter holds, or a script could run what is forbidden."""
        if refused:
            return Ruling(Decision.DENY, Source.GATE, reason=refused)
        if first and action.kind is Kind.EXEC:
            return _STARTED
        outside = action.kind is Kind.NET_EGRESS and not action.target.startswith("unix:")
        if outside and not self._rules.network:
            return _NO_NET
        ruling = self._decider.rule(action)
        forbidden = ruling.decision is Decision.DENY and ruling.source in (Source.RULE, Source.SCOPE)
        if goes_on and not forbidden:
            return _GOES_ON
        return ruling

    def lets_write(self, path: str) -> bool:
        """Whether a rule lets the agent write ``path`` without a question, remembered by directory."""
        directory = os.path.dirname(path)
        known = self._writable.get(directory)
        if known is None:
            if len(self._writable) > _DIRECTORIES:
                self._writable.clear()
            ruling = self._decider.rule(Action(Kind.FS_WRITE, path, syscall="open"))
            known = ruling.decision is Decision.ALLOW and ruling.source is Source.RULE
            self._writable[directory] = known
        return known
