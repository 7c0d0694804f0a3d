"""Zoom, the names of logs that share a place, and F12, with real keys and clicks."""

from __future__ import annotations

from pathlib import Path

from room_kit import INSTALL, armed, ask, install, make_session, room, text_of, until

from agentgate.tui.ink import plain
from agentgate.tui.modes import Mode, Panel

LEADER = "ctrl+right_square_bracket"


async def test_a_zoomed_agent_has_the_whole_width_and_still_says_what_waits(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", "while :; do stty size; read -t 0.2; done")
    async with room(session, (120, 36)) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "34 80" in pane.screen_text(), pilot)
        await pilot.press(LEADER, "z")
        await until(lambda: "33 120" in pane.screen_text(), pilot)
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        assert "? WAIT exec npm install chalk" in text_of(app)
        assert session.mark in text_of(app)
        await pilot.press("f12", "tab")  # panels lie over it
        assert app._room.queue.display
        assert pane.size.width == 120
        await pilot.press("escape", "f12", "z")
        await until(lambda: pane.size.width == 80, pilot)
        question.cancel()


async def test_z_gives_the_whole_screen_to_the_panel_that_has_the_keys(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (120, 36)) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        size = app._room.pane.size
        await pilot.press(LEADER, "tab", "4", "z")
        await pilot.pause()
        assert (app._room.policy.size.width, app._room.policy.size.height) == (120, 33)
        assert not app._room.queue.display
        text = text_of(app)
        assert "? WAIT exec npm install chalk" in text
        assert session.mark in text
        await armed(app, pilot)
        await pilot.press("d")  # the alert line shows what it is about
        assert (await question).verdict.value == "deny"
        await pilot.press("z")
        await pilot.pause()
        assert app._room.queue.display
        assert app._room.pane.size == size


async def test_the_log_that_shares_a_place_is_reached_by_a_click_on_its_name(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (120, 36)) as (app, pilot):
        assert app._room.audit.display
        assert not app._room.policy.display
        edge = plain(app._room.log_tabs.line)
        await pilot.click("#log-tabs", offset=(edge.index("4"), 0))
        await pilot.pause()
        assert (app.state.mode, app.state.panel) == (Mode.CONTROL, Panel.POLICY)
        assert app._room.policy.display
        assert "3" in plain(app._room.log_tabs.line)
