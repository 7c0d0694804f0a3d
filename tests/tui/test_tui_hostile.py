"""What the agent writes is text to the room, whatever it holds and however long it is."""

from __future__ import annotations

import asyncio
import re
import time
import unicodedata
from dataclasses import replace
from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from room_kit import INSTALL, ask, install, make_session, room, row_of, text_of, until
from textual.pilot import Pilot

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.answering import Placed, Preview
from agentgate.audit import format as audit_format
from agentgate.audit.record import Record
from agentgate.cli import box
from agentgate.escape import printable
from agentgate.gate.events import Ask, Decided, GateLost, Notice
from agentgate.gate.risk import Level, Risk, Scene
from agentgate.policy.scopes import Scope
from agentgate.policy.spans import Span
from agentgate.tui import bars
from agentgate.tui.agents.roster import Agent
from agentgate.tui.answers.sheet import Sheet
from agentgate.tui.app import ControlRoom
from agentgate.tui.ink import plain
from agentgate.tui.launch import summary
from agentgate.tui.queue.asks import Asks
from agentgate.tui.queue.board import Card, Tree
from agentgate.tui.queue.look import Look
from agentgate.tui.state import State
from agentgate.tui.widgets.detail import About, describe, describe_whole
from agentgate.tui.widgets.queue import Stand, card, header
from agentgate.tui.widgets.record import record_lines, row_line
from agentgate.tui.widgets.sheet import View, sheet_lines

LEADER = "ctrl+right_square_bracket"
PIECES = [
    "\x1b[2J\x1b[H", "\x1b]52;c;YQ==\x07", "\x1b]0;allowed\x07", "\x1bP+q61\x1b\\", "\x9b31m", "\x90", "\x05",
    "\r", "\n", "\t", "\0", "\x7f", "\x85", "\b\b\b", "\u2028", "\u2029",
    "\u202e", "\u202d", "\u2066", "\u2069", "\u200e", "\u061c",
    "\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e", "\u034f", "\ufe0f", "\U000e0100",
    "\u115f", "\u3164", "\uffa0", "\u2800", "\u00a0", "\u3000", "\u2003", "\u1680",
    "\U000e0041\U000e007f", "e" + "\u0301" * 300, "\u20dd", "\u0489", "\ufff9", "\ue000", "\U0010ffff",
    "\udcff", "\udc9b", "\ud800", "[bold red]x[/]", "[@click=app.quit]x[/]", "npm", "你好", "👩‍💻", "🇩🇪",
]  # fmt: skip
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs", "Mn", "Me"}
BLANK = set("\u115f\u1160\u3164\uffa0\u2800")


def strange(text: str) -> set[str]:
    """The characters of ``text`` that are not simply to be seen."""
    return {char for char in text if char != " " and (unicodedata.category(char) in UNSEEN or char in BLANK)}


def action(text: str) -> Action:
    chain = (Process(4000, (text, text), text, 1), Process(3000, (text,), text, 2))
    return Action(Kind.EXEC, text, (text, text), text, chain, text, text, text)


hostile = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join)


@settings(max_examples=200, deadline=None)
@given(hostile, st.sampled_from([16, 40, 80, 200]))
def test_no_line_says_what_cannot_be_seen(text: str, cells: int) -> None:
    ruling = Ruling(Decision.ASK, Source.GUARD, 1, 2, text, text)
    asked = Ask(1, action(text), ruling, 0.0, text)
    answer = Answer(Verdict.DENY, Source.OPERATOR, ruling, text)
    record = Record(0.0, asked.action, ruling, answer, 0, "kernel")
    row = row_of(record)
    entry = row.entry
    assert entry is not None
    other = Ask(2, asked.action._replace(kind=Kind.FS_WRITE), ruling, 0.0, text)
    agents = (Agent(text, lost=text),)
    state = State(asks=Asks((asked, other)), agents=agents, shown=text, policy_error=text)
    tree, shown, _ = state.board.rows
    assert isinstance(tree, Tree) and isinstance(shown, Card)
    risky = About(3, 2, 1, Risk(Level.HIGH, text), Look(text, text, (f"+{text}",), text), text, text)
    scopes = (Scope(text, (text,)), Scope(text, (), text))
    sheet = Sheet(1, Decision.DENY, scopes, 0, past={(text,): text})
    view = View(text, Preview(text, (Placed(1, text, False), Placed(2, text, True))))
    lines = [
        *card(shown, 3.0, Stand(True, True, True, text), Scene(), cells),
        *header(tree, True, cells, text),
        *describe(asked, text, 3.0, "", True, cells, risky),
        *describe_whole(tree, Scene(), "", True, cells, About(agent=text)),
        row_line(row, cells, inside=True),
        *record_lines(entry, cells),
        bars.alert(state, "abcd", cells),
        bars.header(state, bars.Facts(text, "kernel", text, "ab12"), cells),
        *bars.banner(state, cells, 3),
        *sheet_lines(sheet, view, text, True, cells, 20),
        *sheet_lines(replace(sheet, error=text, span=Span.ONCE), view, "", True, cells, 20),
        *sheet_lines(sheet, View(text, Preview(error=text)), "", True, cells, 20),
    ]
    shown = [plain(line) for line in lines]
    shown += box.lines(
        asked, mark="ab12", waiting=2, size=(24, cells), rule=(text,), note=text
    ) + box.lines(asked, mark="ab12", waiting=2, size=(24, cells), note=text)  # fmt: skip
    shown += [audit_format.line(row, today=date.today()), summary(state, Path("/audit"))]
    shown.append(printable(answer.why))
    for line in shown:
        assert not strange(line), repr(line)


@given(hostile, st.none() | st.integers(30, 100))
def test_what_is_escaped_stays_one_text(text: str, limit: int | None) -> None:
    shown = printable(text, limit)
    assert not strange(shown) and printable(shown) == shown
    if limit and len(text) > limit:
        assert " more characters" in shown


async def look_everywhere(app: ControlRoom, pilot: Pilot[int], seen: list[str]) -> None:
    """Every panel and cover of the room, as it stands on the screen."""
    await pilot.press(LEADER)
    for key in "tab enter escape A escape 3 4 enter escape question_mark escape q escape 1 escape".split():
        await pilot.press(key)
        await pilot.pause()
        seen.append(text_of(app))


async def test_no_hostile_text_reaches_the_screen_as_it_is(tmp_path: Path) -> None:
    """In every panel and cover, and in the agent's own terminal."""
    (tmp_path / "hostile").write_bytes("\r\n".join(PIECES).encode("utf-8", "surrogatepass"))
    session = make_session(tmp_path, "sh", "-c", "cat hostile; cat")
    seen: list[str] = []
    async with room(session, (150, 45)) as (app, pilot):
        for start in range(0, len(PIECES), 8):
            for text in ("".join(PIECES[start : start + 8]), " ".join(PIECES[start : start + 8]) + "x" * 300):
                ruling = Ruling(Decision.ASK, Source.RULE, 1, 2, text)
                waiting = ask(session, action(text), ruling)
                answer = Answer(Verdict.DENY, Source.OPERATOR, ruling, text)
                session.hub.post(Decided((Record(0.0, action(text), ruling, answer, 0, "shim"),)))
                session.hub.post(Notice(text, urgent=True))
                await until(lambda: app.state.asks, pilot)
                await asyncio.sleep(0.15)
                seen.append(text_of(app))
                await look_everywhere(app, pilot, seen)
                waiting.cancel()
                await until(lambda: not app.state.asks, pilot)
        session.hub.post(GateLost("".join(PIECES)))
        await until(lambda: app.state.lost, pilot)
        await pilot.pause(0.1)
        seen.append(text_of(app))
    assert len(seen) > 100 and any("[bold red]x[/]" in screen for screen in seen)
    for screen in seen:
        # a terminal shows accents, emoji and icons as its program wrote them: there they stay in their cell
        moving = {char for char in screen if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        assert moving <= {"\n", "\u200d"}, screen
        for row in screen.split("\n"):
            _, edge, panels = row.rpartition("│")
            assert not edge or not strange(panels), repr(row)


async def test_two_megabytes_are_shown_cut_with_their_length(tmp_path: Path) -> None:
    """Of one argument, of a hundred thousand, of as many lines; and the room is no slower for it."""
    session = make_session(tmp_path)
    async with room(session, (150, 45)) as (app, pilot):
        waiting = ask(session, install("x"), INSTALL)
        await until(lambda: app.state.armed(time.monotonic()), pilot)
        begun = time.monotonic()
        await look_everywhere(app, pilot, [])
        usual = time.monotonic() - begun
        waiting.cancel()
        await until(lambda: not app.state.asks, pilot)
        for words in (
            ("sh", "-c", "x" * 2_000_000),
            ("sh", "-c", "line\n" * 400_000),
            ("rm", *("some-file",) * 200_000),
            ("sh", "-c", "\u202e\x1b" * 1_000_000),
        ):
            text = " ".join(words)
            huge = Action(
                Kind.EXEC, text, words, "/p", (Process(4000, words, "/bin/sh", 1),) * 8, "execve", "", text
            )
            waiting = ask(session, huge, INSTALL)
            await until(lambda: app.state.armed(time.monotonic()), pilot)
            seen: list[str] = []
            begun = time.monotonic()
            await look_everywhere(app, pilot, seen)
            assert time.monotonic() - begun < 4 * usual + 2
            assert f"it has {len(text):,} characters" in seen[0]
            await pilot.press(LEADER, "tab", "enter")
            cover = app._overlay._screen
            assert cover
            whole = "".join(plain(line).strip() for line in cover.text.lines).replace(" ", "")
            number = re.search(r"…\d+ more", printable(text, 8192))
            assert number and number[0].replace(" ", "") in whole
            await pilot.press("escape", "escape")
            assert not any(strange(screen) - {"\n"} for screen in seen)
            await until(lambda: app.state.armed(time.monotonic()), pilot)
            begun = time.monotonic()
            await pilot.press(LEADER, "d")
            assert (await asyncio.wait_for(waiting, 5)).verdict is Verdict.DENY
            await until(lambda: not app.state.asks, pilot)
            assert time.monotonic() - begun < 5


def test_a_line_of_the_record_is_cut_too() -> None:
    text = "x" * 2_000_000
    ruling = Ruling(Decision.ASK, Source.DEFAULT)
    record = Record(0.0, action(text), ruling, Answer(Verdict.DENY, Source.OPERATOR, ruling), 0, "shim")
    row = row_of(record)
    begun = time.monotonic()
    for _ in range(100):
        line = audit_format.line(row)
        entry = plain(row_line(row, 100))
    assert time.monotonic() - begun < 5
    assert "more characters" in line and len(line) < 2000 and len(entry) <= 200
