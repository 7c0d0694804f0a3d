"""Answers that hold longer than once, in real sessions behind the kernel gate: for the session, for one
process and what it starts, and rules that expire while it runs."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import sys
from dataclasses import replace

import pytest
from session_kit import PATIENCE, POLICY, Desk, until

from agentgate.actions import Decision, Source, Verdict
from agentgate.policy.errors import PolicyError
from agentgate.policy.spans import Span

ASKS = "default: ask\nrules:\n  - match: {action: exec}\n    decision: allow\n"
PYTHON = sys.executable


async def ended(session: object) -> int:
    return await asyncio.wait_for(session.wait(), PATIENCE)  # type: ignore[attr-defined]


async def test_a_session_answer_is_not_asked_again_and_ends_with_the_session(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b && rm -f b; cp a b && exit 7") as session:
        ask = await desk.asked()
        said = session.answering.for_session(ask)
        assert said == "allow exec cp a b, for this session"
        ask = await desk.asked()
        assert ask.action.target == "rm -f b"
        session.gate.answer(ask.number, Verdict.ALLOW)
        assert await ended(session) == 7
        assert [answer.rule.targets for answer in session.answering.remembered] == [("cp a b",)]
    assert desk.asks() == ["cp a b", "rm -f b"]
    assert desk.settled()[0] == "cp a b: allow by operator"
    assert desk.policy.read_text() == POLICY
    first, second = (row for row in desk.record() if row["action"] == "exec" and row["target"] == "cp a b")
    assert (first["source"], first["note"]) == ("operator", "for this session")
    assert (second["verdict"], second["source"], second["asked_by"]) == ("allow", "session", "session")
    assert second["reason"].startswith("the operator allowed it at ")
    async with desk.running("cp a b") as session:  # the next one knows nothing of it
        assert (await desk.asked()).action.target == "cp a b"


async def test_an_answer_for_a_process_covers_a_child_and_no_sibling(desk: Desk) -> None:
    """The same file, written by a process, by what that started, by what its orphan started, and by another
    child of the same shell."""
    desk.policy.write_text(ASKS)
    out = desk.home / "out"
    write = f"open({str(out)!r}, 'a').write('x')"
    orphan = (  # seen by the gate before its parent ends
        "import os, time; r, w = os.pipe(); p = os.fork(); p and (os.read(r, 1), os._exit(0)); "
        f"open(os.devnull).close(); os.write(w, b'x'); time.sleep(.2); {write}"
    )
    wait = f"while [ $(wc -c <{out}) -lt 3 ]; do sleep .02; done"
    (desk.project / "first.py").write_text(
        f"import subprocess, sys; {write}\n"
        f"subprocess.run([sys.executable, '-c', {write!r}])\n"
        f"subprocess.run([sys.executable, '-c', {orphan!r}])\n"
    )
    script = f'{PYTHON} first.py; {wait}; {PYTHON} -c "{write}"; exit 3'
    async with desk.running(script) as session:
        ask = await desk.asked()
        assert ask.action.target == str(out)
        said = session.answering.for_process(ask)
        assert said.endswith(f"for pid {ask.action.pid} ({PYTHON} first.py) and what it starts")
        sibling = await desk.asked()
        assert sibling.action.target == str(out) and sibling.action.chain[0].argv[1] == "-c"
        assert out.read_text() == "xxx"
        session.gate.answer(sibling.number, Verdict.DENY)
        assert await ended(session) == 3
    assert desk.asks() == [str(out)] * 2
    assert out.read_text() == "xxx"


async def test_a_command_for_its_tree_allows_what_it_runs_and_nothing_beside_it(desk: Desk) -> None:
    desk.policy.write_text(
        "default: ask\nrules:\n  - match: {action: exec, target_glob: 'mv *'}\n    decision: deny\n"
    )
    script = "sh -c 'true; /usr/bin/env true; mv a b; exit 0'; /usr/bin/env true; exit 4"
    async with desk.running(script) as session:
        ask = await desk.asked()
        assert ask.action.target.startswith("sh -c")
        session.answering.for_process(ask)
        ask = await desk.asked()
        assert ask.action.target == "env true"  # the second: the first was the shell's
        session.gate.answer(ask.number, Verdict.DENY)
        assert await ended(session) == 4
    assert len(desk.asks()) == 2
    assert "denied exec mv a b" in desk.err
    sources = [row["source"] for row in desk.record() if row["target"] in ("env true", "true")]
    assert sources.count("session") == 2 and sources.count("operator") == 1


async def test_what_waits_already_is_settled_and_a_deny_rule_still_wins(desk: Desk) -> None:
    desk.policy.write_text(ASKS)
    script = "for n in 1 2 3; do touch $HOME/f$n & done; wait; touch $HOME/f9; touch $HOME/f1; exit 0"
    async with desk.running(script) as session:
        asks = [await desk.asked() for _ in range(3)]
        draft = replace(session.draft(asks[0]), targets=(f"{desk.home}/f[0-9]",))
        session.answering.give(asks[0], draft, Span.SESSION)
        await until((desk.home / "f9").exists)
        assert len(session.gate) == 0
        assert sorted(path.name for path in desk.home.glob("f*")) == ["f1", "f2", "f3", "f9"]
        assert await ended(session) == 0
    assert sorted(line.rpartition(" ")[2] for line in desk.settled()) == ["operator", "session", "session"]
    desk.policy.write_text(ASKS + f"  - match: {{target_glob: '{desk.home}/f9'}}\n    decision: deny\n")
    async with desk.running("touch $HOME/f1; touch $HOME/f9; exit 0") as session:
        ask = await desk.asked()
        session.answering.give(ask, replace(draft), Span.SESSION)
        assert await ended(session) == 0
        assert f"denied fs_write {desk.home}/f9" in desk.err


async def test_a_deny_for_the_session_is_told_and_taken_back(desk: Desk) -> None:
    async with desk.running("cp a b; cp a b; sleep 1; cp a b; exit 0") as session:
        ask = await desk.asked()
        session.answering.for_session(ask, Decision.DENY)
        await until(lambda: desk.err.count("denied exec cp a b") == 2)
        assert "operator: for this session" in desk.err and "the operator denied it at" in desk.err
        assert session.answering.undo() == "the answer no longer holds: deny exec cp a b, for this session"
        assert session.answering.remembered == ()
        assert (await desk.asked()).action.target == "cp a b"
        with pytest.raises(PolicyError, match="nothing was answered for longer than once"):
            session.answering.undo()


async def test_guards_are_answered_once_only_and_no_always_hides_all(desk: Desk) -> None:
    desk.policy.write_text(ASKS)
    async with desk.running("touch $HOME/.bashrc") as session:
        ask = await desk.asked()
        assert ask.ruling.source is Source.GUARD
        for give in (session.answering.for_session, session.answering.for_process):
            with pytest.raises(PolicyError, match="guard shell-startup"):
                give(ask)
        assert len(session.gate) == 1 and session.answering.remembered == ()
        session.answering.for_session(ask, Decision.DENY)
        assert not (desk.home / ".bashrc").exists()
    async with desk.running("touch $HOME/x", always=False) as session:
        ask = await desk.asked()
        for decision in (Decision.ALLOW, Decision.DENY):
            with pytest.raises(PolicyError, match="--no-always"):
                session.answering.for_session(ask, decision)
        with pytest.raises(PolicyError, match="--no-always"):
            session.answering.for_process(ask)
        assert len(session.gate) == 1


async def test_a_rule_expires_while_the_session_runs(desk: Desk) -> None:
    """Seen by the warden, which decides the writes, without anybody telling it."""
    end = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)).isoformat(timespec="seconds")
    rule = f"  - match: {{action: fs_write, target_glob: '~/f'}}\n    decision: allow\n    until: {end}\n"
    desk.policy.write_text(ASKS + rule.replace("+00:00", "Z"))
    async with desk.running("while echo x >>$HOME/f; do sleep .1; done; exit 0") as session:
        ask = await desk.asked()
        assert ask.action.target == str(desk.home / "f") and ask.ruling.source is Source.DEFAULT
        assert dt.datetime.now(dt.UTC).isoformat() > end
        session.gate.answer(ask.number, Verdict.DENY)
        assert await ended(session) == 0
    allowed = [row for row in desk.record() if row["action"] == "fs_write" and row["verdict"] == "allow"]
    assert allowed and {row["rule"] for row in allowed} == {2}


async def test_an_answer_for_a_second_stands_in_the_file_and_expires(desk: Desk) -> None:
    desk.policy.write_text(ASKS)
    async with desk.running("echo x >>$HOME/f; while echo x >>$HOME/f; do sleep .1; done; exit 0") as session:
        ask = await desk.asked()
        # an hour from a moment that lies an hour but a second back
        session.answering._now = lambda: dt.datetime.now().timestamp() - 3598
        session.answering.give(ask, session.draft(ask), Span.HOUR)
        assert session.policy.rules[-1].until is not None
        written = desk.policy.read_text()
        assert "    until: " in written and "decision: allow" in written
        ask = await desk.asked()
        session.gate.answer(ask.number, Verdict.DENY)
        assert await ended(session) == 0
    assert len(desk.asks()) == 2


async def test_undo_goes_back_through_rules_and_answers_in_their_order(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b; cp a c; cp a d") as session:
        answering = session.answering
        ask = await desk.asked()
        answering.give(ask, session.draft(ask), Span.ALWAYS)
        ask = await desk.asked()
        answering.for_session(ask)
        ask = await desk.asked()
        answering.give(ask, replace(session.draft(ask), decision=Decision.DENY), Span.DAY)
        assert "until:" in desk.policy.read_text()
        assert answering.undo() == "policy.yaml is as it was before: deny exec cp a d"
        assert answering.undo() == "the answer no longer holds: allow exec cp a c, for this session"
        assert answering.undo() == "policy.yaml is as it was before: allow exec cp a b"
        assert desk.policy.read_text() == POLICY and len(session.policy.rules) == 4
    assert desk.settled() == ["cp a b: allow by rule", "cp a c: allow by operator", "cp a d: deny by rule"]


async def test_a_session_answer_holds_for_an_agent_that_comes_later(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b; sleep 20") as session:
        session.answering.for_session(await desk.asked())
        given = os.open(os.devnull, os.O_RDWR)
        try:
            run = session.prepare(("sh", "-c", "cp a b; exit 6"))
            await session.add(run, (given,) * 3, controlling=False)
        finally:
            os.close(given)
        assert await asyncio.wait_for(run.wait(), PATIENCE) == 6
    assert desk.asks() == ["cp a b"]


async def test_a_timeout_denies_once_tells_the_agent_and_writes_no_rule(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b; cp a b; exit 5", timeout=0.5) as session:
        assert await ended(session) == 5
        assert session.answering.remembered == ()
    assert desk.settled() == ["cp a b: deny by timeout"] * 2
    assert desk.err.count("timeout: nobody answered within 0.5 s") == 2
    assert desk.policy.read_text() == POLICY
    assert [row["source"] for row in desk.record() if row["target"] == "cp a b"] == ["timeout"] * 2
