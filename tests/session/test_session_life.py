"""A session's start and end: it runs the agent or raises, and leaves nothing behind either way."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from typing import Any

import pytest
from session_kit import PATIENCE, Desk, alive, children, open_files, until

from agentgate.actions import Verdict
from agentgate.gate.events import AgentStarted
from agentgate.intercept.backend import GateUnavailable
from agentgate.policy.errors import PolicyError
from agentgate.session import Session
from agentgate.settings import GateChoice

# A family that does not want to end: other sessions, orphans, deaf to what asks them to.
FAMILY = """
trap '' TERM HUP INT
echo $$ > pid0
setsid sh -c 'trap "" TERM HUP INT; echo $$ > pid1; sleep 1000 & echo $! > pid2; wait' &
(setsid sh -c 'echo $$ > pid3; while :; do sleep 1000; done' &)
sleep 1000
"""


async def nothing_left(session: Session, before: set[int], files: int) -> None:
    """No process, no task, no socket, no descriptor."""
    await until(lambda: children() <= before)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    if session.proxy:
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", session.proxy.port), timeout=2)
    await until(lambda: open_files() <= files)


async def test_close_ends_everybody(desk: Desk) -> None:
    before, files = children(), open_files()
    async with desk.running(FAMILY) as session:
        await until(lambda: all((desk.project / f"pid{n}").exists() for n in range(4)))
        await until(lambda: all((desk.project / f"pid{n}").read_text().strip() for n in range(4)))
        pids = [int((desk.project / f"pid{n}").read_text()) for n in range(4)]
        assert all(map(alive, pids)) and len(set(pids)) == 4
        await asyncio.wait_for(session.close(), PATIENCE)
        assert [pid for pid in pids if alive(pid)] == []
        await nothing_left(session, before, files)
        await asyncio.wait_for(session.close(), PATIENCE)  # twice does no harm


async def test_close_ends_an_agent_that_waits_for_an_answer(desk: Desk) -> None:
    before, files = children(), open_files()
    (desk.project / "a").write_text("a")
    async with desk.running("cp a b; sleep 1000") as session:
        ask = await desk.asked()
        await asyncio.wait_for(session.close(), PATIENCE)
        assert not alive(ask.action.pid) and not (desk.project / "b").exists()
        assert not session.gate.answer(ask.number, Verdict.ALLOW)
        await nothing_left(session, before, files)


async def test_what_an_agent_left_behind_ends_with_it(desk: Desk) -> None:
    before, files = children(), open_files()
    script = "(setsid sh -c 'echo $$ > pid; sleep 1000' &); until test -s pid; do :; done; exit 4"
    async with desk.running(script) as session:
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 4
        await until(lambda: not alive(int((desk.project / "pid").read_text())))
    await nothing_left(session, before, files)


def no_program(desk: Desk) -> tuple[str, ...]:
    return ("no-such-agent", "-x")


def no_permission(desk: Desk) -> tuple[str, ...]:
    script = desk.project / "agent"
    script.write_text("#!/bin/sh\n")
    script.chmod(stat.S_IRUSR)
    return (str(script),)


def no_interpreter(desk: Desk) -> tuple[str, ...]:
    script = desk.project / "agent"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    return (str(script),)


@pytest.mark.parametrize("gate", [GateChoice.KERNEL, GateChoice.SHIM])
@pytest.mark.parametrize("make", [no_program, no_permission, no_interpreter])
async def test_a_command_that_cannot_run_is_an_error_and_leaves_nothing(
    desk: Desk, gate: Any, make: Any
) -> None:
    before, files = children(), open_files()
    command = make(desk)
    session = desk.session(*command, gate=gate)
    with pytest.raises(OSError) as caught:
        await desk.start(session)
    text = str(caught.value)
    assert command[0] in text and "\n" not in text
    await nothing_left(session, before, files)
    assert not [event for event in desk.all_events() if isinstance(event, AgentStarted)]
    assert desk.notices() == []
    await asyncio.wait_for(session.close(), PATIENCE)


async def test_a_record_that_cannot_be_written_is_an_error_and_leaves_nothing(desk: Desk) -> None:
    before, files = children(), open_files()
    desk.audit.mkdir(parents=True)
    session = desk.session("true")
    with pytest.raises(OSError, match="cannot write the audit log") as caught:
        await desk.start(session)
    assert "\n" not in str(caught.value)
    await nothing_left(session, before, files)


async def test_an_operators_proxy_that_makes_no_sense_is_an_error_and_leaves_nothing(desk: Desk) -> None:
    before, files = children(), open_files()
    env = {"PATH": os.defpath, "HOME": str(desk.home), "HTTPS_PROXY": "ftp://nowhere"}
    session = desk.session("true", env=env)
    with pytest.raises(GateUnavailable, match="connections cannot be decided"):
        await desk.start(session)
    await nothing_left(session, before, files)


def test_a_bad_policy_is_an_error_before_anything_is_started(desk: Desk) -> None:
    before, files = children(), open_files()
    for text, where in (
        ("default: alow\n", "policy.yaml:1:10: "),
        (
            "lift_guards:\n- git-hook\n",
            "policy.yaml:2:3: unknown guard 'git-hook' (did you mean 'git-hooks'?)",
        ),
        ("rules:\n- {match: {action: exec, target_glob: $NOWHERE}, decision: ask}\n", "policy.yaml:2: "),
    ):
        desk.policy.write_text(text)
        with pytest.raises(PolicyError) as caught:
            desk.session("true")
        assert str(caught.value).startswith(where) and "\n" not in str(caught.value)
    assert (children(), open_files()) == (before, files)
    assert not desk.audit.exists()


@pytest.mark.parametrize("gate", [GateChoice.KERNEL, GateChoice.SHIM])
@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.02, 0.04, 0.1, 0.2, 0.3])
async def test_a_start_broken_off_leaves_nothing(desk: Desk, seconds: float, gate: Any) -> None:
    """Interrupted in the middle, wherever that is."""
    before, files = children(), open_files()
    session = desk.session("sleep", "1000", gate=gate)
    task = asyncio.create_task(desk.start(session))
    await asyncio.sleep(seconds)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    else:  # it was faster
        await asyncio.wait_for(session.close(), PATIENCE)
    await nothing_left(session, before, files)


async def test_the_agent_runs_in_the_project_with_its_environment_and_status(desk: Desk) -> None:
    script = 'test "$PWD" = "$WHERE" && test -n "$HTTPS_PROXY$AGENTGATE" && test -z "$TMUX" && exit 9'
    env = {"PATH": os.defpath, "HOME": str(desk.home), "WHERE": str(desk.project), "TMUX": "x,1,0"}
    async with desk.running(script, env=env) as session:
        assert session.gate_kind == "kernel"
        assert await asyncio.wait_for(session.wait(), PATIENCE) == 9
