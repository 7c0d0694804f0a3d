"""A line that is typed into our own frame: its editing, what its end does, and that no letter of it acts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from room_kit import INSTALL, armed, ask, install, make_session, room, text_of, until
from textual import events

from agentgate.actions import Verdict
from agentgate.tui import bars
from agentgate.tui.ink import plain, width
from agentgate.tui.inputs import Pasted, Pressed
from agentgate.tui.keys.commands import Context
from agentgate.tui.modes import Mode
from agentgate.tui.prompt import LONGEST, Prompt, insert, type_key
from agentgate.tui.purposes import PURPOSES, Purpose
from agentgate.tui.state import Hint, State
from agentgate.tui.step import step
from agentgate.tui.steps import Step

OPEN = Prompt("test", "filter")


def typing(prompt: Prompt, *keys: str) -> Prompt:
    for key in keys:
        after = type_key(prompt, key)
        assert after is not None, key
        prompt = after
    return prompt


@pytest.mark.parametrize(
    ("keys", "text", "at"),
    [
        ("n p m", "npm", 3),
        ("n p m left x", "npxm", 3),
        ("a b home c", "cab", 1),
        ("a b left left left right d end e", "adbe", 4),
        ("a b backspace backspace backspace", "", 0),
        ("a b left delete", "a", 1),
        ("a b ctrl+a ctrl+k", "", 0),
        ("a b left ctrl+u", "b", 0),
    ],
)
def test_the_keys_of_a_line(keys: str, text: str, at: int) -> None:
    typed = typing(OPEN, *keys.split())
    assert (typed.text, typed.at) == (text, at)


def test_words_are_jumped_over_and_taken_away() -> None:
    line = replace(OPEN, text="npm install left-pad")
    assert typing(line, "ctrl+left").at == 12
    assert typing(line, "ctrl+left", "ctrl+left", "ctrl+right").at == 11
    assert typing(line, "ctrl+w").text == "npm install "
    assert typing(line, "ctrl+w", "ctrl+w").text == "npm "


def test_what_no_line_has_is_left_out() -> None:
    assert insert(OPEN, "a\x1b[31m\tb\u202e\r\nc").text == "a[31mb c"
    assert len(insert(OPEN, "x" * 9000).text) == LONGEST
    assert type_key(OPEN, "f5") is None
    assert type_key(OPEN, "ctrl+x", "\x18") is None
    assert typing(OPEN, "a").text == "a"
    assert type_key(OPEN, "question_mark", "?") == replace(OPEN, text="?", cursor=None)


@pytest.mark.parametrize("cells", [8, 20, 40, 80, 200])
@pytest.mark.parametrize("text", ["", "short", "界" * 300, "x" * 300])
@pytest.mark.parametrize("cursor", [None, 0, 3])
def test_the_line_fits_and_shows_its_cursor(cells: int, text: str, cursor: int | None) -> None:
    line = bars.prompt(Prompt("test", "note", text, cursor, hint="what the agent reads"), cells)
    assert width(line) <= cells
    if cells >= 20:
        assert [ink for _, ink in line].count(bars.Ink.CURSOR) == 1


def test_an_error_is_said_beside_the_text_until_it_changes() -> None:
    wrong = Prompt("test", "glob", "[", error="no end of [")
    assert "no end of [" in plain(bars.prompt(wrong, 80))
    assert typing(wrong, "left").error
    assert not typing(wrong, "x").error


@pytest.fixture
def purpose() -> Iterator[list[tuple[str, str]]]:
    """A purpose that writes down what it is told."""
    said: list[tuple[str, str]] = []

    def note(word: str) -> Purpose:
        def doing(state: State, prompt: Prompt, now: float) -> Step:
            said.append((word, prompt.text))
            return Step(replace(state, hint=Hint(f"{word} {prompt.text}", now)))

        return doing  # type: ignore[return-value]

    PURPOSES["test"] = Purpose(note("entered"), note("changed"), note("closed"), {"down": note("down")})  # type: ignore[arg-type]
    yield said
    del PURPOSES["test"]


def test_enter_takes_it_escape_closes_it_and_every_change_is_told(purpose: list[tuple[str, str]]) -> None:
    state = State(mode=Mode.CONTROL, prompt=OPEN)
    assert state.context is Context.PROMPT
    for event in (Pressed("a"), Pasted("bc\nd"), Pressed("left"), Pressed("down"), Pressed("enter")):
        state = step(state, event, 1.0).state
    assert state.prompt is None
    assert purpose == [("changed", "a"), ("changed", "abc d"), ("down", "abc d"), ("entered", "abc d")]
    state = step(replace(state, prompt=OPEN), Pressed("escape"), 1.0).state
    assert state.prompt is None
    assert purpose[-1] == ("closed", "")


async def test_no_letter_of_it_decides_and_afterwards_keys_count_anew(
    tmp_path: Path, purpose: list[tuple[str, str]]
) -> None:
    session = make_session(tmp_path)
    async with room(session, (80, 24)) as (app, pilot):
        question = ask(session, install("chalk"), INSTALL)
        await armed(app, pilot)
        await pilot.press("ctrl+right_square_bracket", "tab")
        await armed(app, pilot)
        app.state = replace(app.state, prompt=OPEN)
        app.show()
        await pilot.press("a", "d", "A")
        app.post_message(events.Paste(" pasted"))
        await until(lambda: "adA pasted" in text_of(app), pilot)
        assert not question.done()
        await pilot.press("enter")
        assert purpose[-1] == ("entered", "adA pasted")
        drawn = app.state.drawn_at
        assert drawn is None or not app.state.armed(drawn + 0.4)
        await armed(app, pilot)
        await pilot.press("d")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.DENY
