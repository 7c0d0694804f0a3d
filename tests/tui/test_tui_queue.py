"""The queue in the room itself: real keys on cards, commands, marks, the filter; notes and ends of processes
under the real gates."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from room_kit import (
    GUARD,
    INSTALL,
    armed,
    ask,
    connect,
    install,
    make_session,
    process,
    room,
    text_of,
    until,
    write,
)
from test_tui_session import GATES, KERNEL, POLICY, shell, type_line

from agentgate.actions import Action, Answer, Kind, Source, Verdict
from agentgate.session import Session
from agentgate.settings import GateChoice
from agentgate.tui.app import ControlRoom
from agentgate.tui.modes import Cover, Mode, Panel

LEADER = "ctrl+right_square_bracket"

CLAUDE = process(100, "claude", "--autonomous")
TOOL = process(200, "bash", "-c", "ls -la")


def below(tool_pid: int, kind: Kind, target: str, where: Path, origin: str = "") -> Action:
    """What process ``tool_pid`` of the command ``ls -la`` does."""
    chain = (process(tool_pid, "worker"), TOOL, CLAUDE)
    argv = tuple(target.split(" ")) if kind is Kind.EXEC else ("worker",)
    return Action(kind, target, argv, str(where), chain, "renameat2" if origin else "call", origin)


def said(app: ControlRoom) -> str:
    """The screen as one line, without its frames."""
    return " ".join(word for word in text_of(app).split() if word != "│")


async def verdict(task: asyncio.Task[Answer]) -> Verdict:
    return (await asyncio.wait_for(task, 5)).verdict


async def test_the_same_from_many_processes_is_one_card_and_one_answer(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        tasks = [ask(session, connect("api.example:443", 4200 + n)) for n in range(3)]
        other = ask(session, install("chalk"), INSTALL)
        await until(lambda: "×3" in text_of(app), pilot)
        assert "4 waiting" in text_of(app)
        await armed(app, pilot)
        late = ask(session, connect("api.example:443", 4300))
        await until(lambda: app.state.joined, pilot)
        await pilot.press(LEADER, "d")
        assert [await verdict(task) for task in tasks] == [Verdict.DENY] * 3
        await until(lambda: len(app.state.asks) == 2, pilot)
        assert not late.done()
        await armed(app, pilot)
        await pilot.press(LEADER, "a")
        assert await verdict(late) is Verdict.ALLOW
        other.cancel()


async def test_a_command_has_a_header_with_its_words_and_what_differs_and_folds(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (120, 50)) as (app, pilot):
        one = ask(session, below(201, Kind.NET_EGRESS, "evil.example:443", tmp_path))
        two = ask(session, below(201, Kind.FS_WRITE, str(tmp_path / "x"), tmp_path))
        other = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        screen = text_of(app)
        assert "▾ claimed: ls -la" in screen and "1 connection, 1 write" in screen
        assert "≠ differs" in screen and "≠ says it only looks, but connects" in said(app)
        await pilot.press(LEADER, "tab", "left")
        await until(lambda: "▸ claimed: ls -la" in text_of(app), pilot)
        assert "d deny all of it" in text_of(app)
        await armed(app, pilot)
        await pilot.press("a")
        await until(lambda: "not allowed as a whole" in text_of(app), pilot)
        await pilot.click("#queue", offset=(5, 1))  # the header: unfolds
        await until(lambda: "▾ claimed: ls -la" in text_of(app), pilot)
        await pilot.press("left")
        await armed(app, pilot)
        await pilot.press("d")
        assert await verdict(one) is await verdict(two) is Verdict.DENY
        assert not other.done()
        other.cancel()


async def test_marks_go_together_and_only_low_risks_are_allowed(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (120, 50)) as (app, pilot):
        project = session.settings.project
        low = [ask(session, write(str(project / name), 4100 + n)) for n, name in enumerate("ab")]
        high = ask(session, write("/home/me/.bashrc", 4110), GUARD)
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "space", "j", "space", "j", "space")
        await until(lambda: "3 marked" in text_of(app), pilot)
        await pilot.press("a")
        assert not low[0].done()  # the last mark is too fresh
        await armed(app, pilot)
        assert "a allow low risks of 3 marked" in text_of(app)
        await pilot.press("a")
        assert [await verdict(task) for task in low] == [Verdict.ALLOW] * 2
        await until(
            lambda: "allowed 2 of low risk; still to be looked at: /home/me/.bashrc" in text_of(app), pilot
        )
        assert not high.done()
        await armed(app, pilot)
        await pilot.press("d")
        assert await verdict(high) is Verdict.DENY


async def test_the_filter_is_said_narrows_at_once_and_escape_clears_it(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        hidden = ask(session, install("chalk"), INSTALL)
        shown = ask(session, connect("api.example:443"))
        await until(lambda: len(app.state.asks) == 2, pilot)
        await pilot.press(LEADER, "tab", "slash", *"api")
        await until(lambda: "/api hides 1" in text_of(app), pilot)
        assert "filter  api" in text_of(app)
        assert "npm install chalk" not in text_of(app)
        await pilot.press("enter")
        late = ask(session, install("left-pad", 4001), INSTALL)
        await until(lambda: "/api hides 2" in text_of(app), pilot)
        await armed(app, pilot)
        await pilot.press("d")
        assert await verdict(shown) is Verdict.DENY
        await until(lambda: "nothing passes the filter" in text_of(app), pilot)
        await pilot.press("d")
        await until(lambda: "the filter hides 2" in text_of(app), pilot)
        assert not hidden.done() and not late.done()
        await pilot.press("escape")
        await until(lambda: "npm install chalk" in text_of(app), pilot)
        assert app.state.mode is Mode.CONTROL
        await pilot.press("exclamation_mark", *"chalk", "enter")
        await until(lambda: "/!chalk hides 1" in text_of(app), pilot)
        await pilot.press("slash", "ctrl+u", "backslash", "left_square_bracket", "slash", "x")
        await pilot.press("right_square_bracket", "enter")
        await until(lambda: "/\\[/x] hides 2" in text_of(app), pilot)  # a text, never markup
        hidden.cancel()
        late.cancel()


async def test_a_narrow_screen_says_what_the_filter_hides(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await until(lambda: app.state.asks, pilot)
        await pilot.press(LEADER, "tab", "slash", *"api", "enter", LEADER)
        await until(
            lambda: "nothing passes the filter api" in text_of(app) and "1 hidden" in text_of(app), pilot
        )
        await pilot.press(LEADER, "d")
        await pilot.pause()
        assert not question.done()
        question.cancel()


async def test_enter_shows_everything_with_the_change_that_a_rename_makes(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    (tmp_path / "old.txt").write_text("one\ntwo\n")
    (tmp_path / "new.txt").write_text("one\nthree\n")
    async with room(session, (100, 30)) as (app, pilot):
        action = below(201, Kind.FS_WRITE, str(tmp_path / "old.txt"), tmp_path, str(tmp_path / "new.txt"))
        question = ask(session, action)
        await until(lambda: app.state.looked, pilot)
        await pilot.press(LEADER, "tab", "enter")
        await until(lambda: app.state.cover is Cover.ACTION, pilot)
        await pilot.press("G", "pagedown", "pagedown")
        await until(
            lambda: all(part in text_of(app) for part in ("-two", "+three", "8 bytes", "10 bytes")), pilot
        )
        question.cancel()


async def test_a_file_that_is_opened_is_said_to_be_unknown_yet(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (120, 50)) as (app, pilot):
        question = ask(session, write(str(tmp_path / "new.txt")))
        await until(lambda: app.state.looked, pilot)
        assert "does not exist yet" in said(app) and "is not known before the file is opened" in said(app)
        question.cancel()


# Under the real gates


@pytest.mark.parametrize("gate", GATES)
async def test_the_agent_reads_the_note(tmp_path: Path, gate: GateChoice) -> None:
    session = shell(tmp_path, gate)
    victim = tmp_path / "victim.txt"
    victim.touch()
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "$" in pane.screen_text(), pilot)
        await type_line(pilot, "rm victim.txt; echo status $?")
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "n")
        await until(lambda: "note for the agent" in text_of(app), pilot)
        await pilot.press(*"use", "space", *"git", "space", *"rm")
        assert not app.state.denied
        await pilot.press("enter")
        await until(lambda: "status 126" in pane.screen_text(), pilot)
        told = " ".join(pane.screen_text().split())
        assert "agentgate: denied exec rm victim.txt (operator: use git rm)" in told
        assert victim.exists()
    lines = (tmp_path / ".agentgate" / "audit.jsonl").read_text().splitlines()
    [noted] = [line for line in map(json.loads, lines) if line.get("note")]
    assert (noted["note"], noted["source"], noted["verdict"]) == ("use git rm", Source.OPERATOR, Verdict.DENY)


WRITER = """\
import time
try:
    open("held.txt", "w")
except OSError as error:
    print("refused", error.errno, flush=True)
print("went on", flush=True)
"""


def kernel(tmp_path: Path, *command: str) -> Session:
    session = make_session(tmp_path, *command, policy=POLICY)
    session.settings = replace(session.settings, gate=GateChoice.KERNEL)
    return session


@KERNEL
async def test_x_ends_the_process_before_it_learns_of_the_deny(tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(WRITER)
    session = kernel(tmp_path, "bash", "--norc", "--noprofile")
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "$" in pane.screen_text(), pilot)
        await type_line(pilot, "python3 writer.py; echo status $?")
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "x")
        await until(lambda: "status 137" in pane.screen_text(), pilot)
        assert "denied; ended 1 process" in text_of(app)
        assert "went on" not in pane.screen_text() and "refused" not in pane.screen_text()
        assert not (tmp_path / "held.txt").exists()
        assert app.state.status is None  # the shell lives
    record = (tmp_path / ".agentgate" / "audit.jsonl").read_text()
    assert "its process was ended" in record


@pytest.mark.parametrize("gate", GATES)
async def test_x_ends_a_command_before_it_runs(tmp_path: Path, gate: GateChoice) -> None:
    session = shell(tmp_path, gate)
    (tmp_path / "victim.txt").touch()
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "$" in pane.screen_text(), pilot)
        await type_line(pilot, "rm victim.txt; echo status $?")
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "x")
        await until(lambda: "status 137" in pane.screen_text(), pilot)
        assert "denied; ended 1 process" in text_of(app)
        assert (tmp_path / "victim.txt").exists()
        assert "agentgate: denied" not in pane.screen_text()


@KERNEL
async def test_x_on_the_agent_itself_asks_first(tmp_path: Path) -> None:
    (tmp_path / "writer.py").write_text(WRITER)
    session = kernel(tmp_path, "python3", "writer.py")
    async with room(session) as (app, pilot):
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "x")
        await until(lambda: app.state.cover is Cover.END, pilot)
        await until(lambda: "─ end the agent? · " in text_of(app) and "y deny and end" in said(app), pilot)
        await pilot.press("escape")
        await armed(app, pilot)
        assert app.state.asks
        await pilot.press("x")
        await until(lambda: app.state.cover is Cover.END, pilot)
        await armed(app, pilot)
        await pilot.press("y")
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value == 137
        assert not (tmp_path / "held.txt").exists()
    assert Panel.QUEUE is app.state.panel


@KERNEL
async def test_identical_commands_of_real_processes_share_a_card(tmp_path: Path) -> None:
    session = kernel(tmp_path, "bash", "--norc", "--noprofile")
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "$" in pane.screen_text(), pilot)
        await type_line(pilot, "rm -f a & rm -f a & rm -f a & wait; echo done")
        await until(lambda: "×3" in text_of(app), pilot)
        await until(lambda: "one answer is for all asked by" in said(app) and app.state.joined is None, pilot)
        await armed(app, pilot)
        await pilot.press(LEADER, "a")
        await until(lambda: not app.state.asks, pilot)
        await until(lambda: "\ndone" in pane.screen_text(), pilot)
        assert app.state.denied == 0


@KERNEL
async def test_what_one_real_command_does_stands_below_its_words(tmp_path: Path) -> None:
    session = kernel(tmp_path, "bash", "--norc", "--noprofile")
    for name in "ab":
        (tmp_path / name).touch()
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "$" in pane.screen_text(), pilot)
        await type_line(pilot, "sh -c 'rm a & rm b & wait'; echo status $?")
        await until(lambda: "▾ claimed: rm a & rm b & wait" in text_of(app), pilot)
        assert "2 commands" in text_of(app)
        await pilot.press(LEADER, "tab", "left")
        await armed(app, pilot)
        await pilot.press("d")
        await until(lambda: "status 0" in pane.screen_text(), pilot)
        assert (tmp_path / "a").exists() and (tmp_path / "b").exists()
        assert app.state.denied == 2
