"""Reading, filtering and showing the log."""

import os
import time
from datetime import date, datetime

import pytest

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit import format
from agentgate.audit.read import LONGEST, Log
from agentgate.audit.record import Record
from agentgate.audit.row import Row
from agentgate.audit.when import parse_since, parse_until


def record(
    target="npm install chalk",
    kind=Kind.EXEC,
    decision=Decision.ALLOW,
    verdict=Verdict.ALLOW,
    when=1700000000.0,
    origin="",
) -> Record:
    ruling = Ruling(decision, Source.RULE, 1)
    return Record(
        when,
        Action(kind, target, origin=origin),
        ruling,
        Answer(verdict, Source.OPERATOR, ruling),
        0,
        "kernel",
    )


def line(made: Record, **how: object) -> str:
    row = Row.of(made.to_line(session="s", agent="a", number=1))
    assert row is not None
    return format.line(row, **how)


def to_line(target: str) -> bytes:
    return record(target).to_line(session="s", agent="a", number=1)


def test_torn_and_foreign_lines_are_skipped_and_counted(tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_bytes(
        to_line("one") + b'{"other": "program"}\n\n\xff\xff\n' + to_line("two") + to_line("torn")[:-9]
    )
    log = Log(path)
    assert [entry.record.action.target for entry in log] == ["one", "two"]
    assert log.skipped == 3
    assert [entry.record.action.target for entry in log] == ["one", "two"]  # again, counted anew
    assert log.skipped == 3


def test_a_monstrous_line_counts_once_and_is_passed_over(tmp_path):
    path = tmp_path / "audit.jsonl"
    with open(path, "wb") as file:
        file.write(to_line("one"))
        file.truncate(file.tell() + 2 * LONGEST + 5)  # a hole: zeros without a newline
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + to_line("two"))
    log = Log(path)
    assert [entry.record.action.target for entry in log] == ["one", "two"]
    assert log.skipped == 1


NOW = datetime(2026, 11, 23, 13, 30, 15).timestamp()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45s", NOW - 45),
        ("30m", NOW - 1800),
        (" 1h ", NOW - 3600),
        ("2d", NOW - 2 * 86400),
        ("1w", NOW - 7 * 86400),
        ("13:20", datetime(2026, 11, 23, 13, 20).timestamp()),
        ("9:05", datetime(2026, 11, 23, 9, 5).timestamp()),
        ("13:20:26", datetime(2026, 11, 23, 13, 20, 26).timestamp()),
        ("23:59", datetime(2026, 11, 22, 23, 59).timestamp()),  # the last one: yesterday
        ("2026-11-23", datetime(2026, 11, 23).timestamp()),
        ("2026-11-23T13:20", datetime(2026, 11, 23, 13, 20).timestamp()),
        ("2026-11-23 13:20:05", datetime(2026, 11, 23, 13, 20, 5).timestamp()),
        ("2026-11-23T13:20:00+00:00", 1795440000.0),
        ("2026-11-23T13:20:00Z", 1795440000.0),
    ],
)
def test_since_understands(text, expected):
    assert parse_since(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["", "h", "1", "-1h", "yesterday", "25:00", "13:60", "2026-13-01", "1h30m", "x" * 99, "\x1b[2J"]
)
def test_since_refuses_in_one_line(text):
    with pytest.raises(ValueError) as caught:
        parse_since(text, NOW)
    said = str(caught.value)
    assert said.startswith("not a time: ") and "13:20" in said and said.isprintable() and len(said) < 150


def test_until_a_date_has_that_day_in_it():
    assert parse_until("2026-11-23", NOW) == datetime(2026, 11, 24).timestamp()
    assert parse_until("2026-11-23T13:20", NOW) == datetime(2026, 11, 23, 13, 20).timestamp()
    assert parse_until("2h", NOW) == NOW - 7200


@pytest.fixture
def utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("utc")
def test_one_line_a_record():
    when = 1795440026.0  # 2026-11-23 13:20:26 UTC
    assert line(record(when=when)) == "✓ 13:20:26 exec allow npm install chalk"
    assert line(record(when=when, verdict=Verdict.DENY)) == "✗ 13:20:26 exec deny npm install chalk"
    assert line(record(when=when), today=date(2026, 11, 23)) == "✓ 13:20:26 exec allow npm install chalk"
    assert (
        line(record(when=when), today=date(2026, 11, 24))
        == "✓ 2026-11-23 13:20:26 exec allow npm install chalk"
    )
    moved = record("/p/b", Kind.FS_WRITE, when=when, origin="/p/a")
    assert line(moved) == "✓ 13:20:26 fs_write allow /p/a -> /p/b"
    plain = line(record("touch é\udcff", when=when), ascii_only=True)
    assert plain == "+ 13:20:26 exec allow touch \\xe9\\xff"
    assert line(record(when=when, verdict=Verdict.DENY), colour=True) == (
        "\x1b[31m✗\x1b[0m \x1b[2m13:20:26\x1b[0m exec \x1b[31mdeny\x1b[0m npm install chalk"
    )


@pytest.mark.usefixtures("utc")
def test_a_target_can_only_be_read():
    shown = line(record("echo \x1b[2K\u202e\n✗ 00:00:00" + "x" * 9000, origin="\r"))
    assert shown.isprintable() and len(shown) < 600
    assert "\\x1b[2K\\u202e\\n" in shown and "-> " in shown and "\\r" in shown
