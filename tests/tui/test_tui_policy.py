"""The policy panel: what it knows of the rules, and the keys that change them, each written at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from dataclasses import replace
from pathlib import Path

from room_kit import (
    INSTALL,
    POLICY,
    ask,
    connect,
    install,
    make_session,
    room,
    text_of,
    until,
)
from textual.pilot import Pilot

from agentgate.actions import Decision, Kind, Ruling, Source, Verdict
from agentgate.policy.findings import Findings
from agentgate.policy.load import load_text
from agentgate.policy.model import Rule
from agentgate.policy.shadow import shadows
from agentgate.tui.app import ControlRoom
from agentgate.tui.ink import plain, width
from agentgate.tui.policy.lines import Known, default_line, rule_in_full, rule_line
from agentgate.tui.seen import Seen

LEADER = "ctrl+right_square_bracket"

RULE = Rule(3, 12, Kind.EXEC, ("npm install*", "npm ci"), "make *", Decision.ASK, None, "look")


# Lines


def test_a_rule_is_one_line_with_its_marks_and_hits_at_the_right() -> None:
    known = Known(Findings({3: 1}), {3: 1204}, frozenset())
    line = rule_line(RULE, known, 100)
    assert plain(line).startswith(" 3 ? ask   exec       npm install*, npm ci  within make *  look")
    assert plain(line).endswith("≡ shadowed by 1  1,204×")
    for cells in (20, 44, 64, 100):
        assert width(rule_line(RULE, known, cells)) <= cells
    assert "≡ by 1 1,204×" in plain(rule_line(RULE, known, 44))
    off = plain(rule_line(replace(RULE, disabled=True), Known(Findings({3: 1})), 100))
    assert "○ off" in off and "shadowed" not in off
    assert "† expired" in plain(rule_line(RULE, Known(expired=frozenset({3})), 100))


def test_a_rule_in_full_says_what_is_known_of_it() -> None:
    policy = load_text(
        "rules:\n- {decision: allow}\n- {match: {action: exec, target_glob: ls}, decision: deny}\n"
        "tests:\n- {action: exec, target: ls, expect: deny}\n",
        "p",
    )
    from agentgate.policy.findings import examine
    from agentgate.policy.match import Context

    known = Known(examine(policy, Context("/p", "/h")), {1: 7, 2: 0, 0: 2})
    lines = [plain(line) for line in rule_in_full(policy.rules[0], policy, known, 90)]
    assert any("7 in this session" in line for line in lines)
    assert any("✗ p:5: exec ls: expected deny, got allow" in line for line in lines)
    lines = [plain(line) for line in rule_in_full(policy.rules[1], policy, known, 90)]
    assert any("shadowed by rule 1 [allow any action]" in line for line in lines)
    assert "2×" in plain(default_line(policy, known, 60))
    assert shadows(policy, Context("/p", "/h")) == {2: 1}


def test_a_key_counts_for_what_was_seen_long_enough() -> None:
    seen = Seen()
    assert seen.look("a") and not seen.look("a")
    assert not seen.armed(99.0, 0.5)
    seen.drawn("b", 1.0)
    seen.drawn("a", 2.0)
    assert not seen.armed(2.49, 0.5) and seen.armed(2.5, 0.5)
    seen.drawn("a", 9.0)
    assert seen.armed(2.5, 0.5)
    assert seen.look("b") and not seen.armed(99.0, 0.5)


# The panel


def has(app: ControlRoom, *parts: str) -> bool:
    text = text_of(app)
    return all(part in text for part in parts)


async def in_panel(app: ControlRoom, pilot: Pilot[int]) -> None:
    await pilot.press(LEADER, "tab", "4")
    await until(lambda: has(app, "4 POLICY · ") and app._room.policy._has_keys, pilot)


async def ready(app: ControlRoom, pilot: Pilot[int]) -> None:
    """Wait until a key counts for the chosen rule."""
    panel = app._room.policy
    await until(lambda: panel.armed(app.session.policy, time.monotonic(), app.state.arm), pilot)


async def test_hits_marks_and_failing_tests_are_shown(tmp_path: Path) -> None:
    yesterday = dt.date.today() - dt.timedelta(days=1)
    session = make_session(
        tmp_path,
        policy=POLICY
        + '  - match: {action: exec, target_glob: "make *"}\n    decision: deny\n'
        + f"  - match: {{action: fs_write}}\n    decision: deny\n    until: {yesterday}\n"
        + "tests:\n  - {action: exec, target: make it, expect: deny}\n",
    )
    async with room(session, (200, 60)) as (app, pilot):
        await in_panel(app, pilot)
        await pilot.press("z")
        await until(lambda: has(app, "≡ shadowed by 3", "† expired", "✗ 1 test", "✗ 1 failing test"), pilot)
        questions = [ask(session, install(name, 4000 + n), INSTALL) for n, name in enumerate("ab")]
        other = ask(session, connect("a.example:443"), Ruling(Decision.ASK, Source.DEFAULT))
        await until(lambda: len(app.state.asks) == 3, pilot)
        for asked in app.state.asks:
            session.gate.answer(asked.number, Verdict.DENY)
        await asyncio.gather(*questions, other)
        await until(lambda: has(app, "2×", "1×"), pilot)
        row = next(line for line in text_of(app).splitlines() if "? ask" in line and "npm install*" in line)
        assert "2×" in row
        await pilot.press("j")
        await ready(app, pilot)
        await pilot.press("K")
        await until(lambda: session.policy.rules[0].targets == ("npm install*",), pilot)
        row = next(line for line in text_of(app).splitlines() if "? ask" in line and "npm install*" in line)
        assert row.strip().startswith("1 ") and "2×" in row


async def test_keys_move_switch_remove_and_undo_each_written_at_once(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    file = tmp_path / "policy.yaml"
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await ready(app, pilot)
        await pilot.press("J", "J")  # the rule stays under the cursor: no new wait
        assert [rule.targets for rule in session.policy.rules] == [("npm install*",), (), ("git status*",)]
        assert load_text(file.read_text(), "p").rules[2].targets == ("git status*",)
        await until(lambda: has(app, "rule 2 moved to 3; u takes it back"), pilot)
        assert app._room.policy.list.cursor == 2
        await pilot.press("J")
        await until(lambda: has(app, "rule 3 is the last one"), pilot)
        await pilot.press("K")
        await until(lambda: session.policy.rules[1].targets == ("git status*",), pilot)
        await pilot.press("space")
        await until(lambda: session.policy.rules[1].disabled, pilot)
        assert "disabled: true" in file.read_text()
        await until(lambda: has(app, "○ off"), pilot)
        await pilot.press("space")
        await until(lambda: not session.policy.rules[1].disabled, pilot)
        await pilot.press("x")
        await until(lambda: len(session.policy.rules) == 2, pilot)
        assert "git status" not in file.read_text()
        await pilot.press("delete")  # another rule came under the cursor just now
        await until(lambda: has(app, "read it first"), pilot)
        assert len(session.policy.rules) == 2
        for _ in range(6):
            await until(lambda: app._room.policy.undo_armed(time.monotonic(), app.state.arm), pilot)
            await pilot.press("u")
        assert file.read_text() == POLICY
        assert [rule.number for rule in session.policy.rules] == [1, 2, 3]
        await until(lambda: has(app, "taken back: rule 1 moved to 2"), pilot)
        await until(lambda: app._room.policy.undo_armed(time.monotonic(), app.state.arm), pilot)
        await pilot.press("u")
        await until(lambda: has(app, "nothing to take back"), pilot)


async def test_a_change_is_held_against_the_recorded_past(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session, (160, 50)) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await until(lambda: app.state.asks, pilot)
        session.gate.answer(app.state.asks[0].number, Verdict.DENY)
        await question
        log = session.settings.audit
        await until(lambda: log.exists() and b"npm install" in log.read_bytes(), pilot)
        await in_panel(app, pilot)
        await pilot.press("j")
        await ready(app, pilot)
        await pilot.press("J")  # below the rule that allows every command
        await until(
            lambda: has(app, "rule 2 moved to 3; 1 of 1 recorded action is decided otherwise; u takes"), pilot
        )


async def test_a_key_is_for_the_rule_that_was_shown_when_it_was_pressed(tmp_path: Path) -> None:
    from textual import events

    session = make_session(tmp_path)
    file = tmp_path / "policy.yaml"
    async with room(session) as (app, pilot):
        await in_panel(app, pilot)
        await ready(app, pilot)
        key = events.Key("x", "x")  # stamped with the time of the press
        above = POLICY.replace("rules:\n", "rules:\n  - decision: deny\n")
        file.write_text(above)
        await until(lambda: len(app._room.policy.list.policy.rules) == 4, pilot)
        app.post_message(key)
        await until(lambda: len(session.policy.rules) == 3, pilot)
        assert [rule.targets for rule in session.policy.rules] == [(), ("npm install*",), ()]
        await ready(app, pilot)
        key = events.Key("x", "x")
        instead = file.read_text().replace("npm install*", "yarn*")
        file.write_text(instead)
        await until(lambda: session.policy.rules[1].targets == ("yarn*",), pilot)
        await ready(app, pilot)
        app.post_message(key)
        await until(lambda: has(app, "read it first"), pilot)
        assert file.read_text() == instead


async def test_an_edit_that_cannot_be_made_is_said_and_changes_nothing(tmp_path: Path) -> None:
    text = "rules: [\n  {decision: ask}, # one\n  {decision: deny} # two\n]\n"
    session = make_session(tmp_path, policy=text)
    async with room(session, (80, 24)) as (app, pilot):
        await in_panel(app, pilot)
        await ready(app, pilot)
        await pilot.press("x")
        await until(lambda: has(app, "nothing was changed", "do it by hand"), pilot)
        await pilot.press("G", "x")
        await until(lambda: has(app, "the default is no rule"), pilot)
        assert (tmp_path / "policy.yaml").read_text() == text and len(session.policy.rules) == 2


async def test_the_first_change_of_the_built_in_default_makes_the_copy(tmp_path: Path) -> None:
    session = make_session(tmp_path, policy=None)
    async with room(session, (80, 24)) as (app, pilot):
        await in_panel(app, pilot)
        await until(lambda: has(app, "built-in default"), pilot)
        await ready(app, pilot)
        await pilot.press("space")
        await until(lambda: (tmp_path / "policy.yaml").exists(), pilot)
        await until(lambda: has(app, "4 POLICY · policy.yaml"), pilot)
        assert session.policy.rules[0].disabled
        await until(lambda: app._room.policy.undo_armed(time.monotonic(), app.state.arm), pilot)
        await pilot.press("u")
        await until(lambda: not (tmp_path / "policy.yaml").exists(), pilot)
        await until(lambda: has(app, "4 POLICY · built-in default"), pilot)
