"""The pane that shows the agent's terminal and hands it what the operator types.

All keys go to the agent but one, the leader, which belongs to the control room. Only rows that changed
are rebuilt, when `pace` says so, and all that Textual asks for later is answered from those.
"""

from __future__ import annotations

import asyncio
import contextvars
from dataclasses import dataclass
from typing import Final

from rich.style import Style
from textual import events
from textual.app import App
from textual.geometry import Offset, Region
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from agentgate.pty import Pty
from agentgate.tui.terminal.cells import Cursor
from agentgate.tui.terminal.core import Rgb
from agentgate.tui.terminal.encode import MouseAction
from agentgate.tui.terminal.feeder import Feeder
from agentgate.tui.terminal.keys import KeyPress, Mods, key_press
from agentgate.tui.terminal.pace import Pacer
from agentgate.tui.terminal.paint import Painter, with_cursor
from agentgate.tui.terminal.vt import Vt

__all__ = ["TerminalPane"]

_RESIZE_DELAY: Final = 0.05
_WHEEL_ROWS: Final = 3
_BUTTONS: Final = {1: "left", 2: "middle", 3: "right"}


_EARLY_MAX = 4096  # bytes of type-ahead


class TerminalPane(Widget, can_focus=True):
    """A terminal on a `Pty` whose child somebody else has started.

    The leader key is posted as `Leader` and not sent. The next key is not sent either: it bubbles, as
    it is, behind that message, for the screen to act upon (`send_leader` if it is the leader again).
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    TerminalPane {
        width: 1fr;
        height: 1fr;
        background: $background;
        color: $foreground;
    }
    """

    leader: reactive[str] = reactive("ctrl+right_square_bracket", repaint=False)
    """The key that is not the agent's, by Textual's name."""
    input_enabled: reactive[bool] = reactive(True, repaint=False)
    """Whether keys, mouse and paste go to the agent. If not, keys bubble."""
    leader_pending: reactive[bool] = reactive(False, repaint=False)
    """Whether the leader was pressed, so that the next key is the control room's."""

    class PaneMessage(Message):
        """Something happened in ``pane``."""

        def __init__(self, pane: TerminalPane) -> None:
            super().__init__()
            self.pane = pane

        @property
        def control(self) -> TerminalPane:
            return self.pane

    class Leader(PaneMessage):
        """The leader key was pressed; the next key will bubble."""

    class Bell(PaneMessage):
        """The agent rang the bell, once or more."""

    class Closed(PaneMessage):
        """The agent's side of the terminal is gone. The pane keeps its last screen."""

    class TitleChanged(PaneMessage):
        """The agent set the window title; ``title`` is safe to show, and only the agent's claim."""

        def __init__(self, pane: TerminalPane, title: str) -> None:
            super().__init__(pane)
            self.title = title

    class InputDropped(PaneMessage):
        """The agent does not read its terminal, and ``size`` bytes for it were thrown away."""

        def __init__(self, pane: TerminalPane, size: int) -> None:
            super().__init__(pane)
            self.size = size

    @dataclass
    class _Drawn:
        """What the messages were last posted for."""

        title: str = ""
        bells: int = 0

    def __init__(
        self,
        *,
        scrollback: int = 10_000,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._vt = Vt(24, 80, scrollback)
        self._pty: Pty | None = None
        self._early: bytearray | None = bytearray()  # typed before there is a terminal to type into
        self._feeder: Feeder | None = None
        self._painter = Painter()
        self._strips: list[Strip] = []
        self._cursor = Cursor(0, 0, False, "block")
        self._drawn = self._Drawn()
        self._colors: tuple[Rgb, Rgb, list[Rgb]] | None = None
        self._pacer = Pacer(self._draw, lambda: self._vt.synchronized)
        self._resize_timer: asyncio.TimerHandle | None = None
        self._mouse_down: set[str] = set()

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

    @property
    def grid_size(self) -> tuple[int, int]:
        """Rows and columns of the terminal."""
        return self._vt.size

    @property
    def title(self) -> str:
        """The window title the agent has set, safe to show."""
        return self._vt.title

    @property
    def scrolled(self) -> bool:
        """Whether history is shown instead of the live screen."""
        return self._vt.scrolled

    def screen_text(self) -> str:
        """What is shown, one line a row, without trailing spaces."""
        return "\n".join(strip.text.rstrip() for strip in self._strips)

    def scroll_history(self, rows: int) -> None:
        """Scroll by ``rows``; a negative number goes back."""
        self._vt.scroll(rows)
        self._pacer.soon()

    def scroll_to_live(self) -> None:
        """Show the live screen again."""
        self._vt.scroll_to_bottom()
        self._pacer.soon()

    def send_leader(self) -> None:
        """Send the leader key itself to the agent."""
        press = key_press(self.leader)
        if press is not None:
            self._send_key(press)

    def _send_key(self, press: KeyPress) -> None:
        self._send(self._vt.encode_key(press))
        if self._vt.scrolled:
            self.scroll_to_live()

    def _send(self, data: bytes) -> None:
        if self._pty is None and self._early is not None:
            if len(self._early) + len(data) <= _EARLY_MAX:
                self._early += data
        elif data and self._pty is not None and not self._pty.write(data):
            self.post_message(self.InputDropped(self, len(data)))

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Row ``y`` from what `_draw` has built."""
        width = self.size.width
        if y >= len(self._strips):
            return Strip.blank(width, self._base_style)
        strip, cursor = self._strips[y], self._cursor
        if cursor.visible and cursor.row == y:
            strip = with_cursor(strip, cursor, self.has_focus and self.input_enabled)
        if strip.cell_length != width:  # a resize is under way
            strip = strip.adjust_cell_length(width, self._base_style)
        return strip

    @property
    def _base_style(self) -> Style:
        return Style.from_color(self.styles.color.rich_color, self.background_colors[1].rich_color)

    def _draw(self) -> None:
        """Rebuild the rows that changed, and have them painted."""
        if not self.is_running:
            return
        rows, cols = self._vt.size
        frame = self._vt.frame()
        if len(self._strips) != rows:
            self._strips = [*self._strips[:rows], *[Strip.blank(cols)] * (rows - len(self._strips))]
        changed = {y for y in frame.rows if y < rows}
        for y in changed:
            self._strips[y] = self._painter.strip(frame.rows[y], cols)
        if frame.cursor != self._cursor:
            changed |= {self._cursor.row, frame.cursor.row}
            self._cursor = frame.cursor
        if changed:
            self.refresh(*_regions(changed, self.size.width))
        if self.has_focus:  # input methods open their window there
            self.app.cursor_position = self.content_region.offset + Offset(frame.cursor.col, frame.cursor.row)
        self._tell()

    def _tell(self) -> None:
        drawn, vt = self._drawn, self._vt
        if drawn.bells != vt.bells:
            drawn.bells = vt.bells
            self.post_message(self.Bell(self))
        if drawn.title != vt.title:
            drawn.title = vt.title
            self.post_message(self.TitleChanged(self, vt.title))

    def _ended(self) -> None:
        self._draw()
        self.detach()
        self.post_message(self.Closed(self))

    def _redraw_cursor(self) -> None:
        self.refresh(*_regions({self._cursor.row}, self.size.width))

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
        cols, rows = self.size
        if rows < 1 or cols < 1 or not self.is_running:
            return
        if (rows, cols) != self._vt.size:
            self._send(self._vt.resize(rows, cols))
        if self._pty is not None:
            self._pty.resize(rows, cols)
        self._pacer.soon()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_running:
            self._apply_colors()

    def _apply_colors(self) -> None:
        _, _, background, color = self.colors
        app: App[object] = self.app
        palette: list[Rgb] = [app.ansi_theme.ansi_colors[n] for n in range(16)]
        colors = ((background + color).rgb, background.rgb, palette)
        if colors != self._colors:
            self._colors = colors
            self._send(self._vt.set_colors(*colors))
            self._pacer.soon()

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
            self._send(self._vt.encode_paste(event.text))

    def on_focus(self) -> None:
        self._send(self._vt.encode_focus(True))
        self._redraw_cursor()

    def on_blur(self) -> None:  # also when the operator's own terminal loses the focus
        self._send(self._vt.encode_focus(False))
        self._redraw_cursor()

    def on_mouse_down(self, event: events.MouseDown) -> None:
        button = _BUTTONS.get(event.button)
        if button is not None and self._send_mouse(event, "press", button):
            self._mouse_down.add(button)
            self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        button = _BUTTONS.get(event.button)
        if button in self._mouse_down:
            self._mouse_down.discard(button)
            self._send_mouse(event, "release", button, started=True)
            if not self._mouse_down:
                self.release_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        button = _BUTTONS.get(event.button)
        self._send_mouse(event, "motion", button, started=button in self._mouse_down)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, "wheel_up", -_WHEEL_ROWS)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, "wheel_down", _WHEEL_ROWS)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        self._wheel(event, "wheel_left", 0)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        self._wheel(event, "wheel_right", 0)

    def _send_mouse(
        self, event: events.MouseEvent, action: MouseAction, button: str | None, started: bool = False
    ) -> bool:
        """Pass a mouse event to an agent that wants it, but with shift held: that is the operator's
        own, unless the drag has ``started`` as the agent's. Whether it was passed on."""
        if not self.input_enabled or (event.shift and not started) or not self._vt.mouse_tracking:
            return False
        event.stop()
        event.prevent_default()
        at = event.get_content_offset_capture(self)
        mods = (Mods.CTRL if event.ctrl else Mods.NONE) | (Mods.ALT if event.meta else Mods.NONE)
        self._send(self._vt.encode_mouse(action, button, at.y, at.x, mods))
        return True

    def _wheel(self, event: events.MouseEvent, button: str, rows: int) -> None:
        event.stop()
        event.prevent_default()
        if self._send_mouse(event, "press", button) or not rows:
            return
        if not self._vt.alternate_screen:
            self.scroll_history(rows)
        elif self.input_enabled and self._vt.alternate_scroll:
            arrow = KeyPress("ARROW_UP" if rows < 0 else "ARROW_DOWN")
            self._send(self._vt.encode_key(arrow) * abs(rows))


def _regions(rows: set[int], width: int) -> list[Region]:
    """Regions over ``rows``, neighbours together."""
    regions: list[Region] = []
    for y in sorted(rows):
        if regions and regions[-1].bottom == y:
            regions[-1] = regions[-1].grow((0, 0, 1, 0))
        else:
            regions.append(Region(0, y, width, 1))
    return regions
