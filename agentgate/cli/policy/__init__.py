"""``agentgate policy``: read, change, try and derive the rules, from the shell.

show.py      ls, explain, schema
change.py    add, rm, move, on, off, fmt, edit
examine.py   lint, test
past.py      replay, suggest
kit.py       what they share
"""

from __future__ import annotations

from typing import Any

from agentgate.cli.options import Parser
from agentgate.cli.policy import change, examine, past, show

__all__ = ["add"]

_EXAMPLE = """\
example:
  agentgate policy                                the rules, in order
  agentgate policy add exec 'npm test*' --reason "tests are free"
  agentgate policy lint && agentgate policy test
  agentgate policy replay .agentgate/audit.jsonl  what these rules would have decided
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "policy",
        help="read, change and try the rules",
        description="Read, change and try the rules. Without a command: list them.",
        epilog=_EXAMPLE,
    )
    show.arguments(parser)
    parser.set_defaults(run=show.ls)
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=False, parser_class=Parser)
    for part in (show, change, examine, past):
        part.add(verbs)
