"""What holds on this machine, in the room: the same table as the command line's, found by the same probes,
while the room goes on."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from room_kit import ask, install, make_session, room, text_of, until

from agentgate.actions import Verdict
from agentgate.doctor.facts import Facts
from agentgate.doctor.promises import outlook
from agentgate.tui.modes import Cover
from agentgate.tui.widgets.health import Health, health_lines

LEADER = "ctrl+right_square_bracket"


def told() -> dict[str, Any]:
    """What the command line says."""
    command = [sys.executable, "-m", "agentgate", "doctor", "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60).stdout)


def words(text: str) -> str:
    """Without the frame and without the folds."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_a_key_shows_what_holds_here_and_esc_closes(tmp_path: Path, size: tuple[int, int]) -> None:
    expected = told()
    session = make_session(tmp_path)
    async with room(session, size) as (app, pilot):
        await pilot.press(LEADER, "tab", "h")
        assert app.state.cover is Cover.HEALTH
        await until(lambda: app._overlay.health.facts, pilot, 60)
        await pilot.pause()
        seen = text_of(app)
        assert "portable gate: PATH + proxy only" in words(seen)  # of this session
        assert expected["verdict"][:40] in words(seen)  # of this machine
        for _ in range(12):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += text_of(app)
        for row in expected["rows"]:
            assert row["promise"] in seen
        await pilot.press("escape")
        await until(lambda: expected["verdict"][:40] not in words(text_of(app)), pilot)
        assert app.state.cover is Cover.NONE


async def test_the_room_goes_on_while_it_is_tried(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await pilot.press(LEADER, "tab", "h")
        assert "trying what holds on this machine" in words(text_of(app))
        longest = 0.0
        question = ask(session, install("chalk"))
        while not app._overlay.health.facts:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)
        assert longest < 2, "the loop stood still"
        await pilot.press("a")  # closes nothing and decides nothing: a cover is over the question
        assert not question.done()
        await pilot.press("escape")
        await until(lambda: app.state.armed(time.monotonic()), pilot)
        await pilot.press("a")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.ALLOW


async def test_leaving_while_it_is_tried_leaves_nothing_behind(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (_app, pilot):
        await pilot.press(LEADER, "tab", "h")
        await until(_probing, pilot)
    end = time.monotonic() + 5
    while _probing():
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


def _probing() -> bool:
    """Whether a process that runs the probes is there."""
    mine = f"/proc/{os.getpid()}/task"
    for children in Path(mine).glob("*/children"):
        for pid in children.read_text().split():
            try:
                if b"agentgate.doctor.remote" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return True
            except OSError:
                continue
    return False


def test_why_there_is_no_table_is_said() -> None:
    lines = health_lines(Health(error="the process that runs the probes ended with status -9"), "kernel", 60)
    text = " ".join("".join(part for part, _ in line) for line in lines)
    assert "ended with status -9" in text and "the kernel gate" in text


def test_what_to_do_stands_below_the_promise() -> None:
    facts = Facts("linux", "x86_64", "5.10", missing="the kernel has no Landlock (5.13 or later)")
    lines = ["".join(part for part, _ in line) for line in health_lines(Health(facts), "none", 78)]
    found = outlook(facts)
    at = next(number for number, line in enumerate(lines) if found.rows[0].promise in line)
    assert lines[at].startswith("✗ ") and lines[at].endswith("does not")
    assert lines[at + 1].strip() == found.rows[0].why and lines[at + 2].strip() == f"→ {found.rows[0].todo}"
    assert max(map(len, lines)) <= 78
