"""Puts the cover that the state asks for over the room, and keeps what it says true."""

from __future__ import annotations

from typing import Any

from textual.app import App

from agentgate.policy.suggest import Draft
from agentgate.session import Session
from agentgate.tui import bars, checks
from agentgate.tui.commands import Context
from agentgate.tui.modes import Cover
from agentgate.tui.palette import palette_lines
from agentgate.tui.room import Room
from agentgate.tui.state import State
from agentgate.tui.widgets import covers
from agentgate.tui.widgets.detail import describe
from agentgate.tui.widgets.files import back_lines, diff_lines
from agentgate.tui.widgets.health import Health, health_lines

__all__ = ["Overlay"]

_TITLES = {
    Cover.HELP: "keys",
    Cover.ACTION: "action",
    Cover.RULE: "rule",
    Cover.SHEET: "allow always",
    Cover.QUIT: "leave?",
    Cover.HEALTH: "what holds here",
    Cover.PASTE: "paste this?",
    Cover.LINK: "open this link?",
    Cover.PALETTE: "all commands",
    Cover.DIFF: "changed",
    Cover.BACK: "take back?",
}


class Overlay:
    """``draft`` is the rule that the sheet shows, and that its ``enter`` writes; ``health`` what was found
    out of this machine."""

    def __init__(self, app: App[Any], room: Room, session: Session) -> None:
        self._app = app
        self._room = room
        self._session = session
        self._screen: covers.Cover | None = None
        self.draft: Draft | None = None
        self.health = Health()

    def show(self, state: State, now: float) -> None:
        if state.cover is Cover.NONE:
            if self._screen is not None:
                self._screen = None
                self._app.pop_screen()
            return
        if self._screen is None:
            self._screen = covers.Cover()
            self._app.push_screen(self._screen)
        self._screen.title_is(f"{_TITLES[state.cover]} · {self._session.mark}")
        chosen: int | None = None
        cells = covers.cells(state.width)
        ask = state.ask(state.selected)
        if state.cover is Cover.HELP:
            lines = covers.help_lines(state.keys, cells, state.sought)
        elif state.cover is Cover.PALETTE and state.prompt is not None:
            lines, chosen = palette_lines(state, state.prompt.text, cells), state.choice
        elif state.cover is Cover.HEALTH:
            lines = health_lines(self.health, self._session.gate_kind, cells)
        elif state.cover is Cover.RULE:
            lines = self._room.policy.in_full(cells)
        elif state.cover is Cover.ACTION and ask is not None:
            lines = describe(ask, self._session.may_always(ask), now, None, False, cells)
        elif state.cover is Cover.DIFF:
            lines = diff_lines(self._room.files.compared, self._room.files.diff, cells)
        elif state.cover is Cover.BACK:
            key = state.keys.key_of(Context.BACK, "confirm-back")
            lines = back_lines(self._room.files.wanted, state.running > 0, key, cells)
        elif state.check is not None:
            lines = checks.lines(
                state.check, state.hint.text if state.hint else "", state.checked(now), cells
            )
        elif state.cover is Cover.QUIT:
            lines = covers.quit_lines(state.running, len(state.asks), cells)
        else:
            hint = state.hint.text if state.hint else ""
            lines = covers.sheet_lines(self._sheet(state), state.sheet_error, hint, state.armed(now), cells)
        prompt = bars.prompt(state.prompt, state.width) if state.prompt else None
        self._screen.show(lines, state.width, state.height, prompt, chosen)

    def move(self, how: str) -> None:
        if self._screen is not None:
            self._screen.text.move(how)

    def _sheet(self, state: State) -> covers.Sheet:
        """What the sheet says of the draft: its rule as it will stand, and where."""
        ask = state.ask(state.sheet)
        if ask is None or self.draft is None:
            return covers.Sheet("", (), "")
        file = self._session.policy_file
        place = file.label if file.path else f"a new {file.new_path.name}, a copy of the {file.label}"
        rule, line = ask.ruling.rule, ask.ruling.line
        if rule:
            place += f", before rule {rule}" + (f", line {line}" if line else "")
        else:
            place += ", behind the last rule"
        return covers.Sheet(ask.action.target, tuple(self.draft.to_yaml(0)), place)
