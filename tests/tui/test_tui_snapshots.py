"""The whole screen, as text, against the files in ``snapshots/``: few, so that a change is looked at.

    AGENTGATE_SNAPSHOTS=write python -m pytest tests/tui/test_tui_snapshots.py

writes them anew; ``git diff`` then shows what has changed to the eye. Clocks, ages and the session's mark
stand still.
"""

from __future__ import annotations

import difflib
import os
import time
from pathlib import Path

import pytest
from room_kit import GUARD, INSTALL, ask, connect, install, make_session, room, text_of, until, write

from agentgate.tui import words

LEADER = "ctrl+right_square_bracket"
FOLDER = Path(__file__).parent / "snapshots"

SCENES = {
    "agent-80x24": ((80, 24), ()),
    "queue-80x24": ((80, 24), (LEADER, "tab")),
    "palette-80x24": ((80, 24), (LEADER, "colon", *"theme ag")),
    "agent-160x50": ((160, 50), ()),
    "policy-160x50": ((160, 50), (LEADER, "tab", "4")),
    "zoomed-audit-160x50": ((160, 50), (LEADER, "tab", "3", "z")),
}


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time stands still where it is shown."""
    monkeypatch.setattr(words, "age", lambda seconds: "3s")
    monkeypatch.setattr(words, "clock", lambda unix: "13:20:26")
    monkeypatch.setattr("agentgate.tui.queue.fatigue.Pace.said", lambda pace, now: "")


@pytest.mark.parametrize("name", SCENES)
async def test_the_screen_is_as_it_was(tmp_path: Path, still: None, name: str) -> None:
    size, keys = SCENES[name]
    session = make_session(tmp_path, "bash", "-c", "printf 'the agent works\\n'; exec sleep 60")
    session.mark = "a1b2"
    async with room(session, size) as (app, pilot):
        await until(lambda: "the agent works" in app._room.pane.screen_text(), pilot)
        waiting = [
            ask(session, install("chalk"), INSTALL),
            ask(session, write("/home/me/.bashrc", 4001), GUARD),
            ask(session, connect("api.example:443", 4002)),
        ]
        await until(lambda: len(app.state.asks) == 3, pilot)
        await pilot.press(*keys)
        if app.state.subject is not None:
            await until(lambda: app.state.armed(time.monotonic()), pilot)
        last, same = "", 0
        while same < 3:  # what is found out in the meantime is there
            await pilot.pause(0.15)
            shown = text_of(app)
            last, same = shown, same + 1 if shown == last else 0
        for task in waiting:
            task.cancel()
    text = "\n".join(line.rstrip() for line in last.replace(str(tmp_path), "/project").splitlines()) + "\n"
    file = FOLDER / f"{name}.txt"
    if os.environ.get("AGENTGATE_SNAPSHOTS") == "write":
        file.write_text(text, encoding="utf-8")
        return
    before = file.read_text(encoding="utf-8")
    changed = "\n".join(
        difflib.unified_diff(before.splitlines(), text.splitlines(), "was", "is", lineterm="")
    )
    assert text == before, f"\n{changed}\n(AGENTGATE_SNAPSHOTS=write writes what is shown now)"
