"""What reaches an operator who looks elsewhere, when, and never more often than told."""

from __future__ import annotations

from pathlib import Path

import pytest
from room_kit import INSTALL, ask, install, make_session, room, until
from textual import events

from agentgate.tui import attention
from agentgate.tui.attention import Attention, Due, notice, title
from agentgate.tui.config import Config, Notifications


def test_title_and_notice_say_how_many_and_are_safe() -> None:
    assert title(2, "claude") == "(2) waiting - agentgate"
    assert title(0, "claude") == "claude - agentgate"
    assert title(3, "claude", ("claude-2", "codex")) == "(3) waiting: claude-2, codex - agentgate"
    assert notice(3, "claude", ("claude-2", "codex")) == "agentgate: 3 actions wait (claude-2, codex)"
    assert notice(1, "claude") == "agentgate: 1 action waits (claude)"
    assert notice(3, "claude") == "agentgate: 3 actions wait (claude)"
    for said in (title(0, "a\x1b]0;x\x07b"), notice(1, "a\x1b]0;x\x07b\u202e"), title(1, "", ("\x07",))):
        assert said.isprintable()


def test_a_noise_is_made_for_what_comes_unseen_and_not_too_often() -> None:
    due = Due(30)
    assert not due.now(0, came=True, waiting=1, focused=True)
    assert not due.now(1, came=False, waiting=1, focused=False)  # it was seen
    assert due.now(2, came=True, waiting=2, focused=False)
    assert not due.now(3, came=True, waiting=3, focused=False)
    assert not due.now(31, came=False, waiting=3, focused=False)
    assert due.now(32, came=False, waiting=3, focused=False)  # what came at 3
    assert not due.now(70, came=False, waiting=3, focused=False)  # once is enough for it
    assert due.now(71, came=True, waiting=4, focused=False)
    assert not due.now(75, came=True, waiting=5, focused=False)
    assert not due.now(76, came=False, waiting=0, focused=False)  # answered by somebody else
    assert not due.now(200, came=False, waiting=0, focused=False)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (Notifications(), ["title", "bell", "osc9"]),
        (Notifications(bell=False), ["title", "osc9"]),
        (Notifications(osc9=False, title=False), ["bell"]),
    ],
)
async def test_what_is_sent_while_the_window_has_not_the_focus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Notifications, wanted: list[str]
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(Attention, "_write", staticmethod(lambda app, sequence: sent.append(sequence)))
    monkeypatch.setattr("agentgate.tui.app.ControlRoom.bell", lambda app: sent.append("bell"))
    session = make_session(tmp_path)
    async with room(session, config=Config(notifications=told)) as (app, pilot):
        sent.clear()
        first = ask(session, install("chalk"), INSTALL)
        await until(lambda: app.state.asks, pilot)
        assert "bell" not in sent  # somebody looks at it
        app.post_message(events.AppBlur())
        await until(lambda: not app.app_focus, pilot)
        second = ask(session, install("left-pad", 4001), INSTALL)
        await until(lambda: len(app.state.asks) == 2, pilot)
        kinds = {"\x1b]2;": "title", "bell": "bell", "\x1b]9;": "osc9"}
        made = [kinds[sequence[:4]] for sequence in sent]
        assert list(dict.fromkeys(made)) == wanted
        if "title" in wanted:
            assert "\x1b]2;(2) waiting - agentgate\x07" in sent
        assert made.count("bell") <= 1
        first.cancel()
        second.cancel()
    assert attention.title(0, "demo")
