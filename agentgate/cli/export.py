"""``agentgate audit export --otlp URL``: records as OpenTelemetry log records (an optional extra)."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from agentgate.cli import exits
from agentgate.cli.options import UsageError, add_audit, log_parts
from agentgate.escape import printable

if TYPE_CHECKING:
    from agentgate.audit.read import Entry

__all__ = ["add"]

_EXAMPLE = """\
example:
  agentgate audit export --otlp http://localhost:4318/v1/logs
  agentgate audit export --otlp https://collector.example/v1/logs --session 5e55a1b2

Each record becomes a log record of OTLP over HTTP (OpenTelemetry Protocol 1.x): its time, severity INFO for
an allow and WARN for a deny, the target as body, all else as attributes agentgate.*. What was masked in the
record stays masked. Headers come from $OTEL_EXPORTER_OTLP_HEADERS, as the SDK has it. Needs the OpenTelemetry
SDK: pip install 'agentgate-tui[otlp]'.

exit status: 0 everything was taken, 1 the collector did not take it all, 2 a mistake
"""
_BATCH = 500


def add(verbs: Any) -> None:
    parser = verbs.add_parser(
        "export",
        help="send the record to a collector",
        description="Send the record to a collector.",
        epilog=_EXAMPLE,
    )
    parser.add_argument(
        "--otlp", metavar="URL", required=True, help="where it takes logs: http(s)://.../v1/logs"
    )
    parser.add_argument("--session", metavar="ID", default=argparse.SUPPRESS, help="of this session only")
    add_audit(parser, verb=True)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from agentgate.audit.read import Log

    try:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    except ImportError:
        raise UsageError(
            "audit export needs the OpenTelemetry SDK: pip install 'agentgate-tui[otlp]'"
        ) from None
    if not args.otlp.startswith(("http://", "https://")):
        raise UsageError(f"--otlp {args.otlp}: write http://host:4318/v1/logs")
    files = log_parts(args)
    exporter = OTLPLogExporter(endpoint=args.otlp, timeout=10)
    sent = lost = 0
    try:
        for batch in _batches(entry for part in files for entry in Log(part)
                              if not args.session or entry.session == args.session):  # fmt: skip
            if exporter.export([_record(entry) for entry in batch]).name == "SUCCESS":
                sent += len(batch)
            else:
                lost += len(batch)
                break  # a collector that is not there is not tried a thousand times
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
    failed = f"; {lost:,} were not taken, and what follows was not sent" if lost else ""
    print(f"{sent:,} record{'s' * (sent != 1)} sent{failed}")
    return exits.CHANGED if lost else exits.OK


def _batches(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    for entry in entries:
        batch.append(entry)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _record(entry: Entry) -> Any:
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    denied = entry.data["verdict"] == "deny"
    attributes = {
        f"agentgate.{name}": value
        for name, value in entry.data.items()
        if isinstance(value, (str, int, float)) and name not in ("time", "target", "hash")
    }
    if chain := entry.record.action.chain:
        attributes["agentgate.command"] = chain[0].command
    record = LogRecord(
        timestamp=int(entry.record.time * 1e9),
        severity_text="WARN" if denied else "INFO",
        severity_number=SeverityNumber.WARN if denied else SeverityNumber.INFO,
        body=printable(entry.record.action.target),
        attributes=attributes,
    )
    scope = InstrumentationScope("agentgate.audit")
    return ReadableLogRecord(record, Resource({"service.name": "agentgate"}), scope)
