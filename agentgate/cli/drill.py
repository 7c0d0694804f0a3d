"""``agentgate drill``: what a policy does about the package worms of 2025 and 2026, by having them try."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from agentgate.cli import exits
from agentgate.cli.options import UsageError, add_policy, colours, here
from agentgate.escape import printable
from agentgate.settings import GateChoice

__all__ = ["add"]

_EXAMPLE = """\
example:
  agentgate drill
  agentgate drill axios miasma --policy policy-samples/supply-chain.yaml
  agentgate drill --json | jq -r '.campaigns[] | select(.stopped | not) | .name'

Each campaign is a package whose install script does what the real one did, in a temporary home with made-up
keys, against a "command server" on loopback. Each is run without the gate first, to see that every step is
real. The operator allows the install and denies the first thing that goes beyond it, and all that follows.

exit status: 0 every step was stopped, 1 at least one was not, 2 a mistake, 69 the gate cannot run here
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "drill",
        help="try the package worms of 2025 and 2026 on a policy, without harm",
        description="Re-enact the package worms of 2025 and 2026, and say what stops each step.",
        epilog=_EXAMPLE,
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="campaigns (default: all; --list names them)"
    )
    add_policy(parser)
    parser.add_argument(
        "--gate", choices=[choice.value for choice in GateChoice], default=GateChoice.AUTO.value,
        help="as in agentgate run",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="name the campaigns and their steps, try nothing")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from agentgate.drill.campaigns import CAMPAIGNS

    known = {campaign.name: campaign for campaign in CAMPAIGNS}
    for name in args.names:
        if name not in known:
            raise UsageError(f"no campaign {name!r} (there are: {', '.join(known)})")
    chosen = [known[name] for name in dict.fromkeys(args.names)] or list(CAMPAIGNS)
    if args.list:
        for campaign in chosen:
            print(f"{campaign.name:<16} {campaign.title}")
            print(*(f"  {step.what}" for step in campaign.steps), sep="\n")
        return exits.OK

    import asyncio

    from agentgate.drill import report
    from agentgate.drill.play import play
    from agentgate.policy.store import find_policy

    policy = find_policy(args.policy, os.environ, here())
    policy.load()  # a mistake in it is told before anything is tried
    path = policy.path.resolve() if policy.path else None
    colour = colours()
    if not args.json:
        print(f"policy: {printable(policy.label, 200)}", flush=True)
    drill = []
    for campaign in chosen:
        drill.append(asyncio.run(play(campaign, path, GateChoice(args.gate))))
        if not args.json:
            print("", *report.lines(drill[-1], colour), sep="\n", flush=True)
    if args.json:
        print(json.dumps(report.as_json(drill, policy.label)))
    else:
        print(f"\n{report.total(drill)}")
    return exits.OK if all(played.stopped for played in drill) else exits.DONE
