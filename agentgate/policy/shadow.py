"""Rules that can never have a say, because an earlier one matches everything that they could match.

Pure and sound: a rule is named only when it is certain, whatever processes, times and targets come. Rules
that several earlier ones cover only together are not found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from agentgate.actions import Kind
from agentgate.policy.covers import covers
from agentgate.policy.glob import Lookup
from agentgate.policy.match import Context, expired
from agentgate.policy.model import Policy, Rule

__all__ = ["shadows"]

_BUDGET = 300_000
"""Pairs of globs that are compared: about half a second. What is left is not named."""


def shadows(policy: Policy, context: Context) -> dict[int, int]:
    """The number of each shadowed rule, with that of the first rule that shadows it."""
    found: dict[int, int] = {}
    budget = _BUDGET
    earlier: list[Rule] = []
    lookup = context.variable
    for rule in policy.rules:
        if rule.disabled or expired(rule, context.now):
            continue
        for other in earlier:
            if budget <= 0:
                return found
            if not _may_cover(other, rule, lookup):
                continue
            budget -= max(1, len(other.targets)) * max(1, len(rule.targets))
            if _covers_targets(other, rule, lookup):
                found[rule.number] = other.number
                break
        else:
            earlier.append(rule)  # what is shadowed itself adds nothing to the rule that shadows it
    return found


def _may_cover(wide: Rule, narrow: Rule, lookup: Lookup) -> bool:
    """Whether ``wide`` holds for every kind, process and moment for which ``narrow`` does."""
    # what is said of reads is looked for in the rules that name them alone
    any_kind = wide.action is None and narrow.action is not Kind.FS_READ
    if wide.action is not narrow.action and not any_kind:
        return False
    if wide.within is not None and (
        narrow.within is None or not covers(Kind.EXEC, wide.within, narrow.within, lookup)
    ):
        return False
    return wide.until is None or _lasts(wide.until, narrow.until)


def _lasts(wide: dt.date, narrow: dt.date | None) -> bool:
    """Whether a rule until ``wide`` holds as long as one until ``narrow``."""
    if narrow is None or isinstance(wide, dt.datetime) != isinstance(narrow, dt.datetime):
        return False
    if isinstance(wide, dt.datetime) and isinstance(narrow, dt.datetime):
        return wide.astimezone() >= narrow.astimezone()
    return wide >= narrow


def _covers_targets(wide: Rule, narrow: Rule, lookup: Lookup) -> bool:
    if not wide.targets:
        return True
    if not narrow.targets:
        return any(_everything(narrow.action, glob, lookup) for glob in wide.targets)
    if narrow.action is None:  # a glob means something else in each kind: only the same one is certain
        return set(narrow.targets) <= set(wide.targets)
    kind = narrow.action
    return all(
        any(covers(kind, glob, target, lookup) for glob in _likely(wide, target)) for target in narrow.targets
    )


def _everything(kind: Kind | None, glob: str, lookup: Lookup) -> bool:
    """Whether ``glob`` stands for any target of ``kind``."""
    if kind in (Kind.FS_WRITE, Kind.FS_READ):
        return covers(kind, glob, "/**", lookup)
    return kind is not None and glob == "*"


def _likely(wide: Rule, target: str) -> Iterator[str]:
    """The globs that may cover ``target``: a literal beginning of two signs has to be the same."""
    for glob in wide.targets:
        head = glob[:2]
        if glob == target or not head.isalnum() or not target[:2].isalnum() or head == target[:2]:
            yield glob
