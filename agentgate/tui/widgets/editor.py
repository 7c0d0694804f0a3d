"""A cover that takes text: what the form, the text of the policy and the operator's own editor share.

The app takes only the keys of ``commands.py`` for it (`State.takes`); all others go to the widget that has
the focus.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import TextArea

from agentgate.tui.widgets.boxed import Boxed

__all__ = ["Editor"]


class Editor(Boxed, inherit_bindings=False):
    """``refusal`` is why the last attempt to save failed."""

    DEFAULT_CSS = """
    Editor Input, Editor TextArea { background: $panel; color: $foreground; border: none; padding: 0; }
    Editor Input { height: 1; }
    """

    def __init__(self, title: str, keys: str) -> None:
        super().__init__()
        self._box = Vertical()
        self._box.border_title = title
        self._said_keys = keys
        self._box.border_subtitle = keys
        self._waits = 0
        self._warned = False

    def compose(self) -> ComposeResult:
        yield self._box

    @property
    def dirty(self) -> bool:
        """Whether something would be lost by closing."""
        return False

    def may_close(self) -> bool:
        """Whether nothing would be lost, or the operator asked for it twice."""
        if not self.dirty or self._warned:
            return True
        self._warned = True
        self._box.border_subtitle = "not written: esc again drops it · ctrl+s writes it"
        return False

    def waiting(self, count: int) -> None:
        """So many questions wait behind this cover."""
        if count != self._waits:
            self._waits = count
            said = f"{count} waiting · " if count else ""
            self._box.border_subtitle = said + self._said_keys

    def refuse(self, why: str, line: int | None = None, column: int | None = None) -> None:
        """Say why nothing was written, and where in the text that is."""

    def on_key(self, event: events.Key) -> None:
        """The keys that lead from one field to the next."""
        area = isinstance(self.focused, TextArea)
        if event.key == "tab" or (event.key in ("down", "enter") and not area):
            self.focus_next()
        elif event.key == "shift+tab" or (event.key == "up" and not area):
            self.focus_previous()
        else:
            return
        event.stop()
        event.prevent_default()
