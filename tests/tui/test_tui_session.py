"""The whole way: a shell in the pane, a command that its gate holds, a key, and what came of it."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from room_kit import armed, make_session, room, text_of, until
from textual.pilot import Pilot

from agentgate.intercept.kernel.backend import missing
from agentgate.session import Session
from agentgate.settings import GateChoice

LEADER = "ctrl+right_square_bracket"

POLICY = """\
default: allow
rules:
  - match: {action: exec, target_glob: "rm *"}
    decision: ask
    reason: what is gone is gone
  - match: {action: fs_write, target_glob: "**/held.txt"}
    decision: ask
"""

KERNEL = pytest.mark.skipif(bool(missing()), reason=f"kernel gate: {missing()}")
GATES = [GateChoice.SHIM, pytest.param(GateChoice.KERNEL, marks=KERNEL)]


def shell(tmp_path: Path, gate: GateChoice) -> Session:
    session = make_session(tmp_path, "bash", "--norc", "--noprofile", policy=POLICY)
    session.settings = replace(session.settings, gate=gate)
    return session


async def type_line(pilot: Pilot[int], text: str) -> None:
    await pilot.press(*text, "enter")


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("key", ["a", "d"])
async def test_a_command_typed_in_the_pane_waits_for_the_key(
    tmp_path: Path, gate: GateChoice, key: str
) -> None:
    session = shell(tmp_path, gate)
    victim = tmp_path / "victim.txt"
    victim.touch()
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "$" in pane.screen_text(), pilot)
        await type_line(pilot, "rm victim.txt; echo status $?")
        await armed(app, pilot)
        screen = text_of(app)
        assert "? WAIT exec rm victim.txt" in screen
        assert "rule 1 (line 3):" in screen
        assert victim.exists()
        await pilot.press(LEADER, key)
        if key == "a":
            await until(lambda: "status 0" in pane.screen_text(), pilot)
            assert not victim.exists()
            await until(lambda: "✓ " in text_of(app) and "exec allow rm victim.txt" in text_of(app), pilot)
        else:
            await until(lambda: "status 126" in pane.screen_text(), pilot)
            assert "agentgate: denied" in pane.screen_text()
            assert victim.exists()
            await until(lambda: "exec deny rm victim.txt" in text_of(app), pilot)
        assert app.state.denied == (key == "d")
        await pilot.press("ctrl+d")
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value == 0
    assert "rm victim.txt" in (tmp_path / ".agentgate" / "audit.jsonl").read_text()


@KERNEL
async def test_a_write_is_held_and_done_on_behalf(tmp_path: Path) -> None:
    session = shell(tmp_path, GateChoice.KERNEL)
    async with room(session) as (app, pilot):
        await until(lambda: "$" in app._room.pane.screen_text(), pilot)
        assert "gate kernel" in text_of(app)
        await type_line(pilot, "echo kept > held.txt")
        await armed(app, pilot)
        held = tmp_path / "held.txt"
        assert "? WAIT fs_write" in text_of(app)
        assert not held.exists()
        await pilot.press(LEADER, "a")
        await until(lambda: held.exists() and held.read_text() == "kept\n", pilot)


@KERNEL
async def test_without_its_warden_the_room_says_so_and_nothing_happens(tmp_path: Path) -> None:
    session = shell(tmp_path, GateChoice.KERNEL)
    async with room(session) as (app, pilot):
        await until(lambda: "$" in app._room.pane.screen_text(), pilot)
        await type_line(pilot, "echo kept > held.txt")
        await armed(app, pilot)
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        [warden] = [
            pid for pid in children if b"intercept.kernel" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(int(warden), signal.SIGKILL)
        await until(lambda: "GATE LOST" in text_of(app), pilot)
        await until(lambda: not app.state.asks, pilot)
        assert not (tmp_path / "held.txt").exists()
        await pilot.press(LEADER, "q")
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value != 0
