"""Pastes and links that are asked about, in the room: what is shown, what a key does, and when it counts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from room_kit import make_session, room, text_of, until
from textual import events

from agentgate.tui import checks
from agentgate.tui.app import ControlRoom
from agentgate.tui.config import load
from agentgate.tui.ink import plain
from agentgate.tui.inputs import Pressed
from agentgate.tui.keys.commands import LEADER, Context
from agentgate.tui.modes import Cover
from agentgate.tui.prompt import Prompt
from agentgate.tui.state import Check, State
from agentgate.tui.step import step

pytestmark = pytest.mark.timeout(60)

PASTE = Check(Cover.PASTE, "a\x1b[201~\nb", ("it contains a control character",))


def shown(check: Check, drawn_at: float = 10.0) -> State:
    state = step(State(), checks.Checked(check), 9.0).state
    return step(state, checks.CheckDrawn(check), drawn_at).state


def test_a_yes_counts_once_it_was_read() -> None:
    early = step(shown(PASTE), Pressed("y"), 10.4)
    assert early.effects == () and early.state.cover is Cover.PASTE
    assert early.state.hint and "read it first" in early.state.hint.text
    undrawn = step(step(State(), checks.Checked(PASTE), 9.0).state, Pressed("y"), 20.0)
    assert undrawn.effects == ()
    (go,) = step(shown(PASTE), Pressed("y"), 10.5).effects
    assert isinstance(go, checks.Go) and go.check.text == PASTE.text


@pytest.mark.parametrize("key", ["escape", "n", "q"])
def test_a_no_does_nothing(key: str) -> None:
    state, effects = (
        step(shown(PASTE), Pressed(key), 10.1).state,
        step(shown(PASTE), Pressed(key), 10.1).effects,
    )
    assert effects == ()
    assert state.cover is Cover.NONE and state.check is None and state.agent_has_keys


def test_other_keys_do_nothing_and_are_not_the_agents() -> None:
    state = shown(PASTE)
    assert state.context is Context.CHECK
    for key in ("enter", "a", "d", "A", LEADER, "x"):
        after = step(state, Pressed(key), 20.0)
        assert after.effects == () and after.state.cover is Cover.PASTE


@pytest.mark.parametrize("busy", [{"cover": Cover.HELP}, {"prompt": Prompt("history", "search")}])
def test_nothing_is_asked_over_something_else(busy: dict[str, object]) -> None:
    state = replace(State(), **busy)
    after = step(state, checks.Checked(PASTE), 9.0).state
    assert after.check is None and after.hint and "nothing was pasted" in after.hint.text
    assert step(after, checks.CheckDrawn(PASTE), 10.0).state.check is None


def test_all_of_it_is_shown_escaped() -> None:
    lines = [plain(line) for line in checks.lines(PASTE, "", True, 60)]
    assert lines[0] == "! it contains a control character"
    assert "│ a\\x1b[201~" in lines and "│ b" in lines
    assert lines[-1] == "y paste it   esc do not paste"
    long = Check(Cover.LINK, "https://example.org/" + "a" * 500)
    text = "".join(plain(line) for line in checks.lines(long, "", True, 60))
    assert text.count("a") > 500
    many = Check(Cover.PASTE, "x\n" * 9000)
    assert any(plain(line) == "… 8500 more lines" for line in checks.lines(many, "hm", False, 60))


async def test_a_paste_with_control_characters_asks_once(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", "stty raw -echo; printf ready; exec cat > got")
    async with room(session) as (app, pilot):
        await until(lambda: "ready" in app._room.pane.screen_text(), pilot)
        app.post_message(events.Paste("evil\x1b[201~\u202e"))
        await until(lambda: "paste this?" in text_of(app), pilot)
        screen = text_of(app)
        assert session.mark in screen
        assert "evil\\x1b[201~\\u202e" in screen
        await pilot.press("n")
        await until(lambda: "not pasted" in text_of(app), pilot)
        app.post_message(events.Paste("two\nlines"))
        await until(lambda: "2 lines may be run" in text_of(app), pilot)
        await until(lambda: app.state.check and app.state.check.drawn_at, pilot)
        await pilot.pause(0.55)
        await pilot.press("y")
        await until(lambda: (tmp_path / "got").read_bytes() == b"two\rlines", pilot)
        await pilot.press("z")
        await until(lambda: (tmp_path / "got").read_bytes() == b"two\rlinesz", pilot)


async def test_a_link_is_opened_by_the_operator_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "xdg-open").write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    (tools / "xdg-open").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    link = r"\033]8;;%s\033\\%s\033]8;;\033\\\r\n"
    script = f"printf '{link}' file:///etc/passwd bad https://evil.example/ good.example; printf ready; cat"
    session = make_session(tmp_path, "bash", "-c", script)
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "ready" in pane.screen_text(), pilot)
        await pilot._post_mouse_events([events.MouseDown], pane, offset=(1, 0), button=1, control=True)
        await until(lambda: "only http and https links are: file:///etc/passwd" in text_of(app), pilot)
        await pilot.press(LEADER, "left_square_bracket", "k", "enter")
        await until(lambda: "open this link?" in text_of(app), pilot)
        assert "https://evil.example/" in text_of(app)
        await until(lambda: app.state.check and app.state.check.drawn_at, pilot)
        await pilot.pause(0.55)
        await pilot.press("y")
        await until(lambda: (tmp_path / "opened").exists(), pilot)
        assert (tmp_path / "opened").read_text() == "https://evil.example/\n"
        await pilot.press("j", "o")
        await until(lambda: "there is no link here" in text_of(app), pilot)


async def test_the_agent_sets_the_clipboard_only_where_it_may(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("agent_clipboard = true\n")
    session = make_session(tmp_path, "bash", "-c", r"printf '\033]52;c;aGVsbG8=\033\\'; cat")
    app = ControlRoom(session, load(tmp_path / "config.toml"))
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            await until(lambda: "the agent set the clipboard (5 characters)" in text_of(app), pilot)
            assert app.clipboard == "hello"
    finally:
        await session.close()


async def test_what_the_agent_notifies_of_is_said_as_its_word(tmp_path: Path) -> None:
    script = r"printf '\033]9;your password?\033\\\033]52;c;aGVsbG8=\033\\'; cat"
    async with room(make_session(tmp_path, "bash", "-c", script)) as (app, pilot):
        await until(lambda: "clipboard (5 characters): it was not done" in text_of(app), pilot)
        assert app.clipboard == ""
    session = make_session(tmp_path, "bash", "-c", r"printf '\033]9;your password?\033\\'; cat")
    async with room(session) as (app, pilot):
        await until(lambda: "the agent says: your password?" in text_of(app), pilot)
