"""``audit``: golden lines and filters, over a log that the writer's own words made."""

from __future__ import annotations

import json
import os
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
        (("--action", "exec", "--action", "net_egress"), (0, 2, 3)),
        (("--host", "evil.com"), (2,)),
        (("--path", "/p"), (1,)),
        (("--path", "a", "--path", "c"), (1,)),
        (("--process", "npm"), (0,)),
        (("--agent", "bash", "--session", "s"), (0, 1, 2, 3)),
        (("--agent", "claude"), ()),
        (("--session", "last", "--verdict", "deny"), (2, 3)),
        (("--until", "2023-11-15T13:21:26"), (0,)),
        (("--text", "CHALK"), (0,)),
        (("--where", "deny exec"), (3,)),
        (("--where", "!exec !host:evil.com"), (1,)),
        (("--where", "path:/p/b since:2023-11-15 until:2023-11-15"), (1,)),
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "soon"), "--since: not a time: 'soon' (write 30m, 1h, 2d, 13:20 or 2026-11-23)"),
        (("--where", "hots:x.y"), "no key 'hots': host:? (quotes around it make it a text)"),
        (
            ("--where", "action:run"),
            "action: unknown word 'run' (exec, fs_write, fs_read, net_egress, write, read, net)",
        ),
        (("--host", ""), "--host: needs a value"),
    ],
)
def test_a_filter_that_means_nothing(logged: World, words: tuple[str, ...], said: str) -> None:
    done = logged.agentgate("audit", *words)
    assert (done.stdout, done.stderr, done.returncode) == ("", f"agentgate: {said}\n", 2)


def test_the_last_session_of_an_empty_log(world: World) -> None:
    world.audit.parent.mkdir()
    world.audit.write_bytes(b"")
    done = world.agentgate("audit", "--session", "last")
    assert (done.stderr, done.returncode) == (f"agentgate: --session last: no record in {world.audit}\n", 2)


def denied(world: World, number: int) -> None:
    """Append a record, as a session that goes on does."""
    ruling = Ruling(Decision.DENY, Source.RULE, 1)
    action = Action(Kind.NET_EGRESS, f"host-{number}.example:443")
    record = Record(START + number, action, ruling, Answer(Verdict.DENY, Source.RULE, ruling), 0, "shim")
    with open(world.audit, "ab") as file:
        file.write(record.to_line(session="s", agent="a", number=number))


def test_it_follows_what_comes_and_a_log_that_is_replaced(logged: World) -> None:
    for number in range(10, 30):
        denied(logged, number)
    with Terminal(logged, *logged.command("audit", "--follow", "--where", "net")) as terminal:
        terminal.wait("host-29.example")
        assert "host-20.example" in terminal.text and "host-19.example" not in terminal.text  # the newest 10
        denied(logged, 30)
        terminal.wait("host-30.example")
        logged.audit.rename(logged.project / "old")
        denied(logged, 31)
        terminal.wait("host-31.example")
        terminal.type("\x03")
        assert terminal.status() == 130
        assert "Traceback" not in terminal.text


def test_it_waits_for_a_log_to_follow(world: World) -> None:
    with Terminal(world, *world.command("audit", "--follow", "--verdict", "deny")) as terminal:
        terminal.wait("no audit log yet, waiting for")
        world.audit.parent.mkdir()
        denied(world, 5)
        terminal.wait("host-5.example")


def test_it_ends_with_its_reader_though_nothing_comes(logged: World) -> None:
    command = " ".join(logged.command("audit", "--follow")) + " | head -1"
    done = subprocess.run(
        ["sh", "-c", command], cwd=logged.project, env=logged.env, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == (LINES[0], "")


def test_what_takes_long_says_how_far_it_is(logged: World) -> None:
    """The log is a pipe that is filled slowly."""
    fifo = logged.project / "slow"
    os.mkfifo(fifo)
    whole = logged.audit.read_bytes()
    with Terminal(logged, *logged.command("audit", "--audit", "slow", "--where", "deny")) as terminal:
        with open(fifo, "wb", buffering=0) as slow:
            slow.write(whole[:900])
            time.sleep(1.5)  # what is done within a second says nothing
            slow.write(whole[900:])
            terminal.wait("reading the audit log: 100 % of 0 MB")
        assert terminal.status() == 0
        assert "reading" not in terminal.text and terminal.text.count("✗") == 2


def test_the_summary(logged: World) -> None:
    done = logged.agentgate("audit", "--summary", "--session", "last")
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines()[:4] == [
        "session s of bash, 2023-11-15 13:20:26 to 13:23:26: 4 decisions, 2 denied",
        "",
        "What ran",
        "  npm install",
    ]
    assert "  to reach evil.com:443 (operator; asked by rule 1)\n" in done.stdout
    told = json.loads(logged.agentgate("audit", "--summary", "--json", "--verdict", "deny").stdout)
    assert (told["records"], told["ran"]) == (2, [])
    done = logged.agentgate("audit", "--summary", "--limit", "3")
    assert (done.returncode, done.stdout) == (2, "") and "without --follow and --limit" in done.stderr


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


def test_what_was_put_away_is_shown_before_the_rest(logged: World) -> None:
    whole = logged.agentgate("audit").stdout
    lines = logged.audit.read_bytes().splitlines(keepends=True)
    logged.audit.with_name("audit.2.jsonl").write_bytes(lines[1])
    logged.audit.with_name("audit.1.jsonl").write_bytes(lines[0] + b"torn\n")
    logged.audit.write_bytes(b"".join(lines[2:]))
    done = logged.agentgate("audit")
    assert (done.returncode, done.stdout) == (0, whole)
    assert done.stderr == "agentgate: 1 line was no record, skipped\n"
    assert logged.agentgate("audit", "--limit", "3").stdout.splitlines() == whole.splitlines()[-3:]
