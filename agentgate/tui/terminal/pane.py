"""The pane that shows the agent's terminal and hands it what the operator types.

All keys go to the agent but one, the leader, which belongs to the control room. How it is drawn is `canvas`'
business, what the mouse does `mouse`'s, what is read and selected `reading`'s, and what is told `telling`'s.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Final

from textual import events
from textual.reactive import reactive

from agentgate.pty import Pty
from agentgate.tui.terminal.feeder import Feeder
from agentgate.tui.terminal.keys import KeyPress, key_press
from agentgate.tui.terminal.paste import concerns
from agentgate.tui.terminal.telling import TellingCanvas
from agentgate.tui.terminal.view import Reads

__all__ = ["TerminalPane"]

_RESIZE_DELAY: Final = 0.05
_EARLY_MAX: Final = 4096  # bytes of type-ahead


class TerminalPane(TellingCanvas):
    """A terminal on a `Pty` whose child somebody else has started.

    The leader key is posted as `Leader` and not sent. The next key is not sent either: it bubbles, as
    it is, behind that message, for the screen to act upon (`send_leader` if it is the leader again).
    """

    leader: reactive[str] = reactive("ctrl+right_square_bracket", repaint=False)
    """The key that is not the agent's, by Textual's name."""
    input_enabled: reactive[bool] = reactive(True, repaint=False)
    """Whether keys, mouse and paste go to the agent. If not, keys bubble."""
    leader_pending: reactive[bool] = reactive(False, repaint=False)
    """Whether the leader was pressed, so that the next key is the control room's."""

    def __init__(
        self,
        *,
        scrollback: int = 10_000,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(scrollback, name, id, classes)
        self._pty: Pty | None = None
        self._early: bytearray | None = bytearray()  # typed before there is a terminal to type into
        self._feeder: Feeder | None = None
        self._resize_timer: asyncio.TimerHandle | None = None
        self._fitted = (0, 0)

    # The terminal

    def attach(self, pty: Pty) -> None:
        """Show ``pty`` from now on, and give it this pane's size. The pane must be mounted; it never
        closes the pty. RuntimeError when it shows one already."""
        if not self.is_mounted:
            raise RuntimeError("a TerminalPane must be mounted before it is attached")
        if self._feeder is not None:
            raise RuntimeError("this TerminalPane shows a terminal already")
        self._pty = pty
        self._apply_size()
        self._feeder = Feeder(pty, self._vt, self._pacer.soon, self._ended)
        early, self._early = self._early, None
        if early:
            self._send(bytes(early))

    def detach(self) -> None:
        """Let go of the pty, if there is one; its last screen stays. Returns when nothing reads it."""
        feeder, self._feeder, self._pty = self._feeder, None, None
        if feeder is not None:
            feeder.stop()
            self._draw()

    def bring(self, seen: bool, rows: int, cols: int) -> None:
        """Have the pane in view or not, where it has (or would have) so many ``rows`` and ``cols``. Out of
        view the terminal keeps that size, though the widget has none, and nothing is drawn."""
        moved, resized = seen != self.visible, (rows, cols) != self._fitted
        self.visible, self._fitted = seen, (rows, cols)
        if seen and moved:
            self._pacer.soon()
        elif not seen and resized:
            self.on_resize()

    @property
    def _takes_input(self) -> bool:
        return self.input_enabled

    # Reading

    def scroll_history(self, rows: int) -> None:
        """Scroll by ``rows``; a negative number goes back."""
        self._reading.scroll(rows)
        self._pacer.soon()

    def scroll_to_live(self) -> None:
        """Show the live screen again, and read no more: nothing stays selected or searched."""
        self._reading.stop()
        self._pacer.soon()

    def read(self, what: Reads | None = None) -> None:
        """Begin to read with keys, or do ``what`` a key of that means."""
        if not self._reading.on:
            self._reading.start(self._cursor.row)
        if what is not None:
            self._reading.do(what)
        self._pacer.soon()

    def unselect(self) -> None:
        """Let nothing be selected."""
        self._reading.unselect()
        self._pacer.soon()

    def find(self, needle: str) -> None:
        """Search for ``needle``, from the newest line back; an empty one ends the search."""
        self._reading.find(needle)
        self._pacer.soon()

    def copy(self) -> None:
        """Have what is selected copied: `Copied`."""
        if text := self._reading.selection.text:
            self._selected(text)
        self.unselect()

    def pick(self) -> None:
        """Pick the link or the address under the cursor: `LinkPicked`."""
        self._picked(self._address(self._reading.cursor(self._bar)))

    def _paste_selected(self) -> None:
        if self.input_enabled and self.app.clipboard:
            self._offer(self.app.clipboard)

    # Input

    def send_leader(self) -> None:
        """Send the leader key itself to the agent."""
        press = key_press(self.leader)
        if press is not None:
            self._send_key(press)

    def _send_key(self, press: KeyPress) -> None:
        self._send(self._vt.encode_key(press))
        if self._vt.scrolled or self._reading.selection.range:
            self.scroll_to_live()

    def _send(self, data: bytes) -> None:
        if self._pty is None and self._early is not None:
            if len(self._early) + len(data) <= _EARLY_MAX:
                self._early += data
        elif data and self._pty is not None and not self._pty.write(data):
            self.post_message(self.InputDropped(self, len(data)))

    def _ended(self) -> None:
        self._draw()
        self.detach()
        self.post_message(self.Closed(self))

    # Size, colours, life

    def on_mount(self) -> None:
        self._apply_colors()

    def on_unmount(self) -> None:
        self._pacer.cancel()
        if self._resize_timer is not None:
            self._resize_timer.cancel()
        feeder, self._feeder, self._pty = self._feeder, None, None
        if feeder is not None:
            feeder.stop()

    def on_resize(self) -> None:
        if self._resize_timer is not None:
            self._resize_timer.cancel()
            self._resize_timer = None
        if not self._strips:
            self._apply_size()
        else:  # dragging a border gives dozens of sizes, and each would have the agent redraw
            loop = asyncio.get_running_loop()
            self._resize_timer = loop.call_later(
                _RESIZE_DELAY, self._apply_size, context=contextvars.copy_context()
            )

    def _apply_size(self) -> None:
        self._resize_timer = None
        cols, rows = self.size if self.visible else self._fitted[::-1]
        if rows < 1 or cols < 1 or not self.is_running:
            return
        if (rows, cols) != self._vt.size:
            self._send(self._vt.resize(rows, cols))
        if self._pty is not None:
            self._pty.resize(rows, cols)
        self._pacer.soon()

    def _recolored(self, report: bytes) -> None:
        self._send(report)

    def watch_input_enabled(self) -> None:
        self._redraw_cursor()

    # What the operator does

    def on_key(self, event: events.Key) -> None:
        if not self.input_enabled:
            self.leader_pending = False
            return
        if self.leader_pending:
            self.leader_pending = False
            return
        event.stop()
        event.prevent_default()
        if event.key == self.leader:
            self.leader_pending = True
            self.post_message(self.Leader(self))
            return
        press = key_press(event.key, event.character)
        if press is not None:
            self._send_key(press)

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        if self.input_enabled:
            self._offer(event.text)

    def paste(self, text: str) -> None:
        """Paste ``text``, whatever may be said against it."""
        self._send(self._vt.encode_paste(text))
        if self._vt.scrolled:
            self.scroll_to_live()

    def _offer(self, text: str) -> None:
        if why := concerns(text, self._vt.bracketed_paste):
            self.post_message(self.PasteHeld(self, text, why))
        else:
            self.paste(text)

    def on_focus(self) -> None:
        self._send(self._vt.encode_focus(True))
        self._redraw_cursor()

    def on_blur(self) -> None:  # also when the operator's own terminal loses the focus
        self._send(self._vt.encode_focus(False))
        self._redraw_cursor()
