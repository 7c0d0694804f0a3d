"""``agentgate doctor``: which promises hold on this machine, found out by trying them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from agentgate.cli import exits
from agentgate.cli.options import colours

__all__ = ["add"]

_WIDTH = 120  # columns where standard output is no terminal
_EXAMPLE = """\
example:
  agentgate doctor
  agentgate doctor --json | jq .verdict
  agentgate doctor --promises       what is promised, to whom, by which mechanism, and what is not

Everything is tried, in child processes, a temporary directory and on loopback: among others a small real
session whose program tries to write, connect and start something. Takes about two seconds.

exit status: 0 the kernel gate can run here and held, 1 it cannot or did not, 2 a mistake in the command line
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "doctor",
        help="say which promises hold on this machine",
        description="Try what the gate needs, and say which of its promises hold on this machine.",
        usage="agentgate doctor [--json | --promises]",
        epilog=_EXAMPLE,
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="one JSON object: verdict, rows and facts")
    how.add_argument("--promises", action="store_true", help="print the threat model, try nothing")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.promises:
        from agentgate.intercept import kernel

        print((kernel.__doc__ or "this Python runs without docstrings (-OO)").strip())
        return exits.OK
    from agentgate.doctor.collect import collect
    from agentgate.doctor.promises import outlook
    from agentgate.doctor.report import as_json, machine, table

    sys.stdout.flush()  # nothing of ours is to be written by a child too
    facts = collect()
    found = outlook(facts)
    if args.json:
        print(json.dumps(as_json(facts, found)))
    else:
        colour = colours()
        print(machine(facts), "", *table(found, _columns(), colour), sep="\n")
    return exits.OK if found.ok else exits.NO_GATE


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _WIDTH
    except (OSError, ValueError):
        return _WIDTH
