"""The files panel: what the session changed, as it changes, how it differs, and taking it back by keys."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from room_kit import ask, install, make_session, room, text_of, until
from textual.pilot import Pilot

from agentgate.actions import Answer
from agentgate.changes.look import Change, Sort
from agentgate.changes.tree import Row
from agentgate.intercept.kernel.backend import missing
from agentgate.settings import GateChoice
from agentgate.tui.app import ControlRoom
from agentgate.tui.ink import plain
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.state import ARM_SECONDS
from agentgate.tui.widgets.files import FilesPanel, diff_lines, row_line

LEADER = "ctrl+right_square_bracket"
KERNEL = pytest.mark.skipif(bool(missing()), reason=f"kernel gate: {missing()}")


def change(sort: Sort, path: str = "/p/src/app.py", **given: Any) -> Change:
    return Change(path, sort, 0, **given)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change(Sort.CHANGED, before=96, after=5000), "~   app.py                96 B → 4.9 KiB"),
        (change(Sort.CREATED, after=3), "+   app.py                           3 B"),
        (change(Sort.REMOVED, before=3), "-   app.py                           3 B"),
        (
            change(Sort.CREATED, after=9 << 20, folder=True, files=1),
            "+   app.py               1 file, 9.0 MiB",
        ),
        (change(Sort.RENAMED, origin="/p/a\x1b"), "·"),
        (change(Sort.MODE, what="mode 644 → 755"), "·   app.py                mode 644 → 755"),
    ],
)
def test_a_row(change: Change, said: str) -> None:
    shown = plain(row_line(Row(1, "app.py", change.path, change), 40))
    if change.sort is Sort.RENAMED:
        assert shown.startswith(">   app.py") and "was /p/a\\x1b" in shown
    else:
        assert shown == said


def test_what_is_compared_is_escaped() -> None:
    lines = diff_lines(change(Sort.CHANGED, before=1, after=2), ["@@ -1 +1 @@", "-a\x1b[2J", "+b\u202e"], 60)
    text = "\n".join(map(plain, lines))
    assert "\x1b" not in text and "\u202e" not in text and "-a\\x1b[2J" in text


@contextlib.asynccontextmanager
async def working(
    tmp_path: Path, script: str, size: tuple[int, int] = (120, 36), **changes: Any
) -> AsyncIterator[tuple[ControlRoom, Pilot[int]]]:
    """A room whose agent ran ``script`` and waits."""
    session = make_session(
        tmp_path, "sh", "-c", f"{script}; echo ready; read line", policy="default: allow\n", **changes
    )
    session.settings = replace(session.settings, gate=GateChoice.KERNEL)
    async with room(session, size) as (app, pilot):
        await until(lambda: "ready" in app._room.pane.screen_text(), pilot)
        await pilot.press(LEADER, "tab", "5")
        yield app, pilot


def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/app.py").write_text("one\ntwo\n")
    (tmp_path / "src/old.py").write_text("old\n")
    (tmp_path / "README").write_text("read me\n")
    return tmp_path


SCRIPT = "echo three >> src/app.py; rm src/old.py; mkdir -p new; echo x > new/x; chmod 600 README"


@KERNEL
@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)])
async def test_what_changed_is_shown_as_a_tree(tmp_path: Path, size: tuple[int, int]) -> None:
    project(tmp_path)
    async with working(tmp_path, SCRIPT, size) as (app, pilot):
        await until(lambda: app._room.files.border_title.endswith("+1 ~1 -1 ·1"), pilot)
        assert app.state.panel is Panel.FILES and app._room.files.has_class("has-keys")
        screen = text_of(app)
        for said in ("5 FILES", "+ new/", "1 file, 2 B", "src/", "~   app.py", "8 B → 14 B", "-   old.py"):
            assert said in screen, said
        assert "· README" in screen and "mode 644 → 600" in screen


async def on(app: ControlRoom, pilot: Pilot[int], name: str) -> FilesPanel:
    """The panel, with its cursor on ``name``."""
    files = app._room.files
    await until(lambda: files.chosen, pilot)
    while not files.chosen or files.chosen.row.name != name:
        await pilot.press("j")
    return files


@KERNEL
async def test_it_goes_on_while_the_agent_works(tmp_path: Path) -> None:
    script = "read line; echo x > made; read line; rm made"
    async with working(tmp_path, f"echo ready; {script}") as (app, pilot):
        await until(lambda: "nothing on disk differs" in text_of(app), pilot)
        for seen in (True, False):
            await pilot.press("escape", "enter", LEADER, "tab")
            await until(lambda seen=seen: ("+ made" in text_of(app)) is seen, pilot)
        assert app.state.panel is Panel.FILES


@KERNEL
async def test_enter_shows_how_a_file_differs(tmp_path: Path) -> None:
    project(tmp_path)
    async with working(tmp_path, SCRIPT) as (app, pilot):
        files = await on(app, pilot, "app.py")
        await pilot.press("enter")
        await until(lambda: app.state.cover is Cover.DIFF and "+three" in text_of(app), pilot)
        screen = text_of(app)
        assert f"~ {tmp_path}/src/app.py" in screen and "@@ -1,2 +1,3 @@" in screen
        assert app.session.mark in screen
        await pilot.press("escape")
        await pilot.press("g", "j")  # the directory "src"
        assert files.chosen.row.name == "src/"
        await pilot.press("enter")
        await until(lambda: "choose a file that differs" in text_of(app), pilot)
        assert app.state.cover is Cover.NONE


@KERNEL
async def test_r_takes_one_back_and_asks_once(tmp_path: Path) -> None:
    project(tmp_path)
    async with working(tmp_path, SCRIPT) as (app, pilot):
        await on(app, pilot, "app.py")
        await pilot.press("r")
        await until(lambda: "Take back this change?" in text_of(app), pilot)
        assert "~ src/app.py  8 B → 14 B" in text_of(app) and "The agent still runs" in text_of(app)
        app.state = replace(app.state, arm=60.0)
        await pilot.press("y")  # too soon to have been read
        await until(lambda: "read it first" in text_of(app), pilot)
        await pilot.press("escape")
        app.state = replace(app.state, arm=ARM_SECONDS)
        assert app.state.cover is Cover.NONE
        assert (tmp_path / "src/app.py").read_text() == "one\ntwo\nthree\n"
        await pilot.press("r")
        await until(lambda: app.state.cover is Cover.BACK, pilot)
        await until(lambda: app.state.checked(time.monotonic()), pilot)
        await pilot.press("y")
        await until(lambda: "1 change taken back" in text_of(app), pilot)
        assert (tmp_path / "src/app.py").read_text() == "one\ntwo\n"
        assert not (tmp_path / "src/old.py").exists() and (tmp_path / "new/x").exists()
        await until(lambda: "~   app.py" not in text_of(app), pilot)


@KERNEL
async def test_what_was_chosen_is_taken_back_whatever_the_list_does_meanwhile(tmp_path: Path) -> None:
    project(tmp_path)
    go = tmp_path / "go"
    script = f"echo x > zzz; echo ready; until [ -e {go} ]; do sleep 0.05; done; echo x > aaa; echo done"
    async with working(tmp_path, script) as (app, pilot):
        files = app._room.files
        await until(lambda: files.chosen, pilot)
        await pilot.press("r")
        await until(lambda: app.state.cover is Cover.BACK, pilot)
        go.touch()
        await until(lambda: "done" in app._room.pane.screen_text(), pilot)
        files.look_soon()
        await until(lambda: "+2" in files.border_title, pilot)
        await until(lambda: app.state.checked(time.monotonic()), pilot)
        await pilot.press("y")
        await until(lambda: not (tmp_path / "zzz").exists(), pilot)
        assert (tmp_path / "aaa").exists()
        assert files.chosen is not None


@KERNEL
async def test_capital_r_takes_all_back(tmp_path: Path) -> None:
    project(tmp_path)
    async with working(tmp_path, SCRIPT) as (app, pilot):
        await until(lambda: app._room.files.chosen, pilot)
        await pilot.press("R")
        await until(lambda: "Take back these 4 changes?" in text_of(app), pilot)
        assert "is removed, and kept nowhere" in text_of(app)
        await until(lambda: app.state.checked(time.monotonic()), pilot)
        await pilot.press("y")
        await until(lambda: "4 changes taken back" in text_of(app), pilot)
        await until(lambda: "nothing on disk differs" in text_of(app), pilot)
        assert (tmp_path / "src/old.py").read_text() == "old\n" and not (tmp_path / "new").exists()
        assert (tmp_path / "README").stat().st_mode & 0o777 == 0o644
        await pilot.press("R")
        await until(lambda: "nothing on disk differs from what" in text_of(app).splitlines()[-1], pilot)


@KERNEL
async def test_a_renamed_directory_is_taken_back_while_the_agent_goes_on(tmp_path: Path) -> None:
    project(tmp_path)
    script = "mv src lib; echo more >> lib/app.py; echo ready; read line; echo again >> src/app.py; echo done"
    async with working(tmp_path, script) as (app, pilot):
        await until(lambda: app._room.files.chosen, pilot)
        await pilot.press("R")
        await until(lambda: app.state.cover is Cover.BACK, pilot)
        await until(lambda: app.state.checked(time.monotonic()), pilot)
        await pilot.press("y")
        await until(lambda: "2 changes taken back" in text_of(app), pilot)
        assert (tmp_path / "src/app.py").read_text() == "one\ntwo\n"
        await pilot.press("escape", "enter", LEADER, "tab")
        await until(lambda: "~" in text_of(app) and "app.py" in text_of(app), pilot)
        await pilot.press("R")
        await until(lambda: app.state.cover is Cover.BACK, pilot)
        await until(lambda: app.state.checked(time.monotonic()), pilot)
        await pilot.press("y")
        await until(lambda: (tmp_path / "src/app.py").read_text() == "one\ntwo\n", pilot)


async def test_the_portable_gate_says_that_it_keeps_nothing(tmp_path: Path) -> None:
    async with room(make_session(tmp_path)) as (app, pilot):
        await pilot.press(LEADER, "tab", "5")
        await until(lambda: "only the kernel gate keeps" in text_of(app), pilot)
        await pilot.press("R")
        await until(lambda: "only the kernel gate keeps" in text_of(app).splitlines()[-1], pilot)
        assert app.state.cover is Cover.NONE


@KERNEL
async def test_a_session_without_undo_says_so(tmp_path: Path) -> None:
    async with working(tmp_path, "echo x > x", undo=False) as (app, pilot):
        await until(lambda: "--no-undo: nothing is kept" in text_of(app), pilot)


async def test_letters_of_the_panel_answer_no_question(tmp_path: Path) -> None:
    """``r`` and ``enter`` are the panel's own here."""
    async with room(make_session(tmp_path)) as (app, pilot):
        task = ask(app.session, install("chalk"))
        await until(lambda: app.state.asks, pilot)
        await pilot.press(LEADER, "tab", "5", "r", "R", "enter")
        assert app.state.mode is Mode.CONTROL and not task.done() and len(app.state.asks) == 1
        app.session.gate.close("over")
        answer: Answer = await task
        assert answer.verdict.value == "deny"


@KERNEL
async def test_several_agents_each_have_their_part(tmp_path: Path) -> None:
    async with working(tmp_path, "echo x > first") as (app, pilot):
        pipe, null = os.pipe(), os.open(os.devnull, os.O_WRONLY)
        run = app.session.prepare(("sh", "-c", "echo x > second; read line"))
        await app.session.add(run, (pipe[0], null, null), controlling=False)
        await until(lambda: "+ second" in text_of(app) and "+ first" in text_of(app), pilot)
        assert [line.split("│")[-1].strip() for line in text_of(app).splitlines() if ": +1" in line] == [
            "demo: +1", "demo-2: +1",
        ]  # fmt: skip
        await pilot.press("R")
        await until(lambda: "Take back these 2 changes?" in text_of(app), pilot)
        await until(lambda: app.state.checked(time.monotonic()), pilot)
        await pilot.press("y")
        await until(lambda: "2 changes taken back" in text_of(app), pilot)
        assert not (tmp_path / "first").exists() and not (tmp_path / "second").exists()
        for descriptor in (*pipe, null):
            os.close(descriptor)
