"""The fields of the rule form: what is typed, as a rule, or what is wrong with it in one line. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from agentgate.actions import Decision, Kind
from agentgate.policy.edit import check_draft
from agentgate.policy.errors import PolicyError
from agentgate.policy.model import Policy
from agentgate.policy.suggest import Draft

__all__ = ["ANY", "Fields", "with_draft"]

ANY = "any"
"""The kind of a rule that holds for every kind of action."""

_FROM_NOW = re.compile(r"(\d{1,5})\s*([mhdw])")
_UNITS = {"m": dt.timedelta(minutes=1), "h": dt.timedelta(hours=1)}
_DAYS = {"d": 1, "w": 7}


@dataclass(frozen=True, slots=True)
class Fields:
    """Each as it is typed; ``targets`` has one glob a line. ``until`` may be a date, a date with a time, or
    how long from now (``30m``, ``1h``, ``7d``, ``2w``)."""

    action: str = ANY
    targets: str = ""
    decision: str = Decision.ASK
    within: str = ""
    scope: str = ""
    reason: str = ""
    until: str = ""
    disabled: bool = False

    @classmethod
    def of(cls, draft: Draft) -> Fields:
        return cls(
            action=draft.action or ANY,
            targets="\n".join(draft.targets),
            decision=draft.decision,
            within=draft.within or "",
            scope=draft.scope or "",
            reason=draft.reason,
            until=draft.until.isoformat() if draft.until else "",
            disabled=draft.disabled,
        )

    def draft(self, now: Callable[[], dt.datetime] = dt.datetime.now) -> Draft:
        """The rule that was typed. Raises PolicyError; its ``message`` is one line."""
        draft = Draft(
            None if self.action == ANY else Kind(self.action),
            tuple(line.strip() for line in self.targets.splitlines() if line.strip()),
            Decision(self.decision),
            " ".join(self.reason.split()),
            self.within.strip() or None,
            self.scope.strip() or None,
            _until(self.until.strip(), now),
            self.disabled,
        )
        check_draft(draft)
        return draft


def _until(text: str, now: Callable[[], dt.datetime]) -> dt.date | dt.datetime | None:
    if not text:
        return None
    ahead = _FROM_NOW.fullmatch(text)
    try:
        if ahead and ahead[2] in _DAYS:
            return now().date() + dt.timedelta(days=int(ahead[1]) * _DAYS[ahead[2]])
        if ahead:
            moment = now().astimezone() + int(ahead[1]) * _UNITS[ahead[2]]
            return moment.replace(microsecond=0)
        return dt.date.fromisoformat(text) if len(text) <= 10 else dt.datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise PolicyError(
            f"until '{text}' is no date (write 2027-01-31, 2027-01-31T18:00, or 1h, 7d from now)", "rule"
        ) from None


def with_draft(policy: Policy, draft: Draft, number: int, *, new: bool) -> Policy:
    """``policy`` as it will be with ``draft`` for rule ``number``, or ``new`` in front of it; its rules
    have their numbers, the draft has no line yet."""
    rules = list(policy.rules)
    rules[number - 1 : number - 1 + (not new)] = [draft.rule]
    numbered = tuple(replace(rule, number=at) for at, rule in enumerate(rules, 1))
    return replace(policy, rules=numbered)
