"""``policy replay`` and ``policy suggest``: rules and the recorded past."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import Any

from agentgate.cli import exits
from agentgate.cli.policy.kit import Rules, logs, subcommand
from agentgate.escape import printable

__all__ = ["add"]

_REPLAY = """\
example:
  agentgate policy replay
  agentgate policy replay --policy new.yaml old/audit.jsonl --json | jq .changed

The newest 50,000 records of each log; what was masked in them (passwords, tokens) stays masked.

exit status: 0 all as it was decided then, 1 at least one is decided otherwise, 2 a file cannot be read
"""
_SUGGEST = """\
example:
  agentgate policy suggest >> policy.yaml     then read it, and put the rules where they belong

What was asked about and answered the same way each time, as rules at the narrowest scope that makes sense.
Never for what a guard or a secret asked about. Nothing is written.

exit status: 0, 2 a file cannot be read
"""


def add(verbs: Any) -> None:
    replay = subcommand(verbs, "replay", "say what these rules would have decided", _REPLAY, _replay)
    suggest = subcommand(verbs, "suggest", "propose rules for what was asked about", _SUGGEST, _suggest)
    for parser in (replay, suggest):
        parser.add_argument("logs", metavar="AUDIT", nargs="*", help="audit logs (default: this project's)")
        parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object")


def _replay(args: argparse.Namespace) -> int:
    from agentgate.audit.past import load
    from agentgate.audit.replay import replay
    from agentgate.gate import build

    rules = Rules.of(args)
    policy = rules.file.load(rules.check)
    decider = build.decider(rules.settings, policy, rules.file.path)
    records = [record for path in logs(args.logs, rules) for record in load(path).records]
    outcome = replay(records, decider)
    if args.json:
        print(json.dumps(outcome.to_json()))
        return exits.FOUND if outcome.changes else exits.OK
    for change in outcome.changes:
        record = change.record
        when = datetime.fromtimestamp(record.time).strftime("%Y-%m-%d %H:%M:%S")
        times = f"  ({change.times:,} times)" if change.times > 1 else ""
        print(
            f"{when} {record.action.kind} {printable(record.action.target, 300)}{times}\n"
            f"    was {record.ruling.decision} ({printable(record.ruling.why, 200)}), "
            f"would be {change.after.decision} ({printable(change.after.why, 200)})"
        )
    counts = ", ".join(f"{count:,} {decision}" for decision, count in outcome.counts.items())
    changed = sum(change.times for change in outcome.changes)
    print(f"{len(records):,} records: {counts or 'nothing'}; {changed:,} decided otherwise than then")
    return exits.FOUND if outcome.changes else exits.OK


def _suggest(args: argparse.Namespace) -> int:
    from agentgate.audit.past import load
    from agentgate.audit.propose import propose
    from agentgate.gate import build

    rules = Rules.of(args)
    policy = rules.file.load(rules.check)
    decider = build.decider(rules.settings, policy, rules.file.path)
    records = [record for path in logs(args.logs, rules) for record in load(path).records]
    proposals = propose(records, decider, rules.context)
    if args.json:
        print(
            json.dumps(
                [
                    {
                        "action": proposal.draft.action.value if proposal.draft.action else None,
                        "targets": list(proposal.draft.targets),
                        "decision": proposal.draft.decision.value,
                        "events": proposal.events,
                        "example": proposal.example,
                    }
                    for proposal in proposals
                ]
            )
        )
        return exits.OK
    if not proposals:
        print("# nothing to propose: what was asked about was guarded, or was answered now so, now so")
    for proposal in proposals:
        events = f"{proposal.events:,} event{'s' * (proposal.events != 1)}"
        print(f"  # {events}, like {printable(proposal.example, 200)}")
        print("\n".join(proposal.draft.to_yaml()))
    return exits.OK
