"""The palette and the help: both made of the one table, both found by a few letters."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from room_kit import INSTALL, armed, ask, install, make_session, room, text_of, until

from agentgate.actions import Verdict
from agentgate.tui import theme
from agentgate.tui.ink import Ink, plain, width
from agentgate.tui.inputs import Effect, Examine, Pressed, SetTheme
from agentgate.tui.keys.commands import COMMANDS
from agentgate.tui.keys.palette import _UNLISTED, items, palette_lines
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.state import State
from agentgate.tui.step import step
from agentgate.tui.verbs import VERBS

LEADER = "ctrl+right_square_bracket"
CONTROL = State(mode=Mode.CONTROL)


def after(state: State, *keys: str) -> tuple[State, list[Effect]]:
    effects: list[Effect] = []
    for key in keys:
        result = step(state, Pressed(key), 10.0)
        state = result.state
        effects += result.effects
    return state, effects


@pytest.mark.parametrize("state", [State(), CONTROL])
def test_it_lists_every_command_of_the_room_once_and_every_theme(state: State) -> None:
    found = items(state, "")
    names = [item.command.id for item in found if item.command]
    assert len(names) == len(set(names))
    for command in COMMANDS:
        in_room = command.context.name in ("LEADER", "CONTROL", "QUEUE", "DETAIL", "AUDIT", "POLICY", "FILES")
        assert (command.id in names) == (in_room and command.id not in _UNLISTED), command.id
    assert all(name in VERBS for name in names)
    assert [item.theme for item in found if item.theme] == list(theme.NAMES)


def test_a_few_letters_find_it_and_the_best_comes_first() -> None:
    assert items(CONTROL, "health")[0].command is not None
    assert items(CONTROL, "health")[0].command.id == "health"
    assert [item.theme for item in items(CONTROL, "theme nord")] == ["nord"]
    assert items(CONTROL, "whathold")[0].command.id == "health"  # letters in their order
    assert not items(CONTROL, "zzzz")


@pytest.mark.parametrize("cells", [20, 40, 74, 120])
def test_its_lines_fit_and_say_keys_or_why_not(cells: int) -> None:
    lines = palette_lines(CONTROL, "", cells)
    assert all(width(line) <= cells for line in lines)
    if cells >= 74:
        text = "\n".join(map(plain, lines))
        assert "by its key alone" in text
        allow = next(line for line in lines if plain(line).startswith("Allow the shown action once"))
        assert allow[0][1] is Ink.DIM


def test_enter_runs_what_is_chosen_from_where_it_acts() -> None:
    state, effects = after(State(), LEADER, "colon", *"health", "enter")
    assert (state.cover, state.prompt, effects) == (Cover.HEALTH, None, [Examine()])
    assert state.mode is Mode.CONTROL  # it is one of CONTROL's
    state, effects = after(CONTROL, "colon", *"theme agentgate-l", "enter")
    assert (state.cover, effects) == (Cover.NONE, [SetTheme("agentgate-light")])
    state, _ = after(State(), LEADER, "colon", *"policy: the rules", "enter")
    assert (state.mode, state.panel) == (Mode.CONTROL, Panel.POLICY)
    state, _ = after(State(), LEADER, "colon", *"zoom", "enter")
    assert state.wide
    assert state.mode is Mode.AGENT


def test_arrows_choose_and_escape_leaves_all_as_it_was() -> None:
    state, _ = after(CONTROL, "colon", "down", "down", "up")
    assert state.choice == 1
    state, _ = after(state, "x")
    assert state.choice == 0
    state, effects = after(state, "escape")
    assert (state.cover, state.prompt, effects) == (Cover.NONE, None, [])


def test_a_verdict_is_never_given_from_it(tmp_path: Path) -> None:
    for command in COMMANDS:
        if command.verdict and command.id in VERBS:
            state = State(mode=Mode.CONTROL, drawn_at=0.0)
            state, _ = after(state, "colon")
            state = replace(state, prompt=replace(state.prompt, text=command.help))
            _, effects = after(state, "enter")
            assert effects == []


async def test_by_real_keys_it_changes_the_theme_and_decides_nothing(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        await pilot.press(LEADER, "colon")
        await until(lambda: "all commands · " + session.mark in text_of(app), pilot)
        await pilot.press(*"allow the", "enter")
        await until(lambda: "by its key alone, on the action" in text_of(app), pilot)
        assert not question.done()
        await pilot.press("ctrl+u", *"contrast", "enter")
        await until(lambda: app.theme == "agentgate-contrast", pilot)
        await until(lambda: "all commands" not in text_of(app), pilot)
        assert app.state.mode is Mode.AGENT or app.state.cover is Cover.NONE
        await armed(app, pilot)
        await pilot.press(LEADER, "d") if app.state.mode is Mode.AGENT else await pilot.press("d")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY


async def test_help_shows_what_has_some_letters(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        await pilot.press("f12", "tab", "question_mark", "slash", *"whole screen")
        await until(lambda: "The panel that has the keys on the whole screen" in text_of(app), pilot)
        assert "Allow the shown action" not in text_of(app)
        await pilot.press("escape")
        await until(lambda: "Allow the oldest" in text_of(app), pilot)
        await pilot.press("escape")
        assert app.state.cover is Cover.NONE
