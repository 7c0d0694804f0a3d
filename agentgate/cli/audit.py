"""``agentgate audit``: what was decided."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import deque
from collections.abc import Iterable
from datetime import date
from typing import Any

from agentgate.actions import Decision, Kind, Verdict
from agentgate.cli import exits, verify
from agentgate.cli.options import Parser, UsageError, add_audit, here
from agentgate.escape import printable
from agentgate.settings import default_audit

__all__ = ["add"]

_EXAMPLE = """\
example:
  agentgate audit --verdict deny --since 1h
  agentgate audit verify         whether anything in it was changed or removed
  agentgate audit --json --action net_egress | jq -r .target | sort | uniq -c
"""


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_count.__name__ = "count"  # as argparse says it: invalid count value


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "audit",
        help="show what was decided",
        description="Show what was decided, oldest first.",
        epilog=_EXAMPLE,
    )
    add_audit(parser)
    parser.add_argument("--decision", choices=[word.value for word in Decision], help="what the rules said")
    parser.add_argument("--verdict", choices=[word.value for word in Verdict], help="how it ended")
    parser.add_argument("--action", choices=[word.value for word in Kind], help="what sort of action")
    parser.add_argument("--since", metavar="WHEN", help="30m, 1h, 2d, 13:20 or 2026-11-23")
    parser.add_argument("--limit", metavar="N", type=_count, help="only the newest N")
    parser.add_argument("--json", action="store_true", help="the records as they were written, one a line")
    parser.set_defaults(run=_run)
    verify.add(
        parser.add_subparsers(title="commands", metavar="[verify]", required=False, parser_class=Parser)
    )


def _run(args: argparse.Namespace) -> int:
    from agentgate.audit.format import line
    from agentgate.audit.query import Filter, parse_since
    from agentgate.audit.read import Entry, Log

    try:
        since = parse_since(args.since, time.time()) if args.since else None
    except ValueError as error:
        raise UsageError(f"--since: {error}") from None
    wanted = Filter(
        Decision(args.decision) if args.decision else None,
        Verdict(args.verdict) if args.verdict else None,
        Kind(args.action) if args.action else None,
        since,
    )
    path = default_audit(args.audit, os.environ, here())
    log = Log(path)
    found: Iterable[Entry] = (entry for entry in log if wanted.matches(entry.record))
    if args.limit:
        found = deque(found, maxlen=args.limit)
    today = date.today()
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
        ascii_only = False
    except UnicodeEncodeError:
        ascii_only = True
    try:
        for entry in found:
            if args.json:
                print(json.dumps(entry.data, separators=(",", ":")))
            else:
                print(line(entry.record, today=today, colour=colour, ascii_only=ascii_only))
    except FileNotFoundError:
        raise UsageError(f"no audit log yet: {printable(str(path))} (--audit names another)") from None
    if log.skipped:
        sys.stdout.flush()
        print(f"agentgate: {log.skipped} lines were no records, skipped", file=sys.stderr)
    return exits.OK
