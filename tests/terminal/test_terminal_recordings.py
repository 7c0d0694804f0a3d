"""What real programs write, and the two ways in which agents draw: the screen is the one that tmux shows.

``record.py`` says how the recordings were made.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from redraws import FRAMES, in_tens

from agentgate.tui.terminal.vt import Vt

pytestmark = pytest.mark.timeout(30)

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.json"))


def steps(path: Path) -> list[tuple[bytes, list[str]]]:
    """What was written, and the screen after it."""
    kept: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    if path.stem in FRAMES:
        outs = in_tens(path.stem)
    else:
        outs = [step["out"].encode("utf-8", "surrogateescape") for step in kept]
    return list(zip(outs, (step["screen"] for step in kept), strict=True))


class Shown:
    """A terminal whose frames are put together to a whole screen, as the pane does."""

    def __init__(self) -> None:
        self.vt = Vt(24, 80)
        self.rows: dict[int, str] = {}

    def lines(self) -> list[str]:
        self.rows |= {y: "".join(text for text, _ in runs) for y, runs in self.vt.frame().rows.items()}
        return [self.rows[y].rstrip() for y in range(24)]


def test_there_are_recordings_of_each() -> None:
    assert {path.stem for path in RECORDINGS} == {"vim", "less", "htop", "ink", "ratatui"}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_screen_is_as_tmux_shows_it(path: Path) -> None:
    shown = Shown()
    for n, (out, screen) in enumerate(steps(path)):
        shown.vt.feed(out)
        assert shown.lines() == screen, f"step {n}"


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_it_makes_no_difference_how_the_bytes_come_and_what_is_drawn_between(path: Path, size: int) -> None:
    shown = Shown()
    for n, (out, screen) in enumerate(steps(path)):
        for at in range(0, len(out), size):
            shown.vt.feed(out[at : at + size])
            if size > 1:
                shown.lines()
        assert shown.lines() == screen, f"step {n}"
