"""How often each rule had the say: counted by what the rule says, not by its number.

So the count stays with a rule while others come, go and move above it, and while it is switched off or given
another reason or another last day. A rule that is made to match something else begins anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agentgate.actions import Ruling
from agentgate.policy.model import Policy, Rule

__all__ = ["Tally"]

_Key = tuple[object, ...]


def _key(rule: Rule) -> _Key:
    return rule.action, rule.targets, rule.within, rule.decision, rule.scope


class Tally:
    """Not for several threads."""

    def __init__(self) -> None:
        self._policies: list[Policy] = []
        self._counts: Counter[_Key] = Counter()
        self.default = 0

    def use(self, policy: Policy) -> None:
        """``policy`` is in force from now on; a decision that was made before may still come."""
        if not self._policies or policy is not self._policies[0]:
            self._policies = [policy, *self._policies[:1]]

    def add(self, rulings: Iterable[Ruling]) -> None:
        """Count what was decided."""
        for ruling in rulings:
            if ruling.rule is not None:
                rule = self._rule(ruling)
                if rule is not None:
                    self._counts[_key(rule)] += 1
            elif ruling.source == "default":
                self.default += 1

    def _rule(self, ruling: Ruling) -> Rule | None:
        """The rule of the policy in force, or of the one before it, of which the ruling speaks."""
        for policy in self._policies:
            if 0 < (ruling.rule or 0) <= len(policy.rules):
                rule = policy.rules[(ruling.rule or 0) - 1]
                if rule.line == ruling.line:
                    return rule
        return None

    def hits(self, rule: Rule) -> int:
        return self._counts[_key(rule)]
