"""The sheet, and the keys whose answers hold longer: as values, and in the real room with real keys."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from room_kit import (
    GUARD,
    INSTALL,
    POLICY,
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
from textual.pilot import Pilot

from agentgate.actions import Answer, Decision, Kind, Source, Verdict
from agentgate.answering import Placed, Preview, _placed
from agentgate.audit.record import Record
from agentgate.policy.scopes import Scope
from agentgate.policy.spans import Span
from agentgate.tui.answers.remembering import globs
from agentgate.tui.answers.sheet import TYPED, Sheet
from agentgate.tui.app import ControlRoom
from agentgate.tui.ink import Line, plain, width
from agentgate.tui.modes import Cover
from agentgate.tui.widgets.sheet import View, sheet_lines

LEADER = "ctrl+right_square_bracket"
SCOPES = (
    Scope("exactly this command line", ("npm ci",)),
    Scope("npm ci, whatever follows", (), "too wide"),
    Scope("npm, whatever its arguments", ("npm", "npm *")),
)
SHEET = Sheet(1, Decision.ALLOW, SCOPES, 0)


# As values


def test_a_scope_that_is_not_offered_is_stepped_over() -> None:
    assert SHEET.moved(1).at == 2 and SHEET.moved(1).moved(1).at == 2
    assert SHEET.moved(-1).at == 0 and SHEET.moved(1).moved(-1).at == 0


def test_what_is_typed_is_one_scope_more_and_replaces_what_was_typed_before() -> None:
    typed = SHEET.with_typed(("npm c*",))
    assert (typed.scopes[-1].label, typed.targets) == (TYPED, ("npm c*",))
    assert len(typed.with_typed(("npm d*",)).scopes) == 4
    assert typed.with_typed(("npm", "npm *")).at == 2  # it stands there already


def test_every_choice_is_another_thing_under_the_keys() -> None:
    choices = {SHEET.choice, SHEET.moved(1).choice, SHEET.lasting(Span.DAY).choice}
    assert len(choices) == 3


def test_a_typed_command_with_anything_behind_it_is_one_without_too() -> None:
    assert globs("npm ci *", Kind.EXEC) == ("npm ci", "npm ci *")
    assert globs("* *", Kind.EXEC) == ("* *",)
    assert globs("/a *", Kind.FS_WRITE) == ("/a *",)


def test_the_place_begins_with_the_rules_own_dash() -> None:
    rule = ["  - match:", "      action: exec", "    decision: allow"]
    old = ["rules:", *rule[:2], "    decision: deny"]
    new = ["rules:", *rule, *rule[:2], "    decision: deny"]
    assert [line.number for line in _placed(old, new) if line.new] == [2, 3, 4]
    assert [line.number for line in _placed(old, [*old, *rule]) if line.new] == [5, 6, 7]
    globs = ["  - match:", "      target_glob:", '        - "b"', "    decision: ask"]
    above = ["rules:", "  - match:", "      target_glob:"]
    new = [*above, '        - "a"', "    decision: allow", "  - match:", "      target_glob:", *globs[2:]]
    assert [line.number for line in _placed(["rules:", *globs], new) if line.new] == [2, 3, 4, 5]
    assert [line.number for line in _placed(["rules: [a]"], ["rules: [a, b]"]) if line.new] == [1]


def lines_of(sheet: Sheet, cells: int = 70, rows: int = 20) -> list[Line]:
    placed = [Placed(number, f"line {number}", 4 <= number <= 8) for number in range(1, 30)]
    return sheet_lines(sheet, View("npm ci", Preview("policy.yaml", tuple(placed))), "", True, cells, rows)


def test_the_sheet_fits_a_small_screen_and_shows_what_stands_around() -> None:
    lines = lines_of(SHEET)
    assert len(lines) <= 20 and all(width(line) <= 70 for line in lines)
    text = "\n".join(map(plain, lines))
    for part in ("allows npm ci", "● exactly this", "not offered: too wide", "counting…", "5[always]"):
        assert part in text
    shown = [f" line {number}\n" in f"{text}\n" for number in (1, 2, 3, 4, 8, 9, 10, 11)]
    assert shown == [False, *[True] * 6, False]
    assert len(lines_of(SHEET, rows=60)) == len(lines)


def test_a_short_answer_names_no_file() -> None:
    text = "\n".join(map(plain, lines_of(SHEET.lasting(Span.SESSION))))
    assert "no file is written" in text and "policy.yaml" not in text and "enter remember it, allow" in text


# In the room


def screen_has(app: ControlRoom, *parts: str) -> bool:
    text = text_of(app)
    return all(part in text for part in parts)


async def open_sheet(app: ControlRoom, pilot: Pilot[int], key: str) -> None:
    await armed(app, pilot)
    await pilot.press(LEADER, "tab", key)
    await until(lambda: app.state.cover is Cover.SHEET, pilot)


async def test_s_allows_for_the_session_and_settles_what_is_like_it(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        first = ask(session, install("chalk"), INSTALL)
        other, strange = ask(session, install("left-pad", 4001), INSTALL), ask(session, write("/srv/x"))
        await until(lambda: len(app.state.asks) == 3, pilot)
        await pilot.press(LEADER, "tab", "s")  # too early: it was not shown for long enough
        assert not first.done() and screen_has(app, "read it first")
        await armed(app, pilot)
        await pilot.press("s")
        assert (await first).source is Source.OPERATOR
        assert (await other).source is Source.SESSION
        await until(
            lambda: screen_has(app, "allow exec npm install", "for this session; u takes it back"), pilot
        )
        assert not strange.done()
        assert (tmp_path / "policy.yaml").read_text() == POLICY
        await pilot.press("u")
        await until(lambda: screen_has(app, "the answer no longer holds: allow exec npm install"), pilot)
        assert session.answering.remembered == ()
        await pilot.press("u")
        await until(lambda: screen_has(app, "nothing is taken back"), pilot)
        strange.cancel()


async def test_t_allows_to_the_process_and_what_it_starts(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        first = ask(session, write("/srv/x", 4100))
        sibling = ask(session, write("/srv/x", 4101))
        await armed(app, pilot)
        await pilot.press(LEADER, "tab", "t")
        assert (await first).verdict is Verdict.ALLOW
        (answer,) = session.answering.remembered
        assert answer.process and answer.process.pid == 4100 and answer.rule.targets == ("/srv/x",)
        await until(lambda: screen_has(app, "for pid 4100 (python3 build.py) and what it starts"), pilot)
        assert not sibling.done()
        sibling.cancel()


async def test_guards_refuse_and_say_why_and_no_always_hides_it(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, write("/home/me/.bashrc"), GUARD)
        await armed(app, pilot)
        await pilot.press(LEADER, "tab")
        assert "session" not in text_of(app).splitlines()[-1]
        for key in ("s", "t", "A"):
            await armed(app, pilot)
            await pilot.press(key)
            await until(lambda: app.state.hint and "guard shell-startup" in app.state.hint.text, pilot)
            assert not question.done() and app.state.cover is Cover.NONE
        await pilot.press("D")  # a guard may be closed for good
        await until(lambda: app.state.cover is Cover.SHEET, pilot)
        await pilot.press("escape")
        question.cancel()
    session = make_session(tmp_path, always=False)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        await pilot.press(LEADER, "tab")
        assert "always" not in text_of(app).splitlines()[-1]
        for key in ("s", "t", "A", "D"):
            await armed(app, pilot)
            await pilot.press(key)
            await until(lambda: app.state.hint and "--no-always" in app.state.hint.text, pilot)
        assert not question.done() and session.answering.remembered == ()
        question.cancel()


async def test_the_sheet_says_what_each_scope_would_have_matched(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        for package in ("chalk", "left-pad", "ms"):
            question = ask(session, install(package), INSTALL)
            await armed(app, pilot)
            await pilot.press(LEADER, "a" if package == "chalk" else "d")
            await question
        await until(lambda: session.audit.written >= 3, pilot)
        question = ask(session, install("chalk"), INSTALL)
        await open_sheet(app, pilot, "A")
        await until(lambda: "counting" not in text_of(app), pilot)
        rows = text_of(app).splitlines()
        assert any("○ exactly this command line" in row and "1 event" in row for row in rows)
        assert any(
            "● npm install, whatever follows" in row and "3 events, 2 of them you denied" in row
            for row in rows
        )
        question.cancel()


async def test_scope_and_duration_are_chosen_with_keys_and_the_rule_stands_at_its_place(
    tmp_path: Path,
) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        question = ask(session, connect("registry.example.org:443"))
        await open_sheet(app, pilot, "A")
        assert screen_has(app, "● registry.example.org, port 443 only", "behind the last rule")
        assert screen_has(app, '"registry.example.org:443"', "5[always]", "enter", "esc")
        await pilot.press("j", "down")
        await pilot.pause()
        assert screen_has(app, "● example.org and everything below it", '- ".example.org"')
        await pilot.press("k")
        assert app.state.sheet and app.state.sheet.targets == ("registry.example.org",)
        for key, span in (
            ("tab", Span.ONCE),
            ("right", Span.SESSION),
            ("left", Span.ONCE),
            ("4", Span.DAY),
            ("3", Span.HOUR),
        ):
            await pilot.press(key)
            assert app.state.sheet.span is span
        await pilot.pause()
        assert screen_has(app, "until: 20")
        await pilot.press("enter")  # the choice has just changed
        await pilot.pause()
        assert not question.done() and screen_has(app, "read it first")
        await armed(app, pilot)
        await pilot.press("enter")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.ALLOW
        rule = session.policy.rules[-1]
        assert rule.targets == ("registry.example.org",) and rule.until is not None
        await until(lambda: screen_has(app, "u takes it back"), pilot)
        await pilot.press("u")
        await until(lambda: screen_has(app, "policy.yaml is as it was before"), pilot)
        assert (tmp_path / "policy.yaml").read_text() == POLICY
        assert len(session.policy.rules) == 3


@pytest.mark.parametrize(("keys", "span"), [(("1",), Span.ONCE), (("2",), Span.SESSION)])
async def test_a_short_answer_from_the_sheet_writes_no_file(
    tmp_path: Path, keys: tuple[str, ...], span: Span
) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await open_sheet(app, pilot, "D")
        await pilot.press(*keys)
        await until(lambda: screen_has(app, "denies npm install chalk", "no file is written"), pilot)
        await armed(app, pilot)
        await pilot.press("enter")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY
        assert len(session.answering.remembered) == (1 if span is Span.SESSION else 0)
        assert (tmp_path / "policy.yaml").read_text() == POLICY


async def test_d_writes_a_rule_that_denies_before_the_one_that_asked(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await open_sheet(app, pilot, "D")
        await until(
            lambda: screen_has(app, "policy.yaml, before rule 2", "decision: deny", "# installs are"), pilot
        )
        await armed(app, pilot)
        await pilot.press("enter")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY
        assert session.policy.rules[1].decision is Decision.DENY


async def test_the_glob_is_typed_and_checked_while_one_types(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await open_sheet(app, pilot, "A")
        await pilot.press("e")
        await until(lambda: app.state.prompt, pilot)
        assert app.state.prompt and app.state.prompt.text == "npm install *"
        await pilot.press("ctrl+u", "asterisk")
        await until(lambda: screen_has(app, "it covers every command"), pilot)
        await pilot.press("enter")  # not taken
        await pilot.pause()
        assert (
            app.state.prompt
            and app.state.sheet
            and app.state.sheet.targets == ("npm install", "npm install *")
        )
        await pilot.press("backspace", *"npm", "space", "x")
        await until(lambda: screen_has(app, "it does not cover this action"), pilot)
        await pilot.press("backspace", *"in*", "enter")
        await until(lambda: app.state.prompt is None, pilot)
        await until(lambda: screen_has(app, "● as you typed it", '"npm in*"'), pilot)
        await armed(app, pilot)
        await pilot.press("enter")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.ALLOW
        assert session.policy.rules[1].targets == ("npm in*",)


async def test_what_is_typed_goes_with_the_question(tmp_path: Path) -> None:
    """Answered elsewhere while one types: the sheet and its line close, the other question is another."""
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        first, second = ask(session, install("chalk"), INSTALL), ask(session, write("/srv/x"))
        await open_sheet(app, pilot, "A")
        await pilot.press("e")
        await until(lambda: app.state.prompt, pilot)
        session.gate.answer(1, Verdict.DENY)
        await first
        await until(lambda: app.state.cover is Cover.NONE and app.state.prompt is None, pilot)
        await pilot.press("enter")
        assert not second.done() and (tmp_path / "policy.yaml").read_text() == POLICY
        second.cancel()


def test_a_record_of_a_timeout_is_no_deny_of_yours() -> None:
    """The count beside a scope says what *you* denied."""
    from agentgate.audit.past import Past
    from agentgate.policy.match import Context
    from agentgate.policy.suggest import suggest

    late = Record(1.0, install("x"), INSTALL, Answer(Verdict.DENY, Source.TIMEOUT, INSTALL), 1, "kernel")
    assert Past([late]).matching(suggest(install("x")), Context("/p", "/h", {})).words == "1 event"


async def test_the_time_stops_for_what_is_looked_at(tmp_path: Path) -> None:
    session = make_session(tmp_path, timeout=4.0)
    async with room(session) as (app, pilot):
        first, second = ask(session, install("chalk"), INSTALL), ask(session, write("/srv/x"))
        await until(lambda: len(app.state.asks) == 2, pilot)
        await pilot.press(LEADER, "tab")
        await until(lambda: app.state.looked_at == (1,), pilot)
        await until(lambda: screen_has(app, "s left", "stopped"), pilot)
        assert (await asyncio.wait_for(second, 10)).source is Source.TIMEOUT
        await asyncio.sleep(0.5)
        assert not first.done()
        await pilot.press("escape")  # back in AGENT mode nobody reads it
        assert (await asyncio.wait_for(first, 10)).source is Source.TIMEOUT
        assert (tmp_path / "policy.yaml").read_text() == POLICY


async def test_the_answers_that_hold_are_listed_and_taken_back_one_by_one(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        await pilot.press(LEADER, "tab", "S")
        await until(lambda: screen_has(app, "no answer holds"), pilot)
        await pilot.press("escape")
        for action, key in ((install("chalk"), "s"), (write("/srv/x"), "t")):
            question = ask(session, action)
            await until(lambda: app.state.asks, pilot)
            await armed(app, pilot)
            await pilot.press(key)
            await question
        await pilot.press("S")
        await until(lambda: app.state.cover is Cover.ANSWERS, pilot)
        await pilot.pause()
        rows = [row for row in text_of(app).splitlines() if "✓ allow" in row and ":" in row]
        assert any("fs_write /srv/x" in row and "for pid 4100" in row for row in rows)
        assert any("exec npm install" in row and "for this session" in row for row in rows)
        await pilot.press("j", "x")
        await until(lambda: len(app.state.standing) == 1, pilot)
        assert [answer.rule.targets for answer in session.answering.remembered] == [("/srv/x",)]
        await pilot.press("k", "delete")
        await until(lambda: screen_has(app, "no answer holds"), pilot)
        assert session.answering.remembered == ()
        await pilot.press("S")
        await until(lambda: app.state.cover is Cover.NONE, pilot)
