"""The keys of the audit view, in the real room over the session's real log."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from room_kit import connect, install, make_session, room, text_of, until, write

from agentgate.actions import Action
from agentgate.policy.spans import Span
from agentgate.session import Session
from agentgate.tui.app import ControlRoom
from agentgate.tui.keys.commands import LEADER
from agentgate.tui.modes import Cover
from agentgate.tui.record.browse import Place
from agentgate.tui.record.look import Look
from agentgate.tui.record.recounting import export

TO_AUDIT = (LEADER, "tab", "3", "z")  # on the whole screen


def decide(session: Session, *actions: Action) -> None:
    """Decisions that the gate makes on its own: denies, on record."""
    for action in actions:
        session.gate.refuse(action, "shim", "not in this test")


def shows(app: ControlRoom, *texts: str, without: str = "") -> Callable[[], bool]:
    def holds() -> bool:
        screen = text_of(app)
        return all(text in screen for text in texts) and not (without and without in screen)

    return holds


async def test_slash_filters_as_one_types_and_escape_takes_it_back(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        decide(session, connect("evil.example:443"), install("chalk"), write("/home/me/x"))
        await pilot.press(*TO_AUDIT)
        await until(shows(app, "evil.example:443", "npm install chalk", "/home/me/x"), pilot)
        await pilot.press("slash", *"host", "colon", *"evil")
        assert app.state.look.filter == "host:evil"
        await until(shows(app, "nothing fits", "/host:evil · 0"), pilot)  # a host is not a piece of one
        await pilot.press("full_stop", *"example")
        await until(shows(app, "/host:evil.example · 1", "✗", without="chalk"), pilot)
        await pilot.press("enter")
        assert app.state.prompt is None and app.state.look.filter == "host:evil.example"
        await pilot.press("slash", "ctrl+u", *"since", "colon", *"soon")
        assert app.state.prompt and "not a time: 'soon'" in app.state.prompt.error
        assert app.state.look.filter == "since"  # the last that meant something
        await pilot.press("enter")
        assert app.state.prompt and app.state.prompt.error  # and it is not taken
        await pilot.press("escape")
        assert app.state.prompt is None and app.state.look.filter == "host:evil.example"
        await pilot.press("slash", "ctrl+u", "enter")
        await until(shows(app, "npm install chalk", "/home/me/x"), pilot)


async def test_f_stays_and_follows(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await pilot.press(*TO_AUDIT)
        decide(session, *(connect(f"host-{n}:1") for n in range(40)))
        await until(shows(app, "host-39:1"), pilot)
        await pilot.press("f")
        assert not app._room.audit.following and "stays here" in text_of(app)
        decide(session, connect("later:1"))
        await until(lambda: app._room.audit.rows() == 41, pilot)
        await pilot.pause(0.2)
        assert "later:1" not in text_of(app)
        await pilot.press("f")
        await until(shows(app, "later:1"), pilot)
        await pilot.press("k")
        assert not app._room.audit.following
        await pilot.press("j")
        assert app._room.audit.following


async def test_t_groups_by_call_and_enter_opens_groups_and_records(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        decide(session, install("chalk"), write("/home/me/x"), write("/home/me/y"), connect("a.example:1"))
        await pilot.press(*TO_AUDIT, "t")
        await until(shows(app, "▸", "python3 build.py  2 decisions, 2 denied", without="/home/me/x"), pilot)
        panel = app._room.audit
        await until(lambda: panel.cursor is not None, pilot)
        await pilot.press("g")
        while not (panel._source and (group := panel._source.item(panel.cursor or 0).group)) or (
            group.name != "python3 build.py"
        ):
            await pilot.press("j")
        await pilot.press("enter")
        await until(shows(app, "▾", "/home/me/x", "/home/me/y"), pilot)
        await pilot.press("j", "enter")
        assert app.state.cover is Cover.RECORD
        await until(shows(app, "verdict", "✗ deny by gate", "openat", "claude --autonomous"), pilot)
        await pilot.press("escape", "t")
        await until(shows(app, "npm install chalk", "/home/me/x", without="▾"), pilot)


@pytest.mark.parametrize(("key", "decision"), [("r", "allow"), ("R", "deny")])
async def test_r_makes_a_rule_of_a_record_that_nobody_waits_for(
    tmp_path: Path, key: str, decision: str
) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        decide(session, connect("evil.example:443"))
        await pilot.press(*TO_AUDIT)
        await until(lambda: app._room.audit.chosen is not None, pilot)
        before = session.policy_file.text()
        await pilot.press(key, "enter")  # at once: it was not read yet
        assert app.state.cover is Cover.SHEET
        await pilot.pause()
        assert session.policy_file.text() == before
        await until(lambda: app.state.armed(time.monotonic()), pilot)
        assert "evil.example:443" in text_of(app)
        await pilot.press("1")
        await until(lambda: app.state.armed(time.monotonic()), pilot)
        await pilot.press("enter")  # once: there is nobody to be answered
        await until(lambda: app.state.sheet and "nothing waits here" in app.state.sheet.error, pilot)
        assert session.policy_file.text() == before
        await pilot.press(str(list(Span).index(Span.ALWAYS) + 1))
        await until(lambda: app.state.armed(time.monotonic()), pilot)
        await pilot.press("enter")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        text = (tmp_path / "policy.yaml").read_text()
        assert "evil.example:443" in text and f"decision: {decision}" in text.split("evil.example")[1]
        assert session.gate.decider.rule(connect("evil.example:443")).decision == decision


async def test_r_refuses_what_is_masked(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        decide(session, install("x")._replace(target="curl https://user:hunter2@a.example/"))
        await pilot.press(*TO_AUDIT)
        await until(lambda: app._room.audit.chosen is not None, pilot)
        await pilot.press("r")
        assert app.state.cover is Cover.NONE and app.state.hint and "is masked" in app.state.hint.text


async def test_w_shows_the_whole_log(tmp_path: Path) -> None:
    first = make_session(tmp_path)
    async with room(first) as (_app, pilot):
        decide(first, connect("before:1"))
        await until(lambda: first.audit.written == 1, pilot)
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        decide(session, connect("now:1"))
        await pilot.press(*TO_AUDIT)
        await until(shows(app, "now:1", without="before:1"), pilot)
        await pilot.press("w")
        await until(shows(app, "now:1", "before:1", "whole log"), pilot)
        await pilot.press("w")
        await until(shows(app, "now:1", without="before:1"), pilot)


async def test_e_writes_what_is_filtered_and_overwrites_nothing(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        decide(session, connect("a.example:1"), connect("b.example:1"), install("chalk"))
        await pilot.press(*TO_AUDIT, "slash", *"net", "enter")
        await until(shows(app, "/net · 2"), pilot)
        (tmp_path / "audit-export.jsonl").write_text("mine")
        await pilot.press("e", "enter")
        await until(lambda: app.state.prompt and "is there already" in app.state.prompt.error, pilot)
        assert (tmp_path / "audit-export.jsonl").read_text() == "mine"
        await pilot.press("ctrl+u", *"out", "enter")
        await until(shows(app, "2 records written to"), pilot)
        out = tmp_path / "out"
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert [json.loads(line)["target"] for line in out.read_text().splitlines()] == [
            "a.example:1",
            "b.example:1",
        ]
        written = set(session.audit.path.read_bytes().splitlines(keepends=True))
        assert set(out.read_bytes().splitlines(keepends=True)) < written  # as they stand there


def test_an_export_that_cannot_be_ended_leaves_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    from room_kit import INSTALL

    from agentgate.actions import Answer, Source, Verdict
    from agentgate.audit.record import Record

    made = Record(1.0, install("x"), INSTALL, Answer(Verdict.ALLOW, Source.RULE, INSTALL), 0, "shim")
    log.write_bytes(made.to_line(session="s", agent="a", number=1) * 5)
    place = Place(log, "s", 0)
    with pytest.raises(InterruptedError):
        export(tmp_path / "out", Look(), place, lambda: False)
    os.symlink(tmp_path / "elsewhere", tmp_path / "link")
    with pytest.raises(OSError):
        export(tmp_path / "link", Look(), place, lambda: True)
    with pytest.raises(FileNotFoundError):
        export(tmp_path / "no" / "out", Look(), place, lambda: True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "log"]
    assert export(tmp_path / "out", Look(), place, lambda: True) == 5
