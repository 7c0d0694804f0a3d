"""``policy ls``: the rules in force, in order, with what is to be known of each."""

from __future__ import annotations

import argparse
import json
from typing import Any

from agentgate.cli import exits
from agentgate.cli.options import add_audit, add_policy
from agentgate.cli.policy.kit import Rules, subcommand
from agentgate.escape import printable

__all__ = ["add", "arguments", "ls"]

_EXAMPLE = """\
example:
  agentgate policy ls --explain
  agentgate policy ls --json | jq '.rules[] | select(.hits == 0)'

"hits" are recorded actions that the rule would decide now: the newest 50,000 of the audit log.
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    add_policy(parser)
    add_audit(parser)
    parser.add_argument("--explain", action="store_true", help="every key of each rule, and the guards")
    parser.add_argument("--json", action="store_true", help="one JSON object")


def add(verbs: Any) -> None:
    parser = subcommand(verbs, "ls", "list the rules, in order", _EXAMPLE, ls)
    subcommand(
        verbs, "schema", "print the JSON Schema of the policy language", "example:\n"
        "  agentgate policy schema > schema.json\n\nA policy's first line names it to editors: "
        "agentgate init writes that line.\n", _schema,
    )  # fmt: skip
    for name, help in (
        ("--explain", "every key of each rule, and the guards"),
        ("--json", "one JSON object"),
    ):
        parser.add_argument(name, action="store_true", default=argparse.SUPPRESS, help=help)
    add_audit(parser, verb=True)


def ls(args: argparse.Namespace) -> int:
    from agentgate.audit.past import load
    from agentgate.policy.explain import describe
    from agentgate.policy.match import Matcher, expired
    from agentgate.policy.shadow import shadows

    rules = Rules.of(args)
    policy = rules.file.load(rules.check)
    context = rules.context
    shadowed = shadows(policy, context)
    matcher = Matcher(policy, context)
    hits: dict[int | None, int] = {}
    if rules.settings.audit.is_file():
        for record in load(rules.settings.audit).records:
            at = matcher.rule(record.action).rule
            hits[at] = hits.get(at, 0) + 1
    if args.json:
        data = policy.to_wire()
        for rule in data["rules"]:
            at = rule["number"]
            rule |= {"hits": hits.get(at, 0), "shadowed_by": shadowed.get(at)}
        print(json.dumps(data))
        return exits.OK
    print(f"{printable(rules.file.label, 200)}: {len(policy.rules)} rules, default {policy.default}")
    if args.explain:
        _guards(policy.lifted)
    for rule in policy.rules:
        marks = []
        if rule.number in shadowed:
            marks.append(f"never matches: rule {shadowed[rule.number]} is before it")
        if expired(rule, context.now):
            marks.append("expired")
        if hits.get(rule.number):
            marks.append(f"{hits[rule.number]:,} hits")
        mark = f"  [{'; '.join(marks)}]" if marks else ""
        print(f"{rule.number:>3}  {describe(rule)}{mark}")
        if args.explain:
            print(f"     {rules.file.label}:{rule.line}  {printable(rule.reason, 400) or 'no reason given'}")
            for target in rule.targets if len(rule.targets) > 4 else ():
                print(f"       {printable(target, 400)}")
    print(
        f"  -  {policy.default}: whatever no rule matches"
        + (f"  [{hits[None]:,} hits]" if hits.get(None) else "")
    )
    return exits.OK


def _schema(args: argparse.Namespace) -> int:
    from agentgate.policy.schema import PATH

    print(PATH.read_text(encoding="utf-8"), end="")
    return exits.OK


def _guards(lifted: frozenset[Any]) -> None:
    from agentgate.gate.guards import GUARDS
    from agentgate.gate.secrets import SECRETS

    print("guards, asked about before any rule:")
    for guard in GUARDS:
        print(f"     {guard.name:<16} {guard.reason}{'  [lifted]' if guard.name in lifted else ''}")
    print("secrets, asked about when they are read, unless a rule names fs_read:")
    for secret in SECRETS:
        print(f"     {secret.name:<16} {secret.what}{'  [lifted]' if secret.name in lifted else ''}")
