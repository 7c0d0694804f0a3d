"""A record survives the file: what is written comes back equal, and foreign lines do not pass for records."""

import json
import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.lines import Lines
from agentgate.audit.read import parse
from agentgate.audit.record import Record

# Any text the kernel can give: lone surrogates stand for bytes that are not UTF-8.
texts = st.text(
    st.characters(codec=None) | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF), max_size=12
)
argvs = st.lists(texts, max_size=4).map(tuple)
processes = st.builds(Process, st.integers(1, 1 << 22), argvs, texts, st.integers(0, 1 << 60))
actions = st.builds(
    Action,
    st.sampled_from(Kind),
    texts,
    argvs,
    texts,
    st.lists(processes, max_size=3).map(tuple),
    texts,
    texts,
    texts,
)
rulings = st.builds(
    Ruling,
    st.sampled_from(Decision),
    st.sampled_from(Source),
    st.none() | st.integers(1, 500),
    st.none() | st.integers(1, 9999),
    texts,
    texts,
)


@st.composite
def records(draw):
    ruling = draw(rulings)
    answer = Answer(draw(st.sampled_from(Verdict)), draw(st.sampled_from(Source)), ruling, draw(texts))
    time = draw(st.integers(0, 4_000_000_000_000)) / 1000
    return Record(
        time,
        draw(actions),
        ruling,
        answer,
        draw(st.integers(0, 10**9)),
        draw(st.sampled_from(["kernel", "shim", "proxy"])),
        draw(st.sampled_from(["", "claude-2"])),
    )


@given(st.lists(records(), max_size=4), texts, texts)
def test_what_records_share_is_made_once_and_right(some, target, origin):
    """The same line, whether its parts were met before or not."""
    lines = Lines("5e55", "claude")
    again = [
        replace(record, time=1.5, action=record.action._replace(target=target, origin=origin))
        for record in some
    ]
    for number, record in enumerate([*some, *again, *some]):
        assert lines.line(record, number) == record.to_line(session="5e55", agent="claude", number=number)


@given(records())
def test_what_is_written_comes_back_equal(record):
    line = record.to_line(session="5e55", agent="claude", number=7)
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and line.isascii()
    entry = parse(line)
    assert entry is not None
    who = record.agent or "claude"
    assert entry.record == replace(record, agent=who)
    assert (entry.session, entry.agent, entry.number) == ("5e55", who, 7)


def test_the_line_names_every_fact_the_log_promises():
    ruling = Ruling(Decision.ASK, Source.RULE, 3, 12, "every install is looked at")
    action = Action(
        Kind.EXEC,
        "npm install chalk",
        ("npm", "install", "chalk"),
        "/p",
        (Process(42, ("bash",), "/bin/bash", 99),),
        "execve",
        intent="install packages: chalk",
    )
    record = Record(
        1700000000.1234, action, ruling, Answer(Verdict.ALLOW, Source.OPERATOR, ruling), 1500, "kernel"
    )
    assert json.loads(record.to_line(session="s", agent="bash", number=1)) == {
        "v": 2,
        "time": 1700000000.123,
        "id": 1,
        "session": "s",
        "agent": "bash",
        "action": "exec",
        "target": "npm install chalk",
        "argv": ["npm", "install", "chalk"],
        "cwd": "/p",
        "chain": [{"pid": 42, "start": 99, "exe": "/bin/bash", "argv": ["bash"]}],
        "intent": "install packages: chalk",
        "decision": "ask",
        "asked_by": "rule",
        "verdict": "allow",
        "source": "operator",
        "rule": 3,
        "rule_line": 12,
        "waited_ms": 1500,
        "gate": "kernel",
        "syscall": "execve",
        "reason": "every install is looked at",
    }


def test_a_path_that_is_not_utf8_names_the_same_file_after_reading():
    path = os.fsdecode(b"/tmp/\xff\xfe")
    ruling = Ruling(Decision.DENY, Source.DEFAULT)
    record = Record(
        1.0, Action(Kind.FS_WRITE, path), ruling, Answer(Verdict.DENY, Source.DEFAULT, ruling), 0, "kernel"
    )
    entry = parse(record.to_line(session="s", agent="a", number=1))
    assert entry is not None and os.fsencode(entry.record.action.target) == b"/tmp/\xff\xfe"


GOOD = {
    "time": 1.0,
    "action": "exec",
    "target": "ls",
    "decision": "allow",
    "verdict": "allow",
    "source": "rule",
    "waited_ms": 0,
    "gate": "kernel",
}


def test_the_smallest_line_of_another_writer_is_read():
    assert parse(json.dumps(GOOD).encode()) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"time": float("nan")},
        {"time": float("inf")},
        {"time": -1},
        {"time": 1e300},
        {"time": "x"},
        {"time": None},
        {"target": None},
        {"target": 7},
        {"argv": "ls"},
        {"argv": [1]},
        {"chain": {"pid": 1}},
        {"chain": [7]},
        {"chain": [{}]},
        {"action": "dance"},
        {"verdict": "ask"},
        {"source": "me"},
        {"rule": "1"},
        {"waited_ms": None},
        {"waited_ms": 1e999},
        {"gate": None},
        {"intent": []},
    ],
)
def test_a_foreign_object_is_no_record(change):
    assert parse(json.dumps(GOOD | change).encode()) is None


@pytest.mark.parametrize("line", [b"", b"x", b"[]", b"null", b"3", b'"a"', b"{", b"\xff\xfe", b"[" * 100_000])
def test_no_line_is_fatal(line):
    assert parse(line) is None


@given(st.binary(max_size=60))
def test_no_bytes_are_fatal(line):
    parse(line)
