"""``audit sql`` and ``audit export``: the record asked with SQL, and sent to a collector on loopback."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from collections.abc import Iterator

import pytest
from cli_kit import World

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.record import Record

pytestmark = pytest.mark.timeout(90)
MADE = (
    (Kind.EXEC, "npm install chalk", Verdict.ALLOW),
    (Kind.NET_EGRESS, "evil.example:443", Verdict.DENY),
    (Kind.NET_EGRESS, "evil.example:443", Verdict.DENY),
)


@pytest.fixture
def logged(world: World) -> World:
    world.audit.parent.mkdir()
    lines = []
    for number, (kind, target, verdict) in enumerate(MADE, 1):
        ruling = Ruling(Decision.ASK, Source.DEFAULT)
        action = Action(kind, target, ("npm",), "/p", (Process(7, ("npm", "i")),))
        record = Record(1700000000.5, action, ruling, Answer(verdict, Source.OPERATOR, ruling), 12, "kernel")
        lines.append(record.to_line(session="s1" if number < 3 else "s2", agent="a", number=number))
    world.audit.with_name("audit.1.jsonl").write_bytes(lines[0] + b"torn\n")
    world.audit.write_bytes(b"".join(lines[1:]))
    return world


def test_the_record_is_a_table(logged: World) -> None:
    pytest.importorskip("duckdb", reason="not here: duckdb")
    query = "select target, count(*) n from audit where verdict = 'deny' group by all"
    done = logged.agentgate("audit", "sql", query)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "target            n\n----------------  -\nevil.example:443  2\n"
    query = "select chain[1].pid pid, argv from audit order by id limit 1"
    done = logged.agentgate("audit", "sql", "--json", query)
    assert json.loads(done.stdout) == {"pid": 7, "argv": ["npm"]}


@pytest.mark.parametrize(
    "query",
    ["selec 1", "select * from read_text('/etc/passwd')", "copy audit to 'out.csv'", "attach 'x.db'"],
)
def test_a_query_is_of_the_record_alone(logged: World, query: str) -> None:
    pytest.importorskip("duckdb", reason="not here: duckdb")
    before = sorted(logged.project.rglob("*"))
    done = logged.agentgate("audit", "sql", query)
    assert done.returncode == 2
    assert done.stderr.startswith("agentgate: audit sql: ")
    assert done.stderr.count("\n") == 1
    assert sorted(logged.project.rglob("*")) == before


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes logs as OTLP over HTTP has it: POST, protobuf."""

    taken: list[bytes]
    status = 200

    def do_POST(self) -> None:
        self.taken.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(self.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[tuple[str, type[Collector]]]:
    mine = type("Mine", (Collector,), {"taken": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), mine)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1/logs", mine
    server.shutdown()
    server.server_close()


def test_a_collector_gets_what_was_recorded(logged: World, collector: tuple[str, type[Collector]]) -> None:
    service = pytest.importorskip(
        "opentelemetry.proto.collector.logs.v1.logs_service_pb2", reason="not here: the OpenTelemetry SDK"
    )
    url, server = collector
    done = logged.agentgate("audit", "export", "--otlp", url, "--session", "s1")
    assert (done.returncode, done.stdout) == (0, "2 records sent\n"), done.stderr
    data = server.taken[0]
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    records = service.ExportLogsServiceRequest.FromString(plain).resource_logs[0].scope_logs[0].log_records
    assert [record.body.string_value for record in records] == ["npm install chalk", "evil.example:443"]
    assert [record.severity_text for record in records] == ["INFO", "WARN"]
    assert records[0].time_unix_nano == 1700000000500000000
    attributes = {each.key: each.value for each in records[0].attributes}
    assert attributes["agentgate.command"].string_value == "npm i"
    assert attributes["agentgate.id"].int_value == 1


def test_a_collector_that_refuses_is_told_of(logged: World, collector: tuple[str, type[Collector]]) -> None:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="not here: the OpenTelemetry SDK")
    url, server = collector
    server.status = 400
    done = logged.agentgate("audit", "export", "--otlp", url)
    assert done.returncode == 1
    assert "0 records sent; 3 were not taken" in done.stdout
    wrong = logged.agentgate("audit", "export", "--otlp", "collector:4317")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
