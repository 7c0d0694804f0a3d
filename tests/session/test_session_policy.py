"""The policy file, changed by hand while the agent runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from session_kit import PATIENCE, POLICY, Desk, until

from agentgate.actions import Verdict
from agentgate.policy.errors import PolicyError

WAIT = "until test -e go; do sleep 0.05; done; rm -f go; "


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgate.session._WATCH", 0.02)


def go(desk: Desk) -> None:
    (desk.project / "go").touch()


WAITING = POLICY.replace('"setsid *"', '"rm *", "touch *"')


async def test_a_changed_file_is_in_force_at_the_next_command(desk: Desk) -> None:
    desk.policy.write_text(WAITING)
    async with desk.running(f"{WAIT} mv a b; touch done") as session:
        desk.policy.write_text(WAITING.replace('"mv *"}\n    decision: deny', '"mv *"}\n    decision: ask'))
        await until(lambda: desk.policy_news() == [""])
        go(desk)
        ask = await desk.asked()
        assert (ask.action.target, ask.ruling.rule) == ("mv a b", 3)
        session.gate.answer(ask.number, Verdict.DENY)
        await until((desk.project / "done").exists)
    assert desk.notices() == []


async def test_a_changed_file_answers_what_waits(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b") as session:
        ask = await desk.asked()
        desk.policy.write_text("default: allow\n")
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 0
        assert not session.gate.answer(ask.number, Verdict.DENY)
    assert desk.settled() == ["cp a b: allow by default"]
    assert (desk.project / "b").exists()


BAD = [
    ("rules: [", "policy.yaml:1:9: not YAML"),
    ("default: alow\n", "policy.yaml:1:10: unknown default 'alow' (allow, deny or ask)"),
    (
        "lift_guards: [git-confg]\n",
        "policy.yaml:1:15: unknown guard 'git-confg' (did you mean 'git-config'?)",
    ),
    (
        "default: allow\nrules:\n  - match: {action: exec, target_glob: $NOWHERE/x}\n    decision: deny\n",
        "policy.yaml:3: glob '$NOWHERE/x': $NOWHERE is not set",
    ),
]


@pytest.mark.parametrize(("text", "error"), BAD)
async def test_a_bad_file_is_refused_once_with_its_place(desk: Desk, text: str, error: str) -> None:
    desk.policy.write_text(WAITING)
    async with desk.running(f"{WAIT} cp a b; {WAIT} mv a b; touch done") as session:
        desk.policy.write_text(text)
        await until(desk.policy_news)
        await asyncio.sleep(0.2)  # ten more looks at the same file
        (news,) = desk.policy_news()
        assert news.startswith(error)
        (notice,) = desk.notices()
        assert notice.startswith(f"policy not loaded, the old one stays in force: {error}")
        go(desk)
        ask = await desk.asked()  # the old policy is in force, and the gate is there
        assert ask.ruling.reason == "every copy is looked at"
        desk.policy.write_text(WAITING)  # mended, as it was before
        await until(lambda: desk.policy_news()[1:] == [""])
        session.gate.answer(ask.number, Verdict.DENY)
        go(desk)
        await until((desk.project / "done").exists)
    assert "denied exec mv a b" in desk.err
    assert len(desk.notices()) == 1


async def test_a_file_taken_away_leaves_the_old_policy_in_force(desk: Desk) -> None:
    desk.policy.write_text(WAITING)
    async with desk.running(f"{WAIT} mv a b; touch done"):
        desk.policy.unlink()
        await until(desk.policy_news)
        await asyncio.sleep(0.2)
        assert desk.policy_news() == ["policy.yaml: cannot be read: No such file or directory"]
        go(desk)
        await until((desk.project / "done").exists)
        assert "denied exec mv a b" in desk.err
        desk.policy.write_text(WAITING)
        await until(lambda: len(desk.policy_news()) == 2)
    assert desk.policy_news()[1] == "" and len(desk.notices()) == 1


async def test_a_policy_that_cannot_be_compiled_is_not_put_in_force(desk: Desk, tmp_path: Path) -> None:
    """Also when it comes another way: the gate in the other process would break on it."""
    from agentgate.policy.load import load_text

    (desk.project / "a").write_text("a")
    async with desk.running("cp a b") as session:
        ask = await desk.asked()
        before = session.policy
        with pytest.raises(PolicyError, match="is not set"):
            session.use(load_text(BAD[-1][0], "policy.yaml"))
        assert session.policy is before
        session.gate.answer(ask.number, Verdict.ALLOW)
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 0


async def test_an_edit_from_here_is_in_force_at_once_and_can_be_taken_back(desk: Desk) -> None:
    desk.policy.write_text(WAITING)
    async with desk.running(f"{WAIT} mv a b; {WAIT} mv a b; touch done") as session:
        session.edit_policy(lambda file, check: file.delete(2, check))
        assert desk.policy.read_text() != WAITING
        session.edit_policy(lambda file, check: file.undo(check)[1])
        assert desk.policy.read_text() == WAITING
        go(desk)
        await until(lambda: "denied exec mv a b" in desk.err)
        session.edit_policy(lambda file, check: file.write("default: allow\n", check))
        go(desk)
        await until((desk.project / "done").exists)
        with pytest.raises(PolicyError, match="is not set"):
            session.edit_policy(lambda file, check: file.write(BAD[-1][0], check))
        assert desk.policy.read_text() == "default: allow\n" and not session.policy.rules
    assert desk.err.count("denied exec mv a b") == 1 and desk.notices() == []
