"""The recorded past, held against rules: what a draft would have matched, what another policy would say."""

from __future__ import annotations

import os
import time
from pathlib import Path

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.chain import Chain
from agentgate.audit.past import Matched, Past, Recorded, load
from agentgate.audit.read import Log
from agentgate.audit.record import Record
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher
from agentgate.policy.suggest import Draft

CONTEXT = Context("/home/me/project", "/home/me", {})
ASKED = Ruling(Decision.ASK, Source.DEFAULT)
GUARD = Ruling(Decision.ASK, Source.GUARD, reason="runs later", guard="git-hooks")
NPM = (Process(7, ("npm", "ci"), "/usr/bin/npm", 70), Process(5, ("claude",), "/usr/bin/claude", 50))


def record(
    kind: Kind,
    target: str,
    verdict: Verdict = Verdict.ALLOW,
    *,
    source: Source = Source.OPERATOR,
    ruling: Ruling = ASKED,
    origin: str = "",
    chain: tuple[Process, ...] = (),
    when: float = 1.0,
) -> Record:
    action = Action(kind, target, chain=chain, origin=origin)
    return Record(when, action, ruling, Answer(verdict, source, ruling), 5, "kernel")


def line(one: Record) -> bytes:
    return one.to_line(session="s", agent="a", number=1)


def draft(kind: Kind, *targets: str, decision: Decision = Decision.ALLOW) -> Draft:
    return Draft(kind, targets, decision)


PAST = Past(
    [
        record(Kind.EXEC, "npm install chalk"),
        record(Kind.EXEC, "npm install left-pad", Verdict.DENY),
        record(Kind.EXEC, "npm install left-pad", Verdict.DENY, source=Source.TIMEOUT),
        record(Kind.EXEC, "npm test"),
        record(Kind.NET_EGRESS, "Example.com:443"),
        record(Kind.NET_EGRESS, "10.1.2.3:80"),
        record(Kind.NET_EGRESS, "unix:/run/docker.sock", Verdict.DENY),
        record(Kind.FS_WRITE, "/home/me/project/.git/hooks/pre-commit", Verdict.DENY, ruling=GUARD),
        record(Kind.FS_WRITE, "/home/me/project/a", origin="/etc/a"),
    ]
)


def test_a_draft_is_counted_with_what_the_operator_denied():
    assert PAST.matching(draft(Kind.EXEC, "npm install", "npm install *"), CONTEXT) == Matched(3, 1)
    assert PAST.matching(draft(Kind.EXEC, "npm install"), CONTEXT) == Matched(0, 0)
    assert PAST.matching(draft(Kind.NET_EGRESS, "example.com"), CONTEXT) == Matched(1, 0)
    assert PAST.matching(draft(Kind.NET_EGRESS, "10.0.0.0/8"), CONTEXT) == Matched(1, 0)
    assert PAST.matching(Draft(None, (), Decision.DENY), CONTEXT).events == 9


def test_an_allow_counts_only_what_it_would_have_allowed():
    """A guard asks whatever the rules say, a broad rule opens no socket, a rename needs both its ends."""
    everywhere = Matched(0, 0)
    assert PAST.matching(draft(Kind.FS_WRITE, "$PWD/**"), CONTEXT) == everywhere
    assert PAST.matching(draft(Kind.FS_WRITE, "$PWD/**", "/etc/*"), CONTEXT) == Matched(1, 0)
    assert PAST.matching(draft(Kind.FS_WRITE, "$PWD/**", decision=Decision.DENY), CONTEXT) == Matched(2, 1)
    assert PAST.matching(draft(Kind.NET_EGRESS, "*"), CONTEXT) == Matched(2, 0)
    assert PAST.matching(draft(Kind.NET_EGRESS, "unix:/run/docker.sock"), CONTEXT) == Matched(1, 1)


def test_what_the_gate_refused_by_itself_counts_in_nothing():
    refused = Ruling(Decision.DENY, Source.GATE, reason="--no-net")
    past = Past([record(Kind.NET_EGRESS, "a.org:443", Verdict.DENY, source=Source.GATE, ruling=refused)])
    assert past.matching(draft(Kind.NET_EGRESS, "*"), CONTEXT) == Matched(0, 0)


def test_words():
    assert Matched(37, 2).words == "37 events, 2 of them you denied"
    assert (Matched(1, 0).words, Matched(0, 0).words) == ("1 event", "nothing yet")


def matcher(text: str) -> Matcher:
    return Matcher(load_text(text, "policy.yaml"), CONTEXT)


def test_differences_are_the_decisions_that_would_be_others():
    old = matcher("rules:\n  - match: {action: exec, target_glob: 'npm test'}\n    decision: allow\n")
    new = matcher(
        "rules:\n"
        "  - match: {action: exec, target_glob: 'npm *'}\n    decision: deny\n"
        "  - match: {action: net_egress}\n    decision: ask\n"
    )
    found = PAST.differences(old, new)
    assert [
        (one.record.action.target, one.times, one.before.decision, one.after.decision) for one in found
    ] == [
        ("npm install chalk", 1, "ask", "deny"),
        ("npm install left-pad", 2, "ask", "deny"),
        ("npm test", 1, "allow", "deny"),
    ]
    assert PAST.differences(old, old) == []


def test_differences_see_who_acts():
    """The same target by two commands: a rule with `within` tells them apart."""
    past = Past(
        [
            record(Kind.FS_WRITE, "/srv/x", chain=NPM, when=1.0),
            record(Kind.FS_WRITE, "/srv/x", chain=NPM[1:], when=2.0),
        ]
    )
    new = matcher("rules:\n  - match: {action: fs_write, within: 'npm *'}\n    decision: deny\n")
    (one,) = past.differences(matcher(""), new)
    assert one.record.action.chain == NPM


def test_the_log_is_read_on_where_it_was_left(tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    recorded = Recorded(path)
    assert len(recorded.read()) == 0
    whole, torn = line(record(Kind.EXEC, "one", chain=NPM)), line(record(Kind.EXEC, "two", chain=NPM))
    path.write_bytes(b"{not json\n" + whole + torn[:40])
    first = recorded.read()
    assert [one.action.target for one in first.records] == ["one"]
    assert recorded.read() is first
    with open(path, "ab") as file:
        file.write(torn[40:])
    second = recorded.read()
    assert [one.action.target for one in second.records] == ["one", "two"]
    assert second.records[0].action.chain == NPM
    path.unlink()
    path.write_bytes(line(record(Kind.EXEC, "three")))  # another log: nothing of the old one is left
    assert [one.action.target for one in recorded.read().records] == ["three"]


def test_only_the_newest_of_a_long_log_are_read(tmp_path: Path):
    path = tmp_path / "audit.jsonl"
    lines = [line(record(Kind.EXEC, f"run {number}")) for number in range(100)]
    path.write_bytes(b"".join(lines))
    assert [one.action.target for one in load(path, 3).records] == ["run 97", "run 98", "run 99"]
    by_size = Recorded(path, size=len(lines[-1]) * 5 // 2).read()  # the line that is cut is left out
    assert [one.action.target for one in by_size.records] == ["run 98", "run 99"]


def test_a_log_that_cannot_be_read_says_why(tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    assert load(tmp_path / "fifo").error == "not a regular file"
    assert load(tmp_path).error == "Is a directory"
    assert load(tmp_path / "none.jsonl").error == ""


def test_fifty_thousand_records_are_compared_in_seconds():
    past = Past([record(Kind.FS_WRITE, f"/home/me/project/{number}") for number in range(50_000)])
    old = matcher("")
    new = matcher("rules:\n  - match: {action: fs_write, target_glob: '$PWD/*7'}\n    decision: deny\n")
    began = time.process_time()
    assert len(past.differences(old, new)) == 5000
    assert past.matching(draft(Kind.FS_WRITE, "$PWD/**"), CONTEXT).events == 50_000
    assert time.process_time() - began < 10


def test_lines_of_one_sort_are_read_as_each_alone_would_be(tmp_path: Path):
    """Only time and target differ, or one more thing does; what is odd is read as a whole."""
    chain = Chain("s")
    path = tmp_path / "audit.jsonl"
    odd = '/a",b\\c\n\u1234\udcff,"target":"x"'
    records = [
        record(Kind.FS_WRITE, f"/p/{name}", verdict, chain=NPM, origin=origin, when=1.0 + place)
        for place, (name, verdict, origin) in enumerate(
            [
                ("a", Verdict.ALLOW, ""),
                (odd, Verdict.ALLOW, ""),
                ("c", Verdict.DENY, ""),
                ("d", Verdict.ALLOW, odd),
            ]
            * 2
        )
    ]
    lines = [line(one) for one in records]
    lines = [chain.link(one) if place % 3 else one for place, one in enumerate(lines)]
    lines.append(lines[0].replace(b'"time":1.0', b'"time":1e99'))
    lines.append(lines[0].replace(b'"time":1.0', b'"time":NaN'))
    lines.append(lines[0].replace(b'"v":1', b'"v":7'))
    path.write_bytes(b"".join(lines))
    alone = [entry.record for entry in Log(path)]
    assert list(load(path).records) == alone and len(alone) == len(records) + 1
    assert [one.action.target for one in alone[:-1]] == [one.action.target for one in records]
