"""The control room itself: real keys (Textual's Pilot), a real session, questions put to its real gate."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from room_kit import (
    DEFAULT,
    GUARD,
    INSTALL,
    armed,
    ask,
    connect,
    install,
    make_session,
    room,
    text_of,
    until,
    write,
)

from agentgate.actions import Source, Verdict
from agentgate.gate.events import GateLost, Notice
from agentgate.tui.app import ControlRoom
from agentgate.tui.modes import Cover, Mode, Panel

LEADER = "ctrl+right_square_bracket"


def screen_has(app: ControlRoom, *parts: str) -> bool:
    text = text_of(app)
    return all(part in text for part in parts)


# AGENT mode


async def test_every_key_reaches_the_agent_but_the_leader(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", "stty raw -echo; echo ready; exec cat -v")
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "ready" in pane.screen_text(), pilot)
        await pilot.press("a", "d", "q", "escape", "tab", "question_mark", "ctrl+q", "ctrl+c", "ctrl+p", "f1")
        await until(lambda: "^[OP" in pane.screen_text(), pilot)
        assert "".join(pane.screen_text().split()) == "readyadq^[?^Q^C^P^[OP"  # the tab is white
        await pilot.press(LEADER, "x")  # neither of the two is sent
        await pilot.press("z")
        await until(lambda: "^[OPz" in pane.screen_text(), pilot)
        assert screen_has(app, "ctrl+] x means nothing")
        await pilot.press(LEADER, LEADER)
        await until(lambda: "^[OPz^]" in pane.screen_text(), pilot)
        assert app.state.mode is Mode.AGENT


@pytest.mark.parametrize(("key", "verdict"), [("a", Verdict.ALLOW), ("d", Verdict.DENY)])
async def test_the_leader_and_a_key_decide_the_oldest(tmp_path: Path, key: str, verdict: Verdict) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        first, second = (
            ask(session, install("chalk"), INSTALL),
            ask(session, install("left-pad", 4001), INSTALL),
        )
        await armed(app, pilot)
        assert screen_has(app, "? WAIT exec npm install chalk", "2 waiting", "rule 2 (line 8)")
        await pilot.press(LEADER, key)
        answer = await asyncio.wait_for(first, 5)
        assert (answer.verdict, answer.source) == (verdict, Source.OPERATOR)
        await pilot.pause()
        assert not second.done()
        assert app.state.mode is Mode.AGENT
        assert app.focused is app._room.pane
        assert screen_has(app, "1 waiting", "npm install left-pad")


async def test_a_key_typed_right_after_the_leader_never_goes_to_the_agent(tmp_path: Path) -> None:
    """Both keys are in the queue before the first is handled, as when a terminal sends them in one read."""
    session = make_session(tmp_path, "bash", "-c", "stty raw -echo; echo ready; exec cat -v")
    async with room(session) as (app, pilot):
        pane = app._room.pane
        await until(lambda: "ready" in pane.screen_text(), pilot)
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        from textual import events

        app.post_message(events.Key(LEADER, None))
        app.post_message(events.Key("d", "d"))
        app.post_message(events.Key("z", "z"))
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY
        await until(lambda: "z" in pane.screen_text(), pilot)
        assert "d" not in pane.screen_text().replace("ready", "")


async def test_a_key_too_early_decides_nothing_and_says_why(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await until(lambda: app.state.drawn_at is not None, pilot)
        await pilot.press(LEADER, "a")
        pressed_early = not app.state.armed(time.monotonic())
        if pressed_early:  # the machine was fast enough for the test to mean something
            assert not question.done()
            assert screen_has(app, "read it first")
        await armed(app, pilot)
        await pilot.press(LEADER, "a")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.ALLOW


async def test_a_verdict_is_for_what_was_shown_when_the_key_was_pressed(tmp_path: Path) -> None:
    """The oldest question is answered elsewhere while the key is on its way to the app."""
    from textual import events

    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        first, second = ask(session, install("chalk"), INSTALL), ask(session, install("evil", 4001), INSTALL)
        await armed(app, pilot)
        keys = [events.Key(LEADER, None), events.Key("a", "a")]  # stamped with the time of the press
        session.gate.answer(1, Verdict.DENY)
        await until(lambda: app.state.subject and app.state.subject.number == 2, pilot)
        await armed(app, pilot)
        for key in keys:
            app.post_message(key)
        await pilot.pause(0.1)
        assert (await first).verdict is Verdict.DENY
        assert not second.done()


async def test_an_arrival_moves_neither_focus_nor_selection(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        tasks = [ask(session, install("one"), INSTALL), ask(session, install("two", 4001), INSTALL)]
        await until(lambda: len(app.state.asks) == 2, pilot)
        assert app.focused is app._room.pane
        await pilot.press(LEADER, "tab", "j", "3")
        focused = app.focused
        tasks.append(ask(session, connect("api.example:443")))
        await until(lambda: len(app.state.asks) == 3, pilot)
        assert app.focused is focused
        assert (app.state.selected, app.state.panel) == (2, Panel.AUDIT)
        for task in tasks:
            task.cancel()
        await until(lambda: not app.state.asks, pilot)  # withdrawn
        assert app.focused is focused


# CONTROL mode


async def test_control_moves_decides_and_goes_back(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        tasks = [ask(session, install(name, 4000 + n), INSTALL) for n, name in enumerate(("a", "b", "c"))]
        await armed(app, pilot)
        await pilot.press(LEADER, "tab")
        assert screen_has(app, " CONTROL ", "A always")
        assert app._room.pane.input_enabled is False
        await pilot.press("j")
        await armed(app, pilot)
        await pilot.press("d")
        assert (await asyncio.wait_for(tasks[1], 5)).verdict is Verdict.DENY
        await until(lambda: app.state.selected == 3, pilot)
        await armed(app, pilot)
        await pilot.press("a")
        assert (await asyncio.wait_for(tasks[2], 5)).verdict is Verdict.ALLOW
        await pilot.press("escape")
        assert app.state.mode is Mode.AGENT
        assert app._room.pane.input_enabled is True
        assert app.focused is app._room.pane
        assert not tasks[0].done()
        tasks[0].cancel()


async def test_always_shows_the_rule_and_writes_it_before_the_one_that_asked(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "A")
        await until(lambda: app.state.cover is Cover.SHEET, pilot)
        await armed(app, pilot)
        await pilot.pause()
        assert screen_has(app, "npm install chalk", "policy.yaml, before rule 2, line 8", "target_glob")
        assert '- "npm install *"' in text_of(app)
        await pilot.press("enter")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.ALLOW
        await until(lambda: app.state.cover is Cover.NONE, pilot)
        written = (tmp_path / "policy.yaml").read_text()
        assert written.index('"npm install *"') < written.index("# installs are looked at")
        assert "# the project's rules" in written
        assert [rule.decision.value for rule in session.policy.rules] == ["allow", "allow", "ask", "allow"]
        await pilot.press("4")
        await until(lambda: screen_has(app, "2 ✓ allow exec npm install, npm"), pilot)


async def test_an_always_that_cannot_be_written_is_said_and_the_question_stays(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "A")
        await until(lambda: app.state.cover is Cover.SHEET, pilot)
        (tmp_path / "policy.yaml").unlink()
        (tmp_path / "policy.yaml").mkdir()
        await armed(app, pilot)
        await pilot.press("enter")
        await until(lambda: "not written:" in text_of(app), pilot)
        assert not question.done()
        await pilot.press("escape")
        await armed(app, pilot)
        await pilot.press("d")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY


async def test_a_guard_is_never_answered_always(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, write("/home/me/.bashrc"), GUARD)
        await armed(app, pilot)
        await pilot.press(LEADER, "tab")
        assert screen_has(app, "! GUARD fs_write", "guard shell-startup")
        await pilot.press("A")
        await pilot.pause()
        assert app.state.cover is Cover.NONE
        assert screen_has(app, "not always:")
        question.cancel()


async def test_help_is_made_of_the_table_and_can_be_scrolled(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        await pilot.press(LEADER, "tab", "question_mark")
        await until(lambda: screen_has(app, "In AGENT mode, after ctrl+]"), pilot)
        pages = 0
        while not screen_has(app, "When reading this help"):
            await pilot.press("pagedown")
            pages += 1
            assert pages < 30
        await pilot.press("escape")
        await until(lambda: not screen_has(app, "When reading this help"), pilot)
        assert app.state.mode is Mode.CONTROL


async def test_the_policy_panel_shows_rules_and_the_chosen_one_in_full(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await pilot.press(LEADER, "tab", "4")
        await until(
            lambda: screen_has(app, "4 POLICY · policy.yaml", "1 ✓ allow", "default: everything"), pilot
        )
        await pilot.press("j")
        await until(lambda: screen_has(app, "rule 2", "line 8", "every install is looked at"), pilot)
        await pilot.press("G")
        await until(lambda: screen_has(app, "for whatever no rule above"), pilot)


async def test_enter_reads_an_action_or_a_rule_in_full(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    long = "/".join(f"part-{n}" for n in range(120))
    async with room(session, (80, 24)) as (app, pilot):
        question = ask(session, write(f"/{long}/end-of-it"))
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "enter")
        await until(lambda: screen_has(app, "─ action · "), pilot)
        await pilot.press("a", "d")  # nothing is decided while reading
        await pilot.press("pagedown", "pagedown")
        await until(lambda: screen_has(app, "python3 build.py"), pilot)
        assert not question.done()
        await pilot.press("escape", "4", "j", "enter")
        await until(lambda: screen_has(app, "─ rule · ", "every install is looked at"), pilot)
        await pilot.press("enter")
        await until(lambda: not screen_has(app, "─ rule · "), pilot)
        question.cancel()


async def test_a_bad_policy_is_refused_in_sight_and_a_good_one_loaded(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        await pilot.press(LEADER, "tab", "4")
        (tmp_path / "policy.yaml").write_text("default: alow\n")
        await until(lambda: screen_has(app, "policy.yaml:1:10", "not loaded"), pilot)
        assert len(session.policy.rules) == 3
        (tmp_path / "policy.yaml").write_text("default: deny\n")
        await until(lambda: screen_has(app, "✗ deny") and not screen_has(app, "not loaded"), pilot)


async def test_clicks_go_to_control_and_back(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        tasks = [ask(session, install(name, 4000 + n), INSTALL) for n, name in enumerate(("a", "b"))]
        await until(lambda: len(app.state.asks) == 2, pilot)
        await pilot.pause()
        await pilot.click("#queue", offset=(5, 3))  # below the title: two lines for each
        assert (app.state.mode, app.state.panel, app.state.selected) == (Mode.CONTROL, Panel.QUEUE, 2)
        await pilot.click("#agent", offset=(5, 5))
        assert app.state.mode is Mode.AGENT
        assert app.focused is app._room.pane
        await pilot.click("#audit", offset=(5, 2))
        assert (app.state.mode, app.state.panel) == (Mode.CONTROL, Panel.AUDIT)
        for task in tasks:
            task.cancel()


# Sizes


async def test_at_80x24_the_alert_line_says_what_waits(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        assert (app._room.pane.size.width, app._room.pane.size.height) == (80, 21)
        question = ask(session, connect("api.example:443"))
        await armed(app, pilot)
        assert screen_has(app, "? WAIT net_egress api.example:443", "ctrl+] then")
        assert not app._room.queue.display
        await pilot.press(LEADER, "tab")
        await pilot.pause()
        assert app._room.queue.display
        assert screen_has(app, "1 queue", "asked by default", "claude --autonomous")
        assert (app._room.pane.size.width, app._room.pane.size.height) == (80, 21)
        await pilot.press("3")
        await pilot.pause()
        assert not app._room.queue.display
        await pilot.press("a")
        assert not question.done()  # it is not on the screen
        await pilot.press(LEADER)
        await armed(app, pilot)
        await pilot.press(LEADER, "d")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY


async def test_the_agent_learns_of_a_resize_and_the_room_follows(tmp_path: Path) -> None:
    script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.1; done"
    session = make_session(tmp_path, "bash", "-c", script)
    async with room(session, (120, 36)) as (app, pilot):
        await until(lambda: "34 80" in app._room.pane.screen_text(), pilot)
        await pilot.resize_terminal(80, 24)
        await until(lambda: "21 80" in app._room.pane.screen_text(), pilot)
        await pilot.resize_terminal(200, 60)
        await until(lambda: "58 108" in app._room.pane.screen_text(), pilot)
        assert all(panel.display for panel in app._room.panels.values())


# The end


async def test_the_agents_status_is_the_apps_and_its_last_words_are_drawn(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", "sleep 0.3; echo last words; exit 3")
    async with room(session) as (app, pilot):
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value == 3
        assert "last words" in app._room.pane.screen_text()


async def test_the_end_of_the_agent_waits_for_the_question_that_is_left(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", "sleep 0.3; exit 4")
    async with room(session) as (app, pilot):
        question = ask(session, connect("api.example:443"))
        await until(lambda: app.state.status == 4, pilot)
        await armed(app, pilot)
        assert app.return_value is None
        assert screen_has(app, "ended, status 4")
        await pilot.press(LEADER, "d")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value == 4


async def test_quitting_asks_first_then_denies_and_ends_the_agent(tmp_path: Path) -> None:
    session = make_session(tmp_path, "bash", "-c", "echo $$ > pid; exec sleep 60")
    async with room(session) as (app, pilot):
        question = ask(session, connect("api.example:443"))
        await until(lambda: app.state.asks and (tmp_path / "pid").exists(), pilot)
        await pilot.press(LEADER, "q")
        await until(lambda: screen_has(app, "ends the agent", "denies 1 waiting action."), pilot)
        await pilot.press("escape")
        await pilot.pause()
        assert app.return_value is None
        await pilot.press(LEADER, "q", "y")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value in (128 + 1, 128 + 9, 128 + 15)
        pid = int((tmp_path / "pid").read_text())
        assert not Path(f"/proc/{pid}").exists()


async def test_a_lost_gate_is_said_in_red_and_stays(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        session.hub.post(GateLost("the warden ended by signal 9"))
        await until(
            lambda: screen_has(app, "GATE LOST", "the warden ended by signal 9", "ctrl+] q leaves"), pilot
        )
        assert screen_has(app, "gate LOST")
        await pilot.press(LEADER, "q")
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value != 0


async def test_notices_are_shown_as_text_never_as_markup(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        session.hub.post(Notice("[bold red]disk full[/] /tmp", urgent=True))
        await until(lambda: screen_has(app, "[bold red]disk full[/] /tmp"), pilot)


async def test_a_picture_of_the_screen_can_be_saved(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), DEFAULT)
        await armed(app, pilot)
        app.save_svg(tmp_path / "room.svg")
        picture = (tmp_path / "room.svg").read_text()
        assert picture.startswith("<svg")
        assert "chalk" in picture
        question.cancel()


async def test_a_record_that_cannot_be_written_is_said_until_it_can(tmp_path: Path) -> None:
    async with room(make_session(tmp_path)) as (app, pilot):
        question = ask(app.session, install("one"), INSTALL)
        await until(lambda: "gate" in text_of(app) and "DENIES ALL" not in text_of(app), pilot)
        app.session.audit.path.unlink()
        app.session.audit.path.symlink_to(tmp_path / "elsewhere")
        await armed(app, pilot)
        await pilot.press("ctrl+right_square_bracket", "d")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY
        await until(lambda: "gate DENIES ALL" in text_of(app), pilot)
        assert "nothing is allowed until it can" in text_of(app)
        app.session.audit.path.unlink()
        await until(lambda: "DENIES ALL" not in text_of(app), pilot)
        assert not (tmp_path / "elsewhere").exists()
