"""What a session did, told from its records, and in words."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit import ending, summary
from agentgate.audit.ending import at_the_end
from agentgate.audit.record import Record
from agentgate.audit.row import Row
from agentgate.audit.summary import Change, Ran, Refused, summarise
from agentgate.audit.telling import as_json, brief, full

AGENT = Process(10, ("claude",), "/usr/bin/claude", 1)
SHELL = Process(20, ("bash", "-c", "npm ci"), "/usr/bin/bash", 2)
NODE = Process(30, ("node", "cli.js"), "/usr/bin/node", 3)
DEEP = (NODE, SHELL, AGENT)
ALLOWED = Ruling(Decision.ALLOW, Source.RULE, 1, 4, "the project")
ASKED = Ruling(Decision.ASK, Source.DEFAULT)


def row(
    kind: Kind,
    target: str,
    verdict: Verdict = Verdict.ALLOW,
    *,
    ruling: Ruling = ALLOWED,
    source: Source = Source.RULE,
    chain: tuple[Process, ...] = DEEP,
    syscall: str = "open",
    origin: str = "",
    waited: int = 0,
    when: float = 1_795_440_000.0,
    note: str = "",
) -> Row:
    action = Action(kind, target, (), "/p", chain, syscall, origin)
    record = Record(when, action, ruling, Answer(verdict, source, ruling, note), waited, "kernel")
    made = Row.of(record.to_line(session="5e55", agent="claude", number=1))
    assert made is not None
    return made


def test_what_ran_comes_grouped_with_the_agents_own_commands_first() -> None:
    again = Ruling(Decision.ALLOW, Source.SESSION, reason="the approved command, in its interpreter")
    told = summarise(
        [
            row(Kind.EXEC, "claude --autonomous", chain=(AGENT,)),
            row(Kind.EXEC, "node install.js"),
            row(Kind.EXEC, "bash -c npm ci && ls", chain=(SHELL, AGENT)),
            row(Kind.EXEC, "/usr/bin/git status -s", chain=(SHELL, AGENT)),
            row(Kind.EXEC, "git status", chain=DEEP),
            row(Kind.EXEC, "git push", chain=(SHELL, AGENT)),
            row(Kind.EXEC, "rm a", chain=DEEP),
            row(Kind.EXEC, "rm b", chain=DEEP),
            row(Kind.EXEC, "env node x", ruling=again),
            row(Kind.EXEC, "curl evil", Verdict.DENY),
        ]
    )
    assert told.ran == [
        Ran("claude", 1, 0),
        Ran("bash: npm ci && ls", 1, 1),
        Ran("git status", 2, 1),
        Ran("git push", 1, 1),
        Ran("node", 1, 2),
        Ran("rm", 2, 2),
    ]
    assert told.denied == 1


def test_what_changed_is_what_is_left_of_it() -> None:
    told = summarise(
        [
            row(Kind.FS_WRITE, "/p/a"),
            row(Kind.FS_WRITE, "/p/a", syscall="chmod"),
            row(Kind.FS_WRITE, "/p/dir", syscall="mkdir"),
            row(Kind.FS_WRITE, "/p/dir", syscall="chmod"),
            row(Kind.FS_WRITE, "/p/old", syscall="unlink"),
            row(Kind.FS_WRITE, "/p/tmp"),
            row(Kind.FS_WRITE, "/p/tmp", syscall="unlinkat"),
            row(Kind.FS_WRITE, "/p/new", syscall="rename", origin="/p/was"),
            row(Kind.FS_WRITE, "/p/back", syscall="unlink"),
            row(Kind.FS_WRITE, "/p/back"),
            row(Kind.FS_WRITE, "/p/no", Verdict.DENY),
        ]
    )
    assert told.changed == {
        "/p/a": Change.WRITTEN,
        "/p/dir": Change.MADE,
        "/p/old": Change.REMOVED,
        "/p/tmp": Change.PASSING,
        "/p/was": Change.REMOVED,
        "/p/new": Change.WRITTEN,
        "/p/back": Change.WRITTEN,
    }


def test_more_paths_than_are_told_apart_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "PATHS", 2)
    told = summarise(row(Kind.FS_WRITE, f"/p/{number}") for number in (1, 2, 3, 4, 1))
    assert (len(told.changed), told.more) == (2, 2)
    assert "and 2 more changes" in "\n".join(full(told, "/p"))


def test_refusals_connections_secrets_and_answers() -> None:
    secret = Ruling(Decision.ASK, Source.GUARD, None, None, "holds your tokens", "read-registry")
    told = summarise(
        [
            row(Kind.NET_EGRESS, "a.example:443", ruling=ASKED, source=Source.OPERATOR, waited=2400),
            row(Kind.NET_EGRESS, "a.example:443"),
            row(Kind.NET_EGRESS, "listen://0.0.0.0:80"),
            row(
                Kind.NET_EGRESS,
                "evil:443",
                Verdict.DENY,
                ruling=ASKED,
                source=Source.OPERATOR,
                waited=900,
                note="no",
            ),
            row(Kind.NET_EGRESS, "evil:443", Verdict.DENY, ruling=ASKED, source=Source.TIMEOUT),
            row(Kind.FS_READ, "/h/.npmrc", ruling=secret, source=Source.OPERATOR, waited=600),
            row(Kind.FS_READ, "/h/.npmrc", ruling=secret),
        ]
    )
    assert told.reached == {"a.example:443": 2} and told.listened == {"listen://0.0.0.0:80": 1}
    assert told.refused == {
        Refused(Kind.NET_EGRESS, "evil:443", "operator: no"): 1,
        Refused(Kind.NET_EGRESS, "evil:443", "timeout; asked by default"): 1,
    }
    assert told.secrets == {"/h/.npmrc": "node"}
    assert (told.waits, told.refusals, told.unanswered, told.quick) == ([2400, 900, 600], 1, 1, 2)
    assert told.median_wait == 0.9


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> list[Row]:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("HOME", "/h")
    time.tzset()
    return [
        row(Kind.EXEC, "claude", chain=(AGENT,)),
        row(Kind.EXEC, "bash -c npm ci", chain=(SHELL, AGENT)),
        row(Kind.EXEC, "npm ci"),
        *(row(Kind.FS_WRITE, f"/p/node_modules/{n}") for n in range(1200)),
        row(Kind.FS_WRITE, "/p/package.json"),
        row(Kind.FS_WRITE, "/h/.npmrc"),
        *(row(Kind.FS_WRITE, f"/tmp/x/{n}") for n in range(5)),
        row(Kind.NET_EGRESS, "registry.npmjs.org:443"),
        row(Kind.NET_EGRESS, "evil\x1b[2J:443", Verdict.DENY, ruling=ASKED, source=Source.OPERATOR),
        row(Kind.FS_READ, "/h/.npmrc", ruling=ASKED, source=Source.OPERATOR, waited=3000),
    ]


def test_the_whole_in_words(session: list[Row]) -> None:
    assert full(summarise(session), "/p") == [
        "session 5e55 of claude, 2026-11-23 13:20:00 to 13:20:00: 1,213 decisions, 1 denied",
        "",
        "What ran",
        "  claude",
        "  bash: npm ci",
        "",
        "What that ran",
        "  npm ci",
        "",
        "What was reached",
        "  registry.npmjs.org",
        "",
        "What changed in the project",
        "  node_modules/ 1,200 written",
        "  package.json written",
        "",
        "What changed outside",
        "  ~/.npmrc written",
        "  /tmp/x/ 5 written",
        "",
        "What was refused",
        "  to reach evil\\x1b[2J:443 (operator; asked by default)",
        "",
        "What secrets were read",
        "  ~/.npmrc by node",
        "",
        "What was asked",
        "  2 questions: 1 allowed, 1 denied; half of them within 1.5 s, 1 in under a second",
    ]


def test_in_brief_it_fits(session: list[Row]) -> None:
    assert brief(summarise(session), "/p", 100) == [
        "ran       bash: npm ci · 1 command below",
        "reached   registry.npmjs.org",
        "changed   node_modules/ 1,200 written · package.json written",
        "outside   ~/.npmrc written · /tmp/x/ 5 written",
        "refused   to reach evil\\x1b[2J:443 (operator; asked by default)",
        "read      ~/.npmrc by node",
        "asked     2 questions: 1 allowed, 1 denied; half of them within 1.5 s, 1 in under a second",
    ]
    for cells in (30, 50, 78, 150):
        lines = brief(summarise(session), "/p", cells)
        assert len(lines) <= 8 and all(len(line) <= cells for line in lines)
    assert brief(summarise(session), "/p", 50)[2] == "changed   node_modules/ 1,200 written · and 1 more"
    notable = [line.split()[0] for line in brief(summarise(session), "/p", 100, only_notable=True)]
    assert notable == ["outside", "refused", "read", "asked"]
    assert brief(summarise([]), "/p", 80) == []
    assert full(summarise([]), "/p") == ["0 decisions, 0 denied"]


def test_as_json_it_is_complete(session: list[Row]) -> None:
    told = as_json(summarise(session), "/p")
    assert (told["records"], told["sessions"]) == (1213, {"5e55": "claude"})
    assert len(told["changed"]["project"]) == 1201 and "/h/.npmrc" in told["changed"]["outside"]
    assert told["questions"] == {
        "answered": 2,
        "denied": 1,
        "unanswered": 0,
        "median_seconds": 1.5,
        "under_a_second": 1,
    }


def test_at_the_end_only_the_sessions_own_records_count(
    tmp_path: Path, session: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    before = session[0].line.replace(b'"5e55"', b'"0000"') * 3
    log.write_bytes(before + session[1].line + before + session[2].line)
    assert at_the_end(log, "5e55", len(before), 2, Path("/p"), 80) == [
        "ran       bash: npm ci · 1 command below"
    ]
    assert at_the_end(log, "5e55", 1 << 30, 2, Path("/p"), 80)  # the log was replaced by a shorter one
    assert at_the_end(tmp_path / "gone", "5e55", 0, 2, Path("/p"), 80) == []
    monkeypatch.setattr(ending, "MOST", 1)
    assert at_the_end(log, "5e55", 0, 2, Path("/p"), 80) == [
        "agentgate audit --summary --session 5e55 says what happened"
    ]
