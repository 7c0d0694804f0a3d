"""Selecting in the pane with the mouse, in a running app with real children."""

from __future__ import annotations

from pathlib import Path

import pytest
from pane_kit import listener, pane, shows
from terminal_kit import PaneApp, until
from textual import events
from textual.pilot import Pilot

from agentgate.tui.terminal import select
from agentgate.tui.terminal.messages import Copied

pytestmark = pytest.mark.timeout(60)

LINES = "seq -f 'line %g' 1 100; printf 'the /usr/bin/end'; sleep 60"


def copied(app: PaneApp) -> list[str]:
    return [message.text for message in app.seen if isinstance(message, Copied)]


async def drag(app: PaneApp, pilot: Pilot[None], *places: tuple[int, int], shift: bool = False) -> None:
    """Press at the first place (column, row), move over the others, let go at the last."""
    first, last = places[0], places[-1]
    post = pilot._post_mouse_events
    await post([events.MouseDown], app.pane, offset=first, button=1, shift=shift)
    for place in places[1:]:
        await post([events.MouseMove], app.pane, offset=place, button=1, shift=shift)
    await post([events.MouseUp], app.pane, offset=last, button=1, shift=shift)


async def test_a_drag_selects_and_copies() -> None:
    async with pane("sh", "-c", LINES) as (app, pilot, _):
        await shows(app, "the /usr/bin/end")
        await drag(app, pilot, (5, 20), (3, 21), (3, 22))
        await until(lambda: copied(app), lambda: str(app.seen))
        assert copied(app) == ["98\nline 99\nline"]
        style = {text.strip(): s for text, s in ((s.text, s.style) for s in app.pane.render_line(21))}
        assert style["line 99"].bgcolor == app.pane.get_component_rich_style("terminal--selected").bgcolor
        await pilot.press("x")
        await until(lambda: not app.pane._spans)


async def test_a_click_selects_nothing() -> None:
    async with pane("sh", "-c", LINES) as (app, pilot, _):
        await shows(app, "the /usr/bin/end")
        await drag(app, pilot, (5, 20), (5, 20))
        await drag(app, pilot, (1, 2), (4, 2))
        await until(lambda: copied(app))
        assert copied(app) == ["ine"]


async def test_double_click_takes_the_word_and_triple_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "CLICK_SECONDS", 30)
    async with pane("sh", "-c", LINES) as (app, pilot, _):
        await shows(app, "the /usr/bin/end")
        for _ in range(3):
            await drag(app, pilot, (9, 23), (9, 23))
        await until(lambda: len(copied(app)) == 2)
        assert copied(app) == ["/usr/bin/end", "the /usr/bin/end"]


async def test_a_drag_beyond_the_edge_goes_on_into_history() -> None:
    async with pane("sh", "-c", LINES) as (app, pilot, _):
        await shows(app, "the /usr/bin/end")
        post = pilot._post_mouse_events
        await post([events.MouseDown], app.pane, offset=(6, 5), button=1)
        app.pane.post_message(
            events.MouseMove(app.pane, 0, -1, 0, 0, 1, False, False, False, screen_x=0, screen_y=-1)
        )
        await until(lambda: app.pane.view.back >= 70, lambda: str(app.pane.view))
        await post([events.MouseUp], app.pane, offset=(0, 0), button=1)
        await until(lambda: copied(app))
        text = copied(app)[0]
        assert text.endswith("\nline 82\nline 83"), text
        assert len(text.splitlines()) > 70
        back = app.pane.view.back
        await pilot.pause(0.2)
        assert app.pane.view.back == back


async def test_what_the_child_tracks_is_its_own_but_with_shift(tmp_path: Path) -> None:
    async with listener(tmp_path, r"\033[?1002h\033[?1006h") as (app, pilot, got):
        await drag(app, pilot, (0, 0), (4, 0))
        await got.until(b"\x1b[<0;1;1M\x1b[<32;5;1M\x1b[<0;5;1m")
        assert copied(app) == []
        await drag(app, pilot, (0, 0), (4, 0), shift=True)
        await until(lambda: copied(app))
        assert copied(app) == ["ready"]
        app.pane.input_enabled = False
        await drag(app, pilot, (1, 0), (2, 0))
        await until(lambda: len(copied(app)) == 2)
        await got.until(b"\x1b[<0;1;1M\x1b[<32;5;1M\x1b[<0;5;1m")


async def test_the_middle_button_pastes_what_was_copied(tmp_path: Path) -> None:
    async with listener(tmp_path, r"\033[?2004h") as (app, pilot, got):
        app.copy_to_clipboard("copied\ntext")
        await pilot._post_mouse_events([events.MouseDown, events.MouseUp], app.pane, offset=(0, 0), button=2)
        await got.until(b"\x1b[200~copied\ntext\x1b[201~")


async def test_a_wide_character_is_highlighted_whole() -> None:
    async with pane("sh", "-c", "printf 'a你b'; sleep 60") as (app, pilot, _):
        await shows(app, "a你b")
        await drag(app, pilot, (0, 0), (1, 0))
        await until(lambda: app.pane._spans)
        strip = app.pane.render_line(0)
        assert strip.text.startswith("a你b") and strip.cell_length == 80
        selected = app.pane.get_component_rich_style("terminal--selected").bgcolor
        assert "".join(s.text for s in strip if s.style.bgcolor == selected) == "a你"
        await until(lambda: copied(app))
        assert copied(app) == ["a你"]
