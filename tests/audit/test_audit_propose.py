"""Rules and the recorded past: what would change, and what could be a rule."""

from __future__ import annotations

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.propose import propose
from agentgate.audit.record import Record
from agentgate.audit.replay import replay
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher

CONTEXT = Context("/home/u/p", "/home/u")


def record(
    kind: Kind, target: str, verdict: Verdict, by: Source = Source.DEFAULT, time: float = 1.0,
    source: Source = Source.OPERATOR, decision: Decision = Decision.ASK,
) -> Record:  # fmt: skip
    ruling = Ruling(decision, by)
    argv = tuple(target.split(" ")) if kind is Kind.EXEC else ()
    return Record(time, Action(kind, target, argv), ruling, Answer(verdict, source, ruling), 0, "kernel")


def rules(text: str) -> Matcher:
    return Matcher(load_text(text, "p"), CONTEXT)


ALLOW, DENY = Verdict.ALLOW, Verdict.DENY


def test_what_would_be_decided_otherwise_comes_newest_first_and_counted() -> None:
    past = [
        record(Kind.EXEC, "curl x", ALLOW, time=1.0),
        record(Kind.EXEC, "curl x", ALLOW, time=3.0),
        record(Kind.EXEC, "ls", ALLOW, time=2.0),
        record(Kind.NET_EGRESS, "a.b:443", DENY, time=4.0),
        record(Kind.EXEC, "gone", DENY, by=Source.GATE, time=5.0, decision=Decision.DENY),
    ]
    outcome = replay(
        past, rules('rules:\n  - {match: {action: exec, target_glob: "curl *"}, decision: deny}\n')
    )
    assert outcome.counts == {"ask": 2, "deny": 2}
    assert [(change.record.action.target, change.times) for change in outcome.changes] == [("curl x", 2)]
    assert outcome.changes[0].after.rule == 1


def test_what_was_answered_alike_is_proposed() -> None:
    past = [
        *[record(Kind.EXEC, f"npm install a{n}", ALLOW) for n in range(3)],
        record(Kind.EXEC, "curl evil", DENY),
        record(Kind.NET_EGRESS, "example.com:443", ALLOW),
        *[record(Kind.FS_WRITE, f"/home/u/notes/{n}.md", ALLOW) for n in range(4)],
    ]
    found = [
        (str(one.draft.decision), one.draft.targets, one.events) for one in propose(past, rules(""), CONTEXT)
    ]
    assert found == [
        ("deny", ("curl evil",), 1),
        ("allow", ("/home/u/notes/*",), 4),
        ("allow", ("npm install", "npm install *"), 3),
        ("allow", ("example.com:443",), 1),
    ]


def test_what_is_no_habit_or_may_not_be_one_is_not() -> None:
    past = [
        record(Kind.EXEC, "make", ALLOW),
        record(Kind.EXEC, "make", DENY),  # now so, now so
        record(Kind.FS_WRITE, "/home/u/.bashrc", ALLOW, by=Source.GUARD),
        record(Kind.FS_READ, "/home/u/.npmrc", ALLOW, by=Source.GUARD),
        record(Kind.NET_EGRESS, "unix:/run/docker.sock", ALLOW, by=Source.UNNAMED),
        record(Kind.EXEC, "curl -u me:*** x", ALLOW),  # what was masked would match nothing
        record(Kind.EXEC, "ls", ALLOW, source=Source.TIMEOUT),
        record(Kind.EXEC, "git status", ALLOW),  # the rules settle it already
    ]
    policy = 'rules:\n  - {match: {action: exec, target_glob: "git *"}, decision: allow}\n'
    assert propose(past, rules(policy), CONTEXT) == []


def test_files_of_a_hidden_or_wide_directory_stay_single() -> None:
    past = [
        *[record(Kind.FS_WRITE, f"/home/u/.config/{n}", ALLOW) for n in range(3)],
        *[record(Kind.FS_WRITE, f"/home/u/{n}", ALLOW) for n in range(3)],
    ]
    assert all("*" not in one.draft.targets[0] for one in propose(past, rules(""), CONTEXT))


def test_the_proposal_settles_what_it_was_made_of() -> None:
    past = [
        *[record(Kind.EXEC, f"npm install a{n}", ALLOW) for n in range(3)],
        record(Kind.NET_EGRESS, "example.com:443", DENY),
    ]
    text = "rules:\n" + "".join(
        "\n".join(one.draft.to_yaml()) + "\n" for one in propose(past, rules(""), CONTEXT)
    )
    outcome = replay(past, rules(text))
    assert outcome.counts == {"allow": 3, "deny": 1}
