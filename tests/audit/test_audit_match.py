"""What filters match, and that no line is passed over that would have fitted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.chain import Chain
from agentgate.audit.match import Matcher
from agentgate.audit.query import Field, Filter, Want
from agentgate.audit.record import Record
from agentgate.audit.row import Row
from agentgate.audit.scan import Scan
from agentgate.audit.search import Search, last_session

NOW = 1_795_440_000.0
CHAIN = (
    Process(30, ("node", "cli.js", "ci"), "/usr/bin/node", 3),
    Process(20, ("/bin/bash", "-c", "npm ci"), "/usr/bin/bash", 2),
    Process(10, ("claude",), "/opt/claude/claude", 1),
)


def record(
    kind: Kind = Kind.EXEC,
    target: str = "npm install chalk",
    *,
    origin: str = "",
    decision: Decision = Decision.ALLOW,
    verdict: Verdict = Verdict.ALLOW,
    when: float = NOW - 100,
    chain: tuple[Process, ...] = CHAIN,
    reason: str = "",
    note: str = "",
    intent: str = "",
    cwd: str = "/p",
) -> Record:
    ruling = Ruling(decision, Source.RULE, 1, 4, reason)
    action = Action(kind, target, ("arg v",), cwd, chain, "open", origin, intent)
    return Record(when, action, ruling, Answer(verdict, Source.OPERATOR, ruling, note), 7, "kernel")


def fits(line: str, wanted: Record, session: str = "s1", agent: str = "claude") -> bool:
    """Whether the filter of ``line`` finds it in the log, read through its bytes as a log is."""
    written = wanted.to_line(session=session, agent=agent, number=1)
    return bool(list(Scan(Matcher(Filter.parse(line, NOW))).rows(written)))


@pytest.mark.parametrize(
    ("line", "target", "does"),
    [
        ("host:github.com", "github.com:443", True),
        ("host:GitHub.com", "github.com:22", True),
        ("host:github.com", "api.github.com:443", True),
        ("host:github.com", "github.com.evil.com:443", False),
        ("host:github.com", "notgithub.com:443", False),
        ("host:.github.com", "github.com:443", False),
        ("host:.github.com", "api.github.com:443", True),
        ("host:github.com:443", "github.com:443", True),
        ("host:github.com:443", "github.com:22", False),
        ("host::22", "github.com:22", True),
        ("host::22", "github.com:2222", False),
        ("host:*hub*", "api.github.com:443", True),
        ("host:10.0.0.*", "10.0.0.7:80", True),
        ("host:10.0.0.7", "110.0.0.7:80", False),
        ("host:::1", "[::1]:443", True),
        ("host:[::1]:443", "[::1]:443", True),
        ("host:[::1]:443", "[::1]:80", False),
        ("host:dns.example", "udp://dns.example:53", True),
        ("host:0.0.0.0", "listen://0.0.0.0:8000", True),
        ("host:unix:/run/docker.sock", "unix:/run/docker.sock", True),
        ("host:unix:/run", "unix:/run/docker.sock", True),
        ("host:docker", "unix:/run/docker.sock", False),
    ],
)
def test_hosts(line: str, target: str, does: bool) -> None:
    assert fits(line, record(Kind.NET_EGRESS, target)) is does
    assert fits(f"!{line}", record(Kind.NET_EGRESS, target)) is not does
    assert not fits(line, record(Kind.EXEC, target))


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("path:/p/src", True),
        ("path:/p/src/", True),
        ("path:/p/src/app.py", True),
        ("path:/p/sr", False),
        ("path:/src", False),
        ("path:src", True),
        ("path:src/app.py", True),
        ("path:rc/app.py", False),
        ("path:*.py", True),
        ("path:*.js", False),
        ("path:/p/*.py", True),
        ("path:/", True),
        ("path:app.*", True),
    ],
)
def test_paths(line: str, does: bool) -> None:
    assert fits(line, record(Kind.FS_WRITE, "/p/src/app.py")) is does
    assert fits(line, record(Kind.FS_READ, "/elsewhere", origin="/p/src/app.py")) is (does)
    assert not fits(line, record(Kind.EXEC, "/p/src/app.py"))


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("by:node", True),
        ("by:bash", True),
        ("by:claude", True),
        ("by:nod", False),
        ("by:no*", True),
        ("by:20", True),
        ("by:21", False),
        ('by:"npm ci"', True),
        ('by:"npm run"', False),
    ],
)
def test_processes(line: str, does: bool) -> None:
    assert fits(line, record(Kind.FS_WRITE, "/p/x")) is does


def test_the_command_that_is_started_counts_as_a_process() -> None:
    assert fits("by:npm", record(Kind.EXEC, "npm install chalk"))
    assert fits("by:tool", record(Kind.EXEC, "/opt/bin/tool --x"))
    assert not fits("by:npm", record(Kind.FS_WRITE, "npm install chalk"))


@pytest.mark.parametrize(
    ("line", "does"),
    [
        ("allow", False),
        ("deny", True),
        ("ask", True),
        ("exec", True),
        ("write", False),
        ("exec write", True),
        ("deny write", False),
        ("agent:claude", True),
        ("agent:clau", False),
        ("session:s", True),
        ("session:s2", False),
        ("since:2m", True),
        ("since:1m", False),
        ("until:1m", True),
        ("until:2m", False),
        ("NPM", True),
        ("npm chalk", True),
        ("npm yarn", False),
        ("!yarn", True),
        ('"npm ci"', True),  # in the chain, where it is two arguments
        ("because", True),
        ("politely", True),
        ("/p", True),
        ('"arg v"', True),
        ("é", True),
        ("É", True),
        ('say text:"hi', True),
        ("kernel", False),  # a word of the form, not of the record
    ],
)
def test_the_rest(line: str, does: bool) -> None:
    denied = record(
        target='npm install chalk é "hi"',
        decision=Decision.ASK,
        verdict=Verdict.DENY,
        reason="because",
        note="politely",
        intent="say hi",
    )
    assert fits(line, denied) is does


NASTY = st.text(st.sampled_from('aAkKiIsS ü"\\/\n\x1b\udcffKİ🙂'), max_size=6)
RECORDS = st.builds(
    record,
    st.sampled_from(Kind),
    NASTY,
    origin=NASTY,
    decision=st.sampled_from(Decision),
    verdict=st.sampled_from(Verdict),
    when=st.sampled_from([0.0, 1.5, NOW - 61, NOW - 59.001]),
    reason=NASTY,
    note=NASTY,
    intent=NASTY,
    cwd=NASTY,
    chain=st.lists(st.builds(Process, st.integers(1, 99), st.lists(NASTY, max_size=2).map(tuple), NASTY)).map(
        tuple
    ),
)


def foreign(line: bytes) -> bytes:
    """The same, as another program would write it."""
    text = json.dumps(json.loads(line), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass") + b"\n"


def escaped(line: bytes) -> bytes:
    """The same, with escapes that nobody needs."""
    return line.replace(b"/", b"\\/").replace(b"aA", b"\\u0061A").replace(b"deny", b"\\u0064eny")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(RECORDS, st.sampled_from([bytes, foreign, escaped])), max_size=5),
    st.lists(NASTY.filter(lambda text: text.strip() and "\n" not in text), max_size=2),  # a text is one line
    st.sampled_from(["", "deny", "!deny", "exec write", "since:1m", "ask"]),
)
def test_a_search_finds_what_a_look_at_every_record_finds(
    made: list[tuple[Record, object]], texts: list[str], words: str
) -> None:
    piece, known = b"", []
    for number, (each, form) in enumerate(made):
        line = form(each.to_line(session="s", agent="a", number=number))  # type: ignore[operator]
        if b"\xed" in line:  # a lone surrogate is no UTF-8, and no JSON
            continue
        piece += line
        known.append((number, each))
    wanted = Filter.parse(words, NOW)
    wanted = wanted.also(*(Want(Field.TEXT, text) for text in texts))

    def reference(each: Record) -> bool:
        action = each.action
        said = [
            *action.objects,
            *action.argv,
            action.cwd,
            action.intent,
            each.ruling.reason,
            each.answer.note,
        ]
        for process in action.chain:
            said += [str(process.pid), process.exe, " ".join(process.argv)]
        everything = "\n".join(said).lower()
        if not all(text.lower() in everything for text in texts):
            return False
        return {
            "": True,
            "deny": each.answer.verdict is Verdict.DENY,
            "!deny": each.answer.verdict is not Verdict.DENY,
            "exec write": action.kind in (Kind.EXEC, Kind.FS_WRITE),
            "since:1m": each.time >= NOW - 60,
            "ask": each.ruling.decision is Decision.ASK,
        }[words]

    scan = Scan(Matcher(wanted))
    assert [row.number for _, row in scan.rows(piece)] == [n for n, each in known if reference(each)]
    assert scan.skipped == 0


@settings(max_examples=100, deadline=None)
@given(RECORDS)
def test_a_row_says_what_the_record_says(each: Record) -> None:
    line = Chain("s").link(each.to_line(session="s", agent="a", number=3))
    row = Row.of(line)
    assert row is not None and row.entry is not None and row.entry.record.action == each.action
    action, ruling, answer = each.action, each.ruling, each.answer
    assert (row.time, row.number, row.session, row.agent) == (round(each.time, 3), 3, "s", "a")
    assert (row.kind, row.target, row.origin, row.objects) == (
        action.kind,
        action.target,
        action.origin,
        action.objects,
    )
    assert (row.decision, row.asked_by, row.verdict, row.source) == (
        ruling.decision,
        ruling.source,
        answer.verdict,
        answer.source,
    )
    assert (row.waited_ms, row.syscall, row.reason, row.note) == (7, "open", ruling.reason, answer.note)


# The file


def write(path: Path, *records: Record, session: str = "s") -> None:
    with open(path, "ab") as file:
        for number, each in enumerate(records):
            file.write(each.to_line(session=session, agent="a", number=number))


@pytest.mark.parametrize("line", ["", "deny", "chalk", "!x"])
def test_strange_lines_are_counted_whatever_is_looked_for(tmp_path: Path, line: str) -> None:
    path = tmp_path / "log"
    write(path, record(verdict=Verdict.DENY))
    with open(path, "ab") as file:
        file.write(
            b'{"other": "program"}\n\n\xff\n[1]\n' + record().to_line(session="s", agent="a", number=1)[:-20]
        )
        file.write(b"\n" + b"x" * (3 << 20) + b"\n")
    write(path, record(verdict=Verdict.DENY))
    with open(path, "ab") as file:
        file.write(b'{"v":1,"time":1')
    search = Search(path, Filter.parse(line, NOW))
    assert len(list(search.rows())) == 2 and not list(search.end())
    assert search.skipped == 6
    search.close()


def test_a_search_goes_on_with_what_is_written_later(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, record(target="one"))
    search = Search(path, Filter())
    told: list[tuple[int, int]] = []
    assert [row.target for row in search.rows(lambda done, total: told.append((done, total)))] == ["one"]
    size = path.stat().st_size
    assert told == [(size, size)]
    half = record(target="two").to_line(session="s", agent="a", number=2)
    with open(path, "ab", buffering=0) as file:
        file.write(half[:50])
        assert not list(search.rows())
        file.write(half[50:])
    assert [row.target for row in search.rows()] == ["two"] and not search.replaced()
    path.rename(tmp_path / "old")
    assert not search.replaced()  # nobody wrote a new one yet
    write(path, record(target="three"))
    assert search.replaced()
    search.again()
    assert [row.target for row in search.rows()] == ["three"]
    path.write_bytes(b"")
    assert search.replaced()
    assert search.skipped == 0
    search.close()


def test_the_last_session(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"")
    assert last_session(path) == ""
    write(path, record(), session="old")
    write(path, record(), session="new")
    with open(path, "ab") as file:
        file.write((b"x" * 1000 + b"\n") * 3000)  # more than is looked at first
    assert last_session(path) == "new"
