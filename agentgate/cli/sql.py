"""``agentgate audit sql``: the record as a table, asked with SQL (DuckDB, an optional extra)."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from agentgate.cli import exits
from agentgate.cli.options import UsageError, add_audit, log_parts
from agentgate.escape import printable

__all__ = ["add"]

_COLUMNS = {
    "v": "INTEGER", "time": "DOUBLE", "id": "BIGINT", "session": "VARCHAR", "agent": "VARCHAR",
    "action": "VARCHAR", "target": "VARCHAR", "origin": "VARCHAR", "argv": "VARCHAR[]", "cwd": "VARCHAR",
    "chain": 'STRUCT(pid BIGINT, "start" BIGINT, exe VARCHAR, argv VARCHAR[])[]', "intent": "VARCHAR",
    "decision": "VARCHAR", "asked_by": "VARCHAR", "verdict": "VARCHAR", "source": "VARCHAR", "rule": "BIGINT",
    "rule_line": "BIGINT", "guard": "VARCHAR", "reason": "VARCHAR", "note": "VARCHAR", "waited_ms": "BIGINT",
    "gate": "VARCHAR", "syscall": "VARCHAR",
}  # fmt: skip
_EXAMPLE = """\
example:
  agentgate audit sql "select target, count(*) n from audit where verdict = 'deny' group by all order by n"
  agentgate audit sql --json "select to_timestamp(time) at, target from audit where action = 'net_egress'"

The table is called audit; its columns are the members of a record (agentgate/audit/SCHEMA.md). Needs DuckDB:
pip install 'agentgate-tui[sql]'.
"""


def add(verbs: Any) -> None:
    parser = verbs.add_parser(
        "sql", help="ask the record with SQL", description="Ask the record with SQL.", epilog=_EXAMPLE
    )
    parser.add_argument("query", metavar="QUERY", help="a query of the table audit")
    add_audit(parser, verb=True)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="an object a row")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:

    try:
        import duckdb
    except ImportError:
        raise UsageError("audit sql needs DuckDB: pip install 'agentgate-tui[sql]'") from None
    files = list(map(str, log_parts(args)))
    with duckdb.connect() as database:
        database.execute(
            "create table audit as select * from read_json($files, format = 'newline_delimited', "
            "ignore_errors = true, maximum_object_size = 33554432, columns = $columns)",
            {"files": files, "columns": _COLUMNS},
        )
        database.execute("set enable_external_access = false")  # a query reads this table and nothing else
        try:
            found = database.execute(args.query)
            names = [column[0] for column in found.description or ()]
            rows = found.fetchall()
        except duckdb.Error as error:
            raise UsageError(f"audit sql: {' '.join(str(error).split())}") from None
    if args.json:
        for row in rows:
            print(json.dumps(dict(zip(names, row, strict=True)), default=str))
    else:
        _table(names, [[_cell(value) for value in row] for row in rows])
    return exits.OK


def _cell(value: object) -> str:
    return "" if value is None else printable(str(value), 200)


def _table(names: list[str], rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in (names, ["-" * width for width in widths], *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip(), file=sys.stdout)
