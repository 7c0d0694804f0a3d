"""Puts the cover that the state asks for over the room, and keeps what it says true."""

from __future__ import annotations

from typing import Any

from textual.app import App

from agentgate.intent.patience import Patience
from agentgate.policy import scopes
from agentgate.session import Session
from agentgate.tui import bars, checks
from agentgate.tui.answers.standing import standing_lines
from agentgate.tui.ink import Line
from agentgate.tui.keys.commands import Context
from agentgate.tui.keys.palette import palette_lines
from agentgate.tui.modes import Cover
from agentgate.tui.policy.whatif import WhatIf
from agentgate.tui.queue.showing import about
from agentgate.tui.room import Room
from agentgate.tui.state import State
from agentgate.tui.widgets import covers
from agentgate.tui.widgets.detail import describe
from agentgate.tui.widgets.editor import Editor
from agentgate.tui.widgets.files import back_lines, diff_lines
from agentgate.tui.widgets.health import Health, health_lines
from agentgate.tui.widgets.record import record_lines
from agentgate.tui.widgets.sheet import View, sheet_lines

__all__ = ["Overlay"]

_TITLES = {
    Cover.HELP: "keys",
    Cover.ACTION: "action",
    Cover.RULE: "rule",
    Cover.SHEET: "an answer for longer",
    Cover.ANSWERS: "answers that hold",
    Cover.RECORD: "record",
    Cover.QUIT: "leave?",
    Cover.END: "end the agent?",
    Cover.HEALTH: "what holds here",
    Cover.PASTE: "paste this?",
    Cover.LINK: "open this link?",
    Cover.PALETTE: "all commands",
    Cover.DIFF: "changed",
    Cover.BACK: "take back?",
}


class Overlay:
    """``health`` is what was found out of this machine; ``patience`` how long the agent waits for its
    commands, if that is known. ``editor`` is the open cover that takes text."""

    def __init__(self, app: App[Any], room: Room, session: Session) -> None:
        self._app = app
        self._room = room
        self._session = session
        self._screen: covers.Cover | None = None
        self._previewed: tuple[tuple[int, str], View] | None = None
        self.editor: Editor | None = None
        self._whatif: WhatIf | None = None
        self.health = Health()
        self.patience: Patience | None = None

    def show(self, state: State, now: float) -> None:
        if self.editor is not None:
            self.editor.waiting(len(state.asks))
            return
        if state.cover is Cover.NONE:
            self._previewed = None
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
        elif state.cover is Cover.RECORD and self._room.audit.shown is not None:
            lines = record_lines(self._room.audit.shown, cells)
        elif state.cover is Cover.ACTION and ask is not None:
            extra = about(state, ask, now, self.patience, self._session.timeout)
            lines = describe(ask, self._session.may_always(ask), now, None, False, cells, extra)
        elif state.cover is Cover.END:
            lines = covers.end_lines(len(state.targets), state.armed(now), cells)
        elif state.cover is Cover.DIFF:
            lines = diff_lines(self._room.files.compared, self._room.files.diff, cells)
        elif state.cover is Cover.ANSWERS:
            key = state.keys.key_of(Context.ANSWERS, "take-back")
            lines, chosen = standing_lines(state, key, cells)
        elif state.cover is Cover.BACK:
            key = state.keys.key_of(Context.BACK, "check-yes")
            hint = state.hint.text if state.hint else ""
            lines = back_lines(
                self._room.files.wanted, state.running > 0, key, hint, state.checked(now), cells
            )
        elif state.check is not None:
            lines = checks.lines(
                state.check, state.hint.text if state.hint else "", state.checked(now), cells
            )
        elif state.cover is Cover.QUIT:
            lines = covers.quit_lines(state.running, len(state.asks), cells)
        else:
            lines = self._sheet(state, now, cells)
        prompt = bars.prompt(state.prompt, state.width) if state.prompt else None
        self._screen.show(lines, state.width, state.height, prompt, chosen)

    def trying(self) -> WhatIf:
        """What tries policies; the same one again, for what it remembers."""
        if self._whatif is None:
            self._whatif = WhatIf(self._session)
        return self._whatif

    def open(self, editor: Editor) -> None:
        """Put a cover over the room that takes text; the state has to say so too."""
        self.editor = editor
        self._app.push_screen(editor)

    def close_editor(self) -> None:
        if self.editor is not None:
            self.editor = None
            self._app.pop_screen()

    def move(self, how: str) -> None:
        if self._screen is not None:
            self._screen.text.move(how)

    def _sheet(self, state: State, now: float, cells: int) -> list[Line]:
        """The sheet's choices, and what the chosen one would write, which is found out once for each."""
        sheet = state.sheet
        ask = state.ask(sheet.number) if sheet else None
        if sheet is None or ask is None:
            return []
        if self._previewed is None or self._previewed[0] != (sheet.number, sheet.choice):
            draft = scopes.draft(ask.action, sheet.decision, sheet.targets)
            preview = self._session.answering.preview(ask, draft, sheet.span)
            self._previewed = (sheet.number, sheet.choice), View(ask.action.target, preview)
        hint = state.hint.text if state.hint else ""
        rows = state.height - 4 - (state.prompt is not None)
        return sheet_lines(sheet, self._previewed[1], hint, state.armed(now), cells, rows)
