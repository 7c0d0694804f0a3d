"""Reading in the agent's terminal from the room: keys, what the bottom line says, whose keys are whose."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from room_kit import INSTALL, armed, ask, install, make_session, room, text_of, until
from textual import events

from agentgate.tui import history
from agentgate.tui.bars import hints
from agentgate.tui.ink import plain
from agentgate.tui.inputs import Pressed
from agentgate.tui.keys.commands import LEADER, Context
from agentgate.tui.keys.keymap import DEFAULT_KEYS
from agentgate.tui.modes import Mode
from agentgate.tui.state import State
from agentgate.tui.step import step
from agentgate.tui.terminal.view import View

pytestmark = pytest.mark.timeout(60)

LINES = "seq -f 'line %g' 1 500; printf ready; cat"


def pressed(state: State, *keys: str) -> tuple[State, list[object]]:
    effects: list[object] = []
    for key in keys:
        result = step(state, Pressed(key), 100.0)
        state = result.state
        effects += result.effects
    return state, effects


# The state


def test_the_bracket_after_the_leader_begins_and_escape_ends() -> None:
    state, effects = pressed(State(), LEADER, "left_square_bracket")
    assert state.reading and state.context is Context.SCROLL and state.mode is Mode.AGENT
    assert effects == [history.Read()]
    state, effects = pressed(state, "k", "pageup", "g", "v", "y", "n", "N", "G")
    assert effects == [
        history.Read("up"),
        history.Read("page-up"),
        history.Read("first"),
        history.Read("select"),
        history.Copy(),
        history.Read("older-match"),
        history.Read("newer-match"),
        history.Read("last"),
    ]
    state, effects = pressed(state, "escape")
    assert effects == [history.ToLive()]
    assert not state.reading and state.agent_has_keys


def test_escape_ends_the_selection_first_and_q_ends_all() -> None:
    reading = replace(State(), reading=True, view=View(selecting=True))
    state, effects = pressed(reading, "escape")
    assert state.reading and effects == [history.Unselect()]
    state, effects = pressed(reading, "q")
    assert not state.reading and effects == [history.ToLive()]


def test_no_key_of_reading_is_the_agents_and_the_leader_is_the_leader() -> None:
    reading = replace(State(), reading=True)
    assert all(reading.takes(key) for key in ("a", "k", "enter", "x", "f5", LEADER))
    state, effects = pressed(reading, "x")
    assert (state, effects) == (reading, [])
    state, _ = pressed(reading, LEADER)
    assert state.context is Context.LEADER
    state, _ = pressed(state, "tab")
    assert state.mode is Mode.CONTROL and state.context is not Context.SCROLL
    state, _ = pressed(state, "escape")
    assert state.context is Context.SCROLL, "it is read on where it was left"


def test_what_is_typed_after_the_slash_is_searched() -> None:
    reading = replace(State(), reading=True)
    state, _ = pressed(reading, "slash")
    assert state.context is Context.PROMPT
    state, effects = pressed(state, "a", "d", "q", "enter")
    assert effects == [history.Find("adq")]
    assert state.context is Context.SCROLL
    state, effects = pressed(state, "slash", "z", "escape")
    assert not effects and state.reading


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (State(), ""),
        (replace(State(), view=View(120)), " history, 120 lines back; a key for the agent returns "),
        (replace(State(), view=View(1), reading=True), " history, 1 line back; esc returns "),
        (replace(State(), reading=True), " history, at its end; esc returns "),
        (
            replace(State(), reading=True, view=View(alternate=True)),
            " this program has no history; esc returns ",
        ),
        (
            replace(State(), reading=True, view=View(7, "foo", 2, 9, True)),
            "foo: 2 of 9  selecting   history, 7 lines back; esc returns ",
        ),
        (replace(State(), reading=True, view=View(0, "a\x1bb")), "a\\x1bb: not found   history, at its end"),
    ],
)
def test_the_bottom_line_says_what_is_shown(state: State, said: str) -> None:
    assert plain(history.mark(state)).startswith(said)
    for cells in (80, 120, 200):
        line = plain(hints(state, True, True, cells))
        assert said.rstrip() in line
        assert len(line) <= cells


def test_every_key_of_reading_is_in_the_table_once() -> None:
    keys = [key for command in DEFAULT_KEYS.of(Context.SCROLL) for key in command.keys]
    assert len(keys) == len(set(keys))


# The room


async def test_a_session_is_read_searched_and_copied_from(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", LINES)
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "ready" in pane.screen_text(), pilot)
        await pilot.press(LEADER, "left_square_bracket", "pageup")
        await until(lambda: "lines back; esc returns" in text_of(app), pilot)
        assert "ready" not in pane.screen_text()
        await pilot.press("slash", *"line 77", "enter")
        await until(lambda: "line 77: 1 of 1" in text_of(app), pilot)
        assert "line 77\n" in pane.screen_text()
        await pilot.press("v", "j", "dollar_sign")
        await until(lambda: "selecting" in text_of(app), pilot)
        await pilot.press("y")
        await until(lambda: "15 characters copied" in text_of(app), pilot)
        assert app.clipboard == "line 77\nline 78"
        await pilot.press("g")
        await until(lambda: pane.screen_text().startswith("line 1\n"), pilot)
        await pilot.press("escape")
        await until(lambda: pane.screen_text().endswith("ready"), pilot)
        assert "history" not in text_of(app)
        await pilot.press(*"typed", "enter")
        await until(lambda: "readytyped" in pane.screen_text(), pilot)
        await until(lambda: "\ntyped" in pane.screen_text(), pilot)


async def test_output_does_not_move_what_is_read_and_questions_are_answered_meanwhile(tmp_path: Path) -> None:
    session = make_session(
        tmp_path, "bash", "-c", f"{LINES.removesuffix('cat')} while read x; do seq 1 $x; done"
    )
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "ready" in pane.screen_text(), pilot)
        await pilot.press(LEADER, "left_square_bracket", "pageup", "pageup")
        await until(lambda: pane.view.back > 50, pilot)
        read, back = pane.screen_text(), pane.view.back
        app._panes._ptys["demo"].write(b"300\n")
        await until(lambda: app.state.view.back >= back + 300, pilot)
        assert pane.screen_text() == read
        task = ask(session, install("left-pad"), INSTALL)
        await until(lambda: app.state.asks, pilot)
        assert app.state.reading and pane.screen_text() == read
        await armed(app, pilot)
        await pilot.press("a")
        await asyncio.sleep(0)
        assert app.state.asks, "a key of reading is no verdict"
        await pilot.press(LEADER, "a")
        await until(lambda: task.done(), pilot)
        assert app.state.reading and pane.screen_text() == read


async def test_the_wheel_goes_back_without_keys_and_typing_returns(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", LINES)
    async with room(session, (80, 24)) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "ready" in pane.screen_text(), pilot)
        await until(lambda: pane.grid_size == (pane.size.height, 80), pilot)
        for _ in range(4):
            await pilot._post_mouse_events([events.MouseScrollUp], pane, offset=(5, 5))
        await until(lambda: "history, 12 lines back; a key for the agent returns" in text_of(app), pilot)
        await pilot.press("x")
        await until(lambda: "readyx" in pane.screen_text(), pilot)
        await until(lambda: "history" not in text_of(app), pilot)
