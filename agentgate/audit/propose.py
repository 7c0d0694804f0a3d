"""Rules for what was asked about and always answered alike, at the narrowest scope that makes sense. Pure.

Never for what a guard or a secret asked about, nor for the socket of a program outside: these are answered
one by one. What was answered now so, now so, is no habit, and proposed neither way.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace

from agentgate.actions import Decision, Kind, Source
from agentgate.audit.mask import MASK
from agentgate.audit.past import Rules
from agentgate.audit.record import Record
from agentgate.policy.glob import escape
from agentgate.policy.match import Context
from agentgate.policy.suggest import Draft, suggest

__all__ = ["Proposal", "propose"]

_MANY = 3
"""Files of one directory from which on the directory is proposed instead of each of them."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """``events`` recorded actions are settled by ``draft``; ``example`` is the target of one."""

    draft: Draft
    events: int
    example: str


def propose(records: Iterable[Record], rules: Rules, context: Context) -> list[Proposal]:
    """``rules`` are those in force: what they decide without asking needs no rule. Denies come first, then
    the most frequent: as rules in this order each has its say."""
    found: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        action, answer = record.action, record.answer
        if action.kind is Kind.FS_READ or MASK in action.target or action.target.startswith("unix:"):
            continue
        if record.ruling.source in (Source.GUARD, Source.GATE, Source.UNNAMED):
            continue
        if answer.source is not Source.OPERATOR:
            continue
        now = rules.rule(action)
        if now.decision is not Decision.ASK or now.source is Source.GUARD:
            continue
        draft = suggest(action)
        found.setdefault((action.kind, draft.targets), []).append(record)
    proposals = []
    for group in found.values():
        verdicts = {record.answer.verdict for record in group}
        if len(verdicts) == 1:
            decision = Decision(verdicts.pop().value)
            reason = "asked about and allowed each time" if decision is Decision.ALLOW else "denied each time"
            draft = replace(suggest(group[-1].action, decision), reason=reason)
            proposals.append(Proposal(draft, len(group), group[-1].action.target))
    proposals = _by_directory(proposals, context)
    return sorted(
        proposals, key=lambda one: (one.draft.decision is not Decision.DENY, -one.events, one.draft.targets)
    )


def _by_directory(proposals: list[Proposal], context: Context) -> list[Proposal]:
    """Files of one directory together, where there are many and the directory holds not everything."""
    folders: dict[str, list[Proposal]] = {}
    rest: list[Proposal] = []
    for proposal in proposals:
        draft = proposal.draft
        if draft.action is Kind.FS_WRITE and draft.decision is Decision.ALLOW and len(draft.targets) == 1:
            folders.setdefault(posixpath.dirname(proposal.example), []).append(proposal)
        else:
            rest.append(proposal)
    for folder, files in folders.items():
        wide = folder in ("/", context.home) or context.home.startswith(f"{folder}/") or folder.count("/") < 2
        if len(files) < _MANY or wide or _guards_below(folder, context):
            rest += files
            continue
        draft = replace(files[0].draft, targets=(f"{escape(folder)}/*",))
        rest.append(Proposal(draft, sum(file.events for file in files), files[0].example))
    return rest


def _guards_below(folder: str, context: Context) -> bool:
    """A hidden directory of the home holds settings that run things."""
    return folder.startswith(f"{context.home}/.")
