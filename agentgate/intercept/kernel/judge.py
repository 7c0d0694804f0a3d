"""What the warden decides by: its copy of the policy, the guards, and the few rulings of the gate itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from agentgate.actions import Action, Decision, Kind, Ruling, Source
from agentgate.gate.command import Places
from agentgate.gate.decide import Decider, Grants
from agentgate.gate.guards import Guards
from agentgate.gate.remembered import Answers, Remembered
from agentgate.gate.secrets import Secrets
from agentgate.intercept.kernel.effect import Effect
from agentgate.intercept.kernel.moves import Moves
from agentgate.policy.beneath import Beneath
from agentgate.policy.match import Context, Matcher
from agentgate.policy.model import Policy

__all__ = ["Judge", "Rules"]

_NO_NET = Ruling(Decision.DENY, Source.GATE, reason="--no-net: no connections in this session")
_GOES_ON = Ruling(Decision.ALLOW, Source.SESSION, reason="the approved command, in its interpreter")
_STARTED = Ruling(Decision.ALLOW, Source.OPERATOR, reason="the command of this session")


@dataclass(frozen=True)
class Rules:
    """What the warden decides by, but for the policy itself, which can change."""

    context: Context
    places: Places
    own: tuple[str, ...]
    enforce: bool
    network: bool

    def guards(self, policy: Policy) -> Guards:
        return Guards(
            home=self.context.home, project=self.context.project, own=self.own, lifted=policy.lifted
        )


class Judge:
    """The rulings of one session. ``use`` changes the policy; what was granted or answered stays so."""

    def __init__(self, rules: Rules, policy: Policy) -> None:
        self._rules = rules
        self._grants = Grants()
        self._answers = Answers(rules.context)
        self._held: Ruling | None = None
        self.use(policy)

    def use(self, policy: Policy) -> None:
        self._matcher = Matcher(policy, self._rules.context)
        guards = self._rules.guards(policy)
        self._secrets = Secrets(home=self._rules.context.home, lifted=policy.lifted)
        self._decider = Decider(
            self._matcher, guards, self._secrets, enforce=self._rules.enforce, grants=self._grants,
            answers=self._answers,
        )  # fmt: skip
        self._moves = Moves(self._decider, guards, Beneath(self._matcher))

    def hear(self, message: dict[str, Any]) -> None:
        """The app's news: another policy, or all the operator's answers that hold longer than once."""
        if message["type"] == "policy":
            self.use(Policy.from_wire(message["policy"]))
        else:
            self._answers.use(map(Remembered.from_wire, message["answers"]))

    def hold(self, why: str) -> None:
        """Allow nothing and ask nothing, because of ``why``; "" ends it."""
        self._held = Ruling(Decision.DENY, Source.GATE, reason=why) if why else None

    def grant(self, action: Action) -> None:
        """The operator allowed ``action``: its process may finish what it was allowed to begin."""
        self._decider.grant(action)

    def rule(self, action: Action, effect: Effect, *, first: bool) -> Ruling:
        """What holds for ``action``: see ``_rule``, and ``hold``."""
        ruling = self._rule(action, effect, first=first)
        return ruling if self._held is None or ruling.decision is Decision.DENY else self._held

    def _rule(self, action: Action, effect: Effect, *, first: bool) -> Ruling:
        """What holds for ``action``, which is to be done by ``effect``. ``first``: the agent's own program
        is not running yet, so this execve is the session's command.

        A script that was approved goes on in the interpreter it names, which is no new question; but a rule
        that denies the interpreter holds, or a script could run what is forbidden."""
        if effect.refused:
            return Ruling(Decision.DENY, Source.GATE, reason=effect.refused)
        if first and action.kind is Kind.EXEC:
            return _STARTED
        outside = action.kind is Kind.NET_EGRESS and not action.target.startswith("unix:")
        if outside and not self._rules.network:
            return _NO_NET
        ruling = self._decider.rule(action, effect.cleared)
        if effect.goes_on and not _forbidden(ruling):
            ruling = _GOES_ON
        if ruling.decision is Decision.DENY:
            return ruling
        if effect.renames:
            return self._moves.rule(action, effect.renames, ruling)
        for words in effect.interpreters:
            its = self._decider.rule(action._replace(target=" ".join(words), argv=words))
            if _forbidden(its):
                return replace(its, reason=f"it runs {words[0]}" + (its.reason and f": {its.reason}"))
        return ruling

    def concerned(self, path: bytes) -> bool:
        """Whether a read of ``path`` has to be decided: nearly none has."""
        if path in self._secrets:
            return True
        return self._matcher.closes and self._matcher.closed(os.fsdecode(path))

    def moves_secrets(self, origin: str, target: str) -> bool:
        """Whether what is secret at ``origin``, or below it, would be free to read at ``target``."""
        secret = self._secrets.find(origin)
        if secret is not None:
            return self._secrets.find(target) is not secret
        if self._matcher.closes and (self._matcher.closed(origin) or self._matcher.closed_below(origin)):
            return True
        return self._secrets.held_by(origin)

    def lets_write(self, path: str) -> bool:
        """Whether a rule lets some process of the agent's write ``path`` without a question."""
        return self._matcher.may_allow(Kind.FS_WRITE, path)


def _forbidden(ruling: Ruling) -> bool:
    """Whether a rule says no; a default that does has said nothing of this one."""
    return ruling.decision is Decision.DENY and ruling.source in (Source.RULE, Source.SCOPE)
