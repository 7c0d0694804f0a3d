"""Rules that nearly decided an action: what its author may have expected to hold."""

from __future__ import annotations

from collections.abc import Iterator

from agentgate.actions import Action
from agentgate.policy.match import Compiled, Matcher, expired

__all__ = ["near"]


def near(action: Action, matcher: Matcher) -> Iterator[tuple[Compiled, str]]:
    """The rules that match the target, did not decide it and would have said something else, in order, each
    with why it did not."""
    ruling = matcher.rule(action)
    decided = ruling.rule
    for compiled in matcher.rules[action.kind]:
        rule = compiled.rule
        if rule.number == decided or not compiled.covers(action.target) or _is_catch_all(compiled):
            continue
        if rule.decision is ruling.decision:
            continue  # it would have said the same
        if expired(rule, matcher.context.now):
            yield compiled, "it ended"
        elif not compiled.holds(action):
            yield compiled, f"only within '{rule.within}'"
        elif decided is not None and rule.number > decided:
            yield compiled, f"rule {decided} comes first"


def _is_catch_all(compiled: Compiled) -> bool:
    return not compiled.rule.targets and not compiled.rule.within
