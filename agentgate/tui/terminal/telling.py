"""What a terminal pane says to whoever holds it, and how often: at most as often as it can be read.

A view that only gets further from the end is told four times a second, what the agent's programs want every
five seconds, everything else as it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING, Final, cast

from textual.timer import Timer

from agentgate.tui.terminal import messages
from agentgate.tui.terminal.listen import Wishes
from agentgate.tui.terminal.mouse import MouseCanvas
from agentgate.tui.terminal.view import View

if TYPE_CHECKING:
    from agentgate.tui.terminal.pane import TerminalPane

__all__ = ["TellingCanvas"]

_VIEW_SECONDS: Final = 0.25
_WISH_SECONDS: Final = 5.0
"""Least time between two messages about what the agent wants; what is between is counted only."""


class TellingCanvas(MouseCanvas):
    """A canvas that posts what happened on it, as `messages` of the pane that it is a part of."""

    PaneMessage = messages.PaneMessage
    Leader = messages.Leader
    Bell = messages.Bell
    Closed = messages.Closed
    TitleChanged = messages.TitleChanged
    InputDropped = messages.InputDropped
    ViewChanged = messages.ViewChanged
    Copied = messages.Copied
    PasteHeld = messages.PasteHeld
    LinkPicked = messages.LinkPicked
    Noted = messages.Noted
    ClipboardWanted = messages.ClipboardWanted

    @dataclass
    class _Told:
        """What the messages were last posted for, and when those of the agent's wishes were."""

        title: str = ""
        bells: int = 0
        view: View = field(default_factory=View)
        wishes: Wishes = field(default_factory=Wishes)
        wishes_at: float = -_WISH_SECONDS

    def __init__(self, scrollback: int, name: str | None, id: str | None, classes: str | None) -> None:
        super().__init__(scrollback, name, id, classes)
        self._told = self._Told()
        self._view_timer: Timer | None = None
        self._wish_timer: Timer | None = None

    @property
    def _pane(self) -> TerminalPane:
        """Itself: nothing else is made of this."""
        return cast("TerminalPane", self)

    def _selected(self, text: str) -> None:
        self.post_message(self.Copied(self._pane, text))

    def _picked(self, address: str) -> None:
        self.post_message(self.LinkPicked(self._pane, address))

    def _draw(self) -> None:
        if self.visible:
            super()._draw()
        self._tell()

    def _tell(self) -> None:
        told, vt = self._told, self._vt
        if told.bells != vt.bells:
            told.bells = vt.bells
            self.post_message(self.Bell(self._pane))
        if told.title != vt.title:
            told.title = vt.title
            self.post_message(self.TitleChanged(self._pane, vt.title))
        if vt.wishes != told.wishes and self._wish_timer is None and self.is_running:
            wait = told.wishes_at + _WISH_SECONDS - monotonic()
            if wait > 0:
                self._wish_timer = self.set_timer(wait, self._tell_wishes)
            else:
                self._tell_wishes()
        if self.view == told.view or self._view_timer is not None or not self.is_running:
            return
        if replace(self.view, back=told.view.back) == told.view and self.view.back and told.view.back:
            # only the distance to the end: it changes with every line of output
            self._view_timer = self.set_timer(_VIEW_SECONDS, self._tell_view)
        else:
            self._tell_view()

    def _tell_wishes(self) -> None:
        self._wish_timer = None
        told, wishes = self._told, self._vt.wishes
        if notes := wishes.notes - told.wishes.notes:
            self.post_message(self.Noted(self._pane, wishes.note, notes - 1))
        if wishes.clipboards != told.wishes.clipboards:
            self.post_message(self.ClipboardWanted(self._pane, wishes.clipboard))
        told.wishes, told.wishes_at = wishes, monotonic()

    def _tell_view(self) -> None:
        self._view_timer = None
        self._told.view = self.view
        self.post_message(self.ViewChanged(self._pane, self.view))
