"""The mouse does on the room's frame what keys do, and no more: a verdict by it is armed like a key's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from room_kit import INSTALL, armed, ask, install, make_session, room, text_of, until
from textual.pilot import Pilot

from agentgate.actions import Verdict
from agentgate.tui import bars
from agentgate.tui.app import ControlRoom
from agentgate.tui.ink import plain
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.queue.asks import Asks
from agentgate.tui.state import State

LEADER = "ctrl+right_square_bracket"


async def click_on(app: ControlRoom, pilot: Pilot[int], bar: str, words: str) -> None:
    """Click on the first letter of ``words`` in a bar."""
    widget = app.screen.query_one(bar, bars_widget())
    at = plain(widget.line).index(words)
    await pilot.click(bar, offset=(at, 0))
    await pilot.pause()


def bars_widget() -> type:
    from agentgate.tui.widgets.bar import Bar

    return Bar


def test_each_hint_is_found_where_it_stands_and_its_keys_are_the_ones_it_names() -> None:
    state = State(mode=Mode.CONTROL, asks=Asks(()))
    line = plain(bars.hints(state, True, True, 120))
    for words, key in (
        ("esc agent", "escape"),
        ("? help", "question_mark"),
        ("z zoom", "z"),
        ("q quit", "q"),
    ):
        at = line.index(words)
        for x in (at, at + len(words) - 1):
            assert bars.hint_at(state, True, True, 120, x) == (key,)
        assert bars.hint_at(state, True, True, 120, at - 1) == ()
    assert bars.hint_at(
        State(), True, True, 120, plain(bars.hints(State(), True, True, 120)).index("tab")
    ) == (
        LEADER,
        "tab",
    )
    assert bars.hint_at(state, True, True, 120, 119) == ()


async def test_hints_and_header_are_clicked_like_keys_are_pressed(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        await click_on(app, pilot, "#header", "AGENT")
        assert app.state.mode is Mode.CONTROL
        await click_on(app, pilot, "#hints", "z zoom")
        assert app.state.zoom
        await click_on(app, pilot, "#header", "policy.yaml")
        assert app.state.panel is Panel.POLICY
        await pilot.press("z")
        await click_on(app, pilot, "#header", "1 waiting")
        assert app.state.panel is Panel.QUEUE
        await click_on(app, pilot, "#header", "CONTROL")
        assert app.state.mode is Mode.AGENT
        await armed(app, pilot)
        await click_on(app, pilot, "#hints", "d deny")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY


async def test_a_click_too_early_decides_nothing(tmp_path: Path) -> None:
    session = make_session(tmp_path, policy=None)
    async with room(session) as (app, pilot):
        from agentgate.tui.config import Config

        assert Config().arm_seconds == 0.5
        app.state = type(app.state)(**{**_fields(app.state), "arm": 30.0})
        question = ask(session, install("chalk"), INSTALL)
        await until(lambda: app.state.drawn_at is not None and "a allow" in text_of(app), pilot)
        await click_on(app, pilot, "#hints", "a allow")
        assert not question.done()
        assert "read it first" in text_of(app)
        question.cancel()


def _fields(state: State) -> dict[str, object]:
    return {name: getattr(state, name) for name in State.__slots__}


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_line_of_the_palette_is_clicked_and_a_click_beside_a_cover_closes_it(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    session = make_session(tmp_path)
    async with room(session, size) as (app, pilot):
        await pilot.press(LEADER, "colon", *"theme agentgate-light")
        await until(lambda: "Theme agentgate-light" in text_of(app), pilot)
        y = next(n for n, line in enumerate(text_of(app).splitlines()) if "Theme agentgate-light" in line)
        await pilot.click(offset=(size[0] // 2, y))
        await until(lambda: app.theme == "agentgate-light", pilot)
        assert app.state.cover is Cover.NONE
        await pilot.press(LEADER, "tab") if app.state.mode is Mode.AGENT else None
        await pilot.press("question_mark")
        await until(lambda: "keys · " in text_of(app), pilot)
        await pilot.click(offset=(1, 1))
        await until(lambda: app.state.cover is Cover.NONE, pilot)


async def test_the_wheel_scrolls_the_list_under_it(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        await pilot.press(LEADER, "tab", "question_mark")
        await until(lambda: "In AGENT mode, after" in text_of(app), pilot)
        from textual import events

        screen = app.screen
        for _ in range(6):
            screen._forward_event(
                events.MouseScrollDown(None, 40, 12, 0, 1, 0, False, False, False, 40, 12, None)  # type: ignore[arg-type]
            )
            await pilot.pause()
        await until(lambda: "In AGENT mode, after" not in text_of(app), pilot)
