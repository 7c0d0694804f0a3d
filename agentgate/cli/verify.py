"""``agentgate audit verify``: whether the record is what was written."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from agentgate.cli import exits
from agentgate.cli.options import UsageError, add_audit, here, no_log
from agentgate.escape import printable
from agentgate.settings import default_audit
from agentgate.statedir import state_directory

__all__ = ["add"]

_SHOWN = 50  # faults; the status tells that there are any
_EXAMPLE = """\
example:
  agentgate audit verify
  agentgate audit verify --audit copy.jsonl --json | jq .faults

Each record carries a hash of all before it in its session; the last one's is signed with a key in
$XDG_STATE_HOME/agentgate (~/.local/state/agentgate), and the signature kept there. So a copy of the log is
verified on the machine, and under the path, where it was written.

exit status: 0 it is what was written, 1 something was changed, moved or removed, 2 it cannot be read
"""


def add(verbs: Any) -> None:
    parser = verbs.add_parser(
        "verify",
        help="say whether anything in the record was changed or removed",
        description="Say whether anything in the record was changed, moved or removed since it was written.",
        epilog=_EXAMPLE,
    )
    add_audit(parser, verb=True)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from agentgate.audit.heads import Heads
    from agentgate.audit.verify import verify

    path = default_audit(args.audit, os.environ, here())
    shown = printable(str(path))
    if not path.exists():
        raise no_log(path)
    heads = Heads(state_directory(os.environ))
    try:
        outcome = verify(path, heads)
    except FileNotFoundError as error:
        raise UsageError(
            f"{printable(str(error.filename))} is gone: the signatures cannot be checked"
        ) from None
    if args.json:
        print(
            json.dumps(
                {
                    "log": str(path),
                    "good": outcome.good,
                    "records": outcome.records,
                    "sessions": outcome.sessions,
                    "unsigned": outcome.unsigned,
                    "old": outcome.old,
                    "torn": [{"log": str(log), "line": line} for log, line in outcome.torn],
                    "faults": [
                        {"log": str(fault.log or path), "line": fault.line, "what": fault.what}
                        for fault in outcome.faults
                    ],
                }
            )
        )
        return exits.OK if outcome.good else exits.CHANGED
    for fault in outcome.faults[:_SHOWN]:
        where = f"{printable(str(fault.log))}:{fault.line}" if fault.log else shown
        print(f"{where}: {printable(fault.what, 400)}")
    if len(outcome.faults) > _SHOWN:
        print(f"... and {len(outcome.faults) - _SHOWN} more (--json tells all)")
    if any(not fault.line and " missing with all " in fault.what for fault in outcome.faults):
        print(f"if you removed that log yourself, remove its sessions in {printable(str(heads.folder))}, too")
    for line in _notes(outcome.unsigned, outcome.old, outcome.torn):
        print(line)
    count = f"{outcome.records:,} record{'s' * (outcome.records != 1)}"
    count += f" of {outcome.sessions:,} session{'s' * (outcome.sessions != 1)}"
    if outcome.good:
        print(f"{count}: as they were written")
    else:
        print(f"NOT as it was written: {len(outcome.faults):,} faults; {count} stand where they should")
    return exits.OK if outcome.good else exits.CHANGED


def _notes(unsigned: int, old: int, torn: list[tuple[Path, int]]) -> list[str]:
    """What is no fault, but to be known."""
    lines = []
    if unsigned:
        lines.append(
            f"{unsigned:,} behind the last signature (the room runs, or was killed): chained, not signed"
        )
    if old:
        lines.append(f"{old:,} of a version that did not chain its records: cannot be verified")
    if torn:
        places = ", ".join(f"{log.name}:{line}" for log, line in torn[:5]) + (
            ", ..." if len(torn) > 5 else ""
        )
        lines.append(f"{len(torn):,} lines are no whole records ({printable(places)}): skipped")
    return lines
