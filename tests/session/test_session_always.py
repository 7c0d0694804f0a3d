"""Allow always: the rule goes into the file where it belongs, is in force at once, and is not asked again."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import socket
import sys

import pytest
from session_kit import PATIENCE, POLICY, Desk, until

from agentgate.actions import Source, Verdict
from agentgate.policy.errors import PolicyError
from agentgate.policy.store import default_text

RULE = """\
  - match:
      action: exec
      target_glob: "cp a b"
    decision: allow
    reason: "always, asked for: cp a b"
"""
COMMENT = "  # copies are looked at\n"


async def test_always_writes_the_rule_settles_the_question_and_asks_no_more(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b && rm -f x; cp a b && cp a c; exit 5") as session:
        ask = await desk.asked()
        assert (ask.action.target, ask.ruling.rule, ask.ruling.line) == ("cp a b", 2, 9)
        assert session.may_always(ask) == ""
        session.allow_always(ask, session.draft(ask))
        assert desk.policy.read_text() == POLICY.replace(COMMENT, RULE + COMMENT)
        assert (await desk.asked()).action.target == "rm -f x"
        session.gate.answer(2, Verdict.DENY)
        ask = await desk.asked()  # the second cp a b was not asked
        assert (ask.action.target, ask.ruling.rule, ask.ruling.line) == ("cp a c", 3, 14)
        session.gate.answer(ask.number, Verdict.DENY)
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 5
    assert desk.asks() == ["cp a b", "rm -f x", "cp a c"]
    assert desk.settled()[0] == "cp a b: allow by rule"
    assert (desk.project / "b").exists() and not (desk.project / "c").exists()
    copies = [row for row in desk.record() if row["action"] == "exec" and row["target"] == "cp a b"]
    assert [(row["decision"], row["verdict"]) for row in copies] == [("ask", "allow"), ("allow", "allow")]
    assert "" in desk.policy_news()


async def test_a_rule_that_does_not_cover_the_question_still_allows_it_once(desk: Desk) -> None:
    """The operator said yes to this one; what the rule covers is another matter."""
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b") as session:
        ask = await desk.asked()
        draft = session.draft(ask)
        session.allow_always(ask, type(draft)(draft.action, ("cp a z",), draft.decision))
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 0
    assert desk.settled() == ["cp a b: allow by operator"]


async def test_always_names_the_socket_and_no_other(desk: Desk) -> None:
    """A broad rule asked; the rule that is written before it allows that one socket from then on."""
    broad = "default: ask\nrules:\n  - match: {action: exec}\n    decision: allow\n  - {decision: allow}\n"
    desk.policy.write_text(broad)
    reach = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print('in')"
    (desk.project / "reach.py").write_text(reach)
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        for server, name in ((one, "one"), (other, "other")):
            server.bind(str(desk.root / f"{name}.sock"))
            server.listen()
        paths = [str(desk.root / f"{name}.sock") for name in ("one", "one", "other")]
        script = "; ".join(f"{shlex.quote(sys.executable)} reach.py {path}" for path in paths)
        async with desk.running(script) as session:
            ask = await desk.asked()
            assert (ask.action.target, ask.ruling.source) == (f"unix:{paths[0]}", Source.UNNAMED)
            assert session.may_always(ask) == ""
            session.allow_always(ask, session.draft(ask))
            ask = await desk.asked()  # not for the first once more
            assert ask.action.target == f"unix:{paths[2]}"
            session.gate.answer(ask.number, Verdict.DENY)
            assert await asyncio.wait_for(session.wait(), PATIENCE) == 1
    assert desk.asks() == [f"unix:{paths[0]}", f"unix:{paths[2]}"]


async def test_the_rule_goes_before_the_rule_that_asks_now(desk: Desk) -> None:
    """While the question waited, a rule was put in by hand: the numbers are others now."""
    edited = POLICY.replace(
        "rules:\n", "rules:\n  - match: {action: exec, target_glob: top}\n    decision: deny\n"
    )
    async with desk.running("cp a b") as session:
        ask = await desk.asked()
        desk.policy.write_text(edited)
        session.use(session.policy_file.load())
        session.allow_always(ask, session.draft(ask))
        assert desk.policy.read_text() == edited.replace(COMMENT, RULE + COMMENT)


async def test_a_file_changed_by_hand_is_not_overwritten(desk: Desk) -> None:
    async with desk.running("cp a b") as session:
        ask = await desk.asked()
        desk.policy.write_text(POLICY + "# mine\n")
        with pytest.raises(PolicyError, match=r"^policy.yaml: the file was changed meanwhile"):
            session.allow_always(ask, session.draft(ask))
        assert desk.policy.read_text() == POLICY + "# mine\n"
        assert [pending.number for pending in session.gate] == [ask.number]


async def test_a_rule_that_cannot_be_used_is_not_written(desk: Desk) -> None:
    async with desk.running("cp a b") as session:
        ask = await desk.asked()
        draft = session.draft(ask)
        with pytest.raises(PolicyError, match=r"\$NOWHERE is not set"):
            session.allow_always(ask, type(draft)(draft.action, ("$NOWHERE/x",), draft.decision))
        assert desk.policy.read_text() == POLICY
        assert [pending.number for pending in session.gate] == [ask.number]
        session.allow_always(ask, draft)  # nothing is broken
        assert len(session.gate) == 0


async def test_never_always_for_a_guard(desk: Desk) -> None:
    async with desk.running("echo x > .envrc") as session:
        ask = await desk.asked()
        why = "guard envrc: it runs when you enter the directory; allowed only once at a time"
        assert session.may_always(ask) == why
        with pytest.raises(PolicyError, match="only once at a time"):
            session.allow_always(ask, session.draft(ask))
        assert desk.policy.read_text() == POLICY
        assert [pending.number for pending in session.gate] == [ask.number]
        assert not (desk.project / ".envrc").exists()


async def test_never_always_for_a_command_line_that_is_shown_cut(desk: Desk) -> None:
    async with desk.running("cp " + "a " * 9000 + "; true") as session:
        ask = await desk.asked()
        assert "too long" in session.may_always(ask)
        with pytest.raises(PolicyError, match="too long"):
            session.allow_always(ask, session.draft(ask))
        assert desk.policy.read_text() == POLICY


async def test_never_always_where_it_is_switched_off(desk: Desk) -> None:
    async with desk.running("cp a b", always=False) as session:
        ask = await desk.asked()
        assert session.may_always(ask).startswith("--no-always")
        with pytest.raises(PolicyError, match="--no-always"):
            session.allow_always(ask, session.draft(ask))
        assert desk.policy.read_text() == POLICY
        assert len(session.gate) == 1


@pytest.mark.skipif(
    not shutil.which("python3", path="/usr/bin:/bin"), reason="not here: the system's python3"
)
async def test_the_built_in_rules_become_a_file(desk: Desk) -> None:
    desk.policy.unlink()
    command = "python3 -m ensurepip --help"
    async with desk.running(f"{command}; {command}; exit 7") as session:
        assert session.policy_file.path is None
        ask = await desk.asked()
        assert ask.action.target == command
        session.allow_always(ask, session.draft(ask))
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 7
        assert (session.policy_file.path, session.policy_file.label) == (desk.policy, "policy.yaml")
    written = desk.policy.read_text()
    assert command in written and len(written) > len(default_text())
    assert desk.asks() == [command]


async def test_an_answer_given_elsewhere_meanwhile_counts_first(desk: Desk) -> None:
    """Denied in one place, allowed always in another: the command stays denied, the rule is for the next."""
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b; cp a b; exit 0") as session:
        ask = await desk.asked()
        session.gate.answer(ask.number, Verdict.DENY)
        session.allow_always(ask, session.draft(ask))
        await until((desk.project / "b").exists)
    assert desk.settled() == ["cp a b: deny by operator"]
    assert desk.asks() == ["cp a b"] and "denied exec cp a b" in desk.err
