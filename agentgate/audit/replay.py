"""What rules would have decided on recorded actions, beside what was decided. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agentgate.actions import Ruling, Source
from agentgate.audit.past import Rules
from agentgate.audit.record import Record

__all__ = ["Change", "Outcome", "replay"]


@dataclass(frozen=True, slots=True)
class Change:
    """``record`` is the newest of ``times`` alike."""

    record: Record
    times: int
    after: Ruling


@dataclass(frozen=True, slots=True)
class Outcome:
    """``counts`` by what would be decided now; ``changes`` newest first."""

    counts: dict[str, int]
    changes: tuple[Change, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "counts": self.counts,
            "changed": [
                {
                    "time": change.record.time,
                    "action": change.record.action.kind.value,
                    "target": change.record.action.target,
                    "times": change.times,
                    "before": change.record.ruling.decision.value,
                    "after": change.after.decision.value,
                    "why": change.after.why,
                }
                for change in self.changes
            ],
        }


def replay(records: Iterable[Record], rules: Rules) -> Outcome:
    """What the gate refused by itself, whatever the rules said, is left out."""
    counts: Counter[str] = Counter()
    changes: dict[object, Change] = {}
    for record in records:
        if record.ruling.source is Source.GATE:
            continue
        after = rules.rule(record.action)
        counts[after.decision.value] += 1
        if after.decision is record.ruling.decision:
            continue
        key = (record.action.kind, record.action.objects, record.ruling.decision, after)
        known = changes.get(key)
        changes[key] = Change(record, known.times + 1 if known else 1, after)
    newest = sorted(changes.values(), key=lambda change: change.record.time, reverse=True)
    return Outcome(dict(sorted(counts.items())), tuple(newest))
