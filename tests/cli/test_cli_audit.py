"""``audit``: golden lines and filters, over a log that the writer's own words made."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
from cli_kit import Terminal, World

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.record import Record

pytestmark = pytest.mark.timeout(60)

MADE = (
    # kind, target, origin, decision, verdict, source
    (Kind.EXEC, "npm install chalk", "", Decision.ASK, Verdict.ALLOW, Source.OPERATOR),
    (Kind.FS_WRITE, "/p/b", "/p/a", Decision.ALLOW, Verdict.ALLOW, Source.RULE),
    (Kind.NET_EGRESS, "evil.com:443", "", Decision.ASK, Verdict.DENY, Source.OPERATOR),
    (Kind.EXEC, "rm \x1b[2J \udcff", "", Decision.DENY, Verdict.DENY, Source.DEFAULT),
)
START = 1700054426  # 2023-11-15 13:20:26 UTC


@pytest.fixture
def logged(world: World) -> World:
    world.audit.parent.mkdir()
    lines = []
    for number, (kind, target, origin, decision, verdict, source) in enumerate(MADE):
        ruling = Ruling(decision, Source.RULE, 1)
        record = Record(
            START + 60 * number,
            Action(kind, target, origin=origin),
            ruling,
            Answer(verdict, source, ruling),
            0,
            "shim",
        )
        lines.append(record.to_line(session="s", agent="bash", number=number + 1))
    world.audit.write_bytes(b"".join(lines))
    return world


ALL = """\
✓ 2023-11-15 13:20:26 exec allow npm install chalk
✓ 2023-11-15 13:21:26 fs_write allow /p/a -> /p/b
✗ 2023-11-15 13:22:26 net_egress deny evil.com:443
✗ 2023-11-15 13:23:26 exec deny rm \\x1b[2J \\xff
"""
LINES = ALL.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ((), (0, 1, 2, 3)),
        (("--decision", "ask"), (0, 2)),
        (("--decision", "deny"), (3,)),
        (("--verdict", "deny"), (2, 3)),
        (("--action", "exec"), (0, 3)),
        (("--action", "exec", "--verdict", "deny"), (3,)),
        (("--action", "fs_read"), ()),
        (("--since", "2023-11-15T13:22:26"), (2, 3)),
        (("--since", "2099-01-01"), ()),
        (("--limit", "1"), (3,)),
        (("--limit", "1", "--verdict", "allow"), (1,)),
        (("--limit", "9"), (0, 1, 2, 3)),
    ],
)
def test_audit_shows_what_is_asked_for(
    logged: World, words: tuple[str, ...], wanted: tuple[int, ...]
) -> None:
    done = logged.agentgate("audit", *words)
    assert (done.stdout, done.stderr, done.returncode) == ("".join(LINES[number] for number in wanted), "", 0)


def test_the_records_of_today_carry_no_date(logged: World) -> None:
    logged.env["TZ"] = "UTC"
    now = int(time.time())
    ruling = Ruling(Decision.ALLOW, Source.RULE, 1)
    record = Record(
        now, Action(Kind.EXEC, "ls"), ruling, Answer(Verdict.ALLOW, Source.RULE, ruling), 0, "shim"
    )
    with open(logged.audit, "ab") as file:
        file.write(record.to_line(session="s", agent="a", number=5))
    shown = logged.agentgate("audit", "--limit", "1").stdout
    expected = f"✓ {time.strftime('%H:%M:%S', time.gmtime(now))} exec allow ls\n"
    dated = f"✓ {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(now))} exec allow ls\n"
    assert shown == expected or (time.gmtime().tm_yday != time.gmtime(now).tm_yday and shown == dated)


def test_json_is_the_record_as_it_was_written(logged: World) -> None:
    shown = logged.agentgate("audit", "--json").stdout
    assert shown.encode() == logged.audit.read_bytes()
    assert json.loads(shown.splitlines()[0])["target"] == "npm install chalk"


def test_torn_and_foreign_lines_are_counted_not_fatal(logged: World) -> None:
    with open(logged.audit, "ab") as file:
        file.write(b'{"foreign": 1}\n{"time": 1')
    done = logged.agentgate("audit")
    assert done.stdout == ALL and done.returncode == 0
    assert done.stderr == "agentgate: 2 lines were no records, skipped\n"


def test_no_log_yet(world: World) -> None:
    done = world.agentgate("audit")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"agentgate: no audit log yet: {world.audit} (--audit names another)\n"


def test_the_log_can_be_named(logged: World) -> None:
    logged.audit.rename(logged.project / "mine.jsonl")
    assert logged.agentgate("audit", "--audit", "mine.jsonl").stdout == ALL
    logged.env["AGENTGATE_AUDIT"] = "mine.jsonl"
    assert logged.agentgate("audit").stdout == ALL


def test_a_terminal_without_the_marks_gets_plain_ones(logged: World) -> None:
    logged.env |= {"PYTHONIOENCODING": "latin-1"}
    shown = logged.agentgate("audit").stdout
    assert shown == ALL.replace("✓", "+").replace("✗", "x")


def test_colour_on_a_terminal_only(logged: World) -> None:
    with Terminal(logged, *logged.command("audit")) as terminal:
        assert terminal.status() == 0
        assert b"\x1b[32m" in terminal.seen and terminal.lines[0] == LINES[0].rstrip()
    logged.env["NO_COLOR"] = "1"
    with Terminal(logged, *logged.command("audit")) as terminal:
        assert terminal.status() == 0
        assert b"\x1b[" not in terminal.seen


def test_a_reader_that_has_seen_enough_is_no_error(logged: World) -> None:
    logged.audit.write_bytes(logged.audit.read_bytes() * 5000)
    command = " ".join(logged.command("audit")) + " | head -1"
    done = subprocess.run(
        ["sh", "-c", command], cwd=logged.project, env=logged.env, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == (LINES[0], "")
