"""Answers that hold longer than once: what they cover, what stands above them, how they end."""

from __future__ import annotations

import json

import pytest
from gate_kit import HOME, PROJECT, Play, command, connect, decider, process, write

from agentgate.actions import Action, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.gate.remembered import Answers, Remembered
from agentgate.policy.errors import PolicyError
from agentgate.policy.match import Context
from agentgate.policy.suggest import Draft

CONTEXT = Context(PROJECT, HOME, {})
ALLOW, DENY = Decision.ALLOW, Decision.DENY
PARENT = process(200, "make", start=20)


def answer(
    kind: Kind, *targets: str, decision: Decision = ALLOW, number: int = 1, who: Process | None = None
) -> Remembered:
    return Remembered(number, Draft(kind, targets, decision).rule, 1_790_000_000.0, who)


def rule(action: Action, *answers: Remembered, policy: str = "default: ask\n") -> Ruling:
    held = Answers(CONTEXT)
    for one in answers:
        held.add(one)
    return decider(policy, answers=held).rule(action)


def of(*chain: Process) -> Action:
    return Action(Kind.FS_WRITE, "/srv/x", (), PROJECT, chain, "open")


def test_a_session_answer_holds_for_everybody_and_says_who_gave_it() -> None:
    ruling = rule(write("/srv/x", who=process(9, start=1)), answer(Kind.FS_WRITE, "/srv/*"))
    assert (ruling.decision, ruling.source) == (ALLOW, Source.SESSION)
    assert ruling.why.startswith("session: the operator allowed it at ")
    assert ruling.why.endswith(" for this session")
    denied = rule(write("/srv/x"), answer(Kind.FS_WRITE, "/srv/*", decision=DENY))
    assert (denied.decision, "denied it at" in denied.why) == (DENY, True)


@pytest.mark.parametrize("action", [write("/srv/a/x"), connect("srv:1"), command("/srv/x")])
def test_it_answers_nothing_else(action: Action) -> None:
    assert rule(action, answer(Kind.FS_WRITE, "/srv/*")).decision is Decision.ASK


def test_an_answer_for_a_process_covers_its_tree_and_no_sibling_or_namesake() -> None:
    mine = answer(Kind.FS_WRITE, "/srv/x", who=PARENT)
    child, grandchild = process(201, "cc", start=21), process(202, "as", start=22)
    assert rule(of(PARENT), mine).decision is ALLOW
    assert rule(of(child, PARENT), mine).decision is ALLOW
    assert rule(of(grandchild, child, PARENT), mine).decision is ALLOW
    assert rule(of(child, process(199, "sh", start=5)), mine).decision is Decision.ASK
    assert rule(of(process(200, "make", start=99)), mine).decision is Decision.ASK  # the pid, used again
    assert rule(of(), mine).decision is Decision.ASK


def test_policy_stands_above_it_and_a_deny_always_wins() -> None:
    """It answers questions; what a rule says it leaves alone."""
    policy = "default: ask\nrules:\n  - match: {action: fs_write, target_glob: '/srv/x'}\n    decision: %s\n"
    allows, denies = answer(Kind.FS_WRITE, "/srv/*"), answer(Kind.FS_WRITE, "/srv/*", decision=DENY)
    assert rule(write("/srv/x"), allows, policy=policy % "deny").source is Source.RULE
    assert rule(write("/srv/x"), denies, policy=policy % "allow").source is Source.RULE
    assert rule(write("/srv/x"), denies, policy=policy % "ask").decision is DENY


def test_no_guard_is_opened_by_it_but_may_be_closed() -> None:
    everything = Remembered(1, Draft(None, (), ALLOW).rule, 0.0)
    for target in (f"{HOME}/.bashrc", f"{PROJECT}/.git/hooks/x", f"{PROJECT}/policy.yaml"):
        assert rule(write(target), everything).source is Source.GUARD
        assert rule(write(target), Remembered(1, Draft(None, (), DENY).rule, 0.0)).decision is DENY
    secret = Action(Kind.FS_READ, f"{HOME}/.ssh/id_ed25519", ("cat",), PROJECT, (process(),), "open")
    assert rule(secret, everything).source is Source.GUARD


def test_a_rename_needs_an_answer_for_both_its_ends() -> None:
    rename = write("/srv/x", "rename", origin="/opt/x")
    one, other = answer(Kind.FS_WRITE, "/srv/*"), answer(Kind.FS_WRITE, "/opt/*", number=2)
    assert rule(rename, one).decision is Decision.ASK
    assert rule(rename, one, other).decision is ALLOW


def test_a_socket_of_another_program_stays_asked_by_name() -> None:
    docker = connect("unix:/run/docker.sock")
    assert rule(docker, answer(Kind.NET_EGRESS, "*")).decision is Decision.ASK
    assert rule(docker, answer(Kind.NET_EGRESS, "unix:/run/**")).decision is Decision.ASK
    assert rule(docker, answer(Kind.NET_EGRESS, "unix:/run/docker.sock")).decision is ALLOW


def test_the_later_answer_counts_and_can_be_taken_back() -> None:
    held = Answers(CONTEXT)
    held.add(answer(Kind.EXEC, "npm *"))
    held.add(answer(Kind.EXEC, "npm publish*", decision=DENY, number=2))
    decides = decider(answers=held)
    assert decides.rule(command("npm publish x")).decision is DENY
    assert [one.number for one in held] == [2, 1]
    assert held.remove(2) and not held.remove(2)
    assert decides.rule(command("npm publish x")).decision is ALLOW


def test_it_arrives_at_the_warden_as_it_was() -> None:
    known = [answer(Kind.EXEC, "a*", number=2, who=PARENT), answer(Kind.NET_EGRESS, "b.org", decision=DENY)]
    wire = json.loads(json.dumps([one.to_wire() for one in known]))
    held = Answers(CONTEXT)
    held.use(map(Remembered.from_wire, wire))
    assert list(held) == known


async def test_the_gate_settles_the_questions_that_it_answers() -> None:
    play = Play()
    tasks = [play.ask(write("/srv/x")), play.ask(write("/srv/y")), play.ask(write("/opt/z"))]
    await play.lines()
    play.gate.remember(answer(Kind.FS_WRITE, "/srv/*"))
    assert await play.lines() == [
        "settled 1 allow by session",
        "record /srv/x: ask -> allow by session",
        "settled 2 allow by session",
        "record /srv/y: ask -> allow by session",
    ]
    assert [ask.action.target for ask in play.gate] == ["/opt/z"]
    assert (await play.gate.decide(write("/srv/new"), "shim")).verdict is Verdict.ALLOW
    play.gate.use(decider("default: ask\nrules:\n  - decision: deny\n", answers=play.gate.decider.answers))
    assert (await play.gate.decide(write("/srv/new"), "shim")).verdict is Verdict.DENY
    await tasks[2]


async def test_a_question_with_a_reason_of_its_own_stays_the_operators() -> None:
    """A renamed directory is asked about for what it holds, which only the warden sees."""
    play = Play("default: allow\n")
    task = play.ask(write("/srv/dir", "rename", origin="/srv/old"))
    await play.lines()
    play.gate.remember(answer(Kind.FS_WRITE, "/srv/**"))
    assert await play.lines() == []
    play.gate.close("done")
    await task


def test_what_cannot_be_understood_is_not_remembered() -> None:
    held = Answers(CONTEXT)
    with pytest.raises(PolicyError, match="never closed"):
        held.add(answer(Kind.EXEC, "a["))
    assert len(held) == 0
