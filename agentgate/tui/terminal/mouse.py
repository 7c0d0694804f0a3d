"""The mouse on a terminal: the program's if it asks for it, else the operator's.

The program gets what it tracks. With shift held, while the operator reads or works elsewhere, and where
the program tracks nothing, a drag selects (a double click words, a triple click lines) and is copied when
the button is let go; beyond the edge it scrolls. The wheel goes through history, or as arrow keys to a
program that has none. A link is picked with ctrl held.
"""

from __future__ import annotations

from typing import Final

from textual import events
from textual.timer import Timer

from agentgate.tui.terminal.canvas import Canvas
from agentgate.tui.terminal.encode import MouseAction
from agentgate.tui.terminal.grid import Point
from agentgate.tui.terminal.keys import KeyPress, Mods
from agentgate.tui.terminal.select import Clicks, Unit

__all__ = ["MouseCanvas"]

_WHEEL_ROWS: Final = 3
_EDGE_SECONDS: Final = 0.05
_BUTTONS: Final = {1: "left", 2: "middle", 3: "right"}


class MouseCanvas(Canvas):
    """A canvas that takes the mouse. Where that is sent, and what comes of text and links, is its heir's."""

    def __init__(self, scrollback: int, name: str | None, id: str | None, classes: str | None) -> None:
        super().__init__(scrollback, name, id, classes)
        self._mouse_down: set[str] = set()
        self._clicks = Clicks()
        self._pressed: Point | None = None  # where a drag of the operator's began
        self._edge: Timer | None = None
        self._beyond = 0

    def _send(self, data: bytes) -> None:
        raise NotImplementedError

    def _selected(self, text: str) -> None:
        raise NotImplementedError

    def _picked(self, address: str) -> None:
        raise NotImplementedError

    def _paste_selected(self) -> None:
        raise NotImplementedError

    def on_mouse_down(self, event: events.MouseDown) -> None:
        button = _BUTTONS.get(event.button)
        if button is None:
            return
        if event.ctrl and button == "left" and (address := self._address(self._point(event))):
            event.stop()  # the agent's program cannot open it, so it is not asked
            self._picked(address)
        elif self._send_mouse(event, "press", button):
            self._mouse_down.add(button)
            self.capture_mouse()
        elif button == "left":
            self._press(event)
        elif button == "middle":
            self._paste_selected()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        button = _BUTTONS.get(event.button)
        if button in self._mouse_down:
            self._mouse_down.discard(button)
            self._send_mouse(event, "release", button, started=True)
            if not self._mouse_down:
                self.release_mouse()
        elif button == "left" and self._pressed is not None:
            self._stop_drag()
            if text := self._reading.selection.text:
                self._selected(text)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._pressed is not None:
            self._drag(event)
            return
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

    # The program's

    def _send_mouse(
        self, event: events.MouseEvent, action: MouseAction, button: str | None, started: bool = False
    ) -> bool:
        """Pass a mouse event to an agent that wants it, but with shift held: that is the operator's
        own, unless the drag has ``started`` as the agent's. Whether it was passed on."""
        if not self._takes_input or (event.shift and not started) or not self._vt.mouse_tracking:
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
            self._reading.scroll(rows)
            self._pacer.soon()
        elif self._takes_input and self._vt.alternate_scroll:
            arrow = KeyPress("ARROW_UP" if rows < 0 else "ARROW_DOWN")
            self._send(self._vt.encode_key(arrow) * abs(rows))

    # The operator's

    def _address(self, point: Point) -> str:
        """What a click with ctrl at ``point`` leads to: a link, or an address where no program would get
        the click."""
        grid = self._vt.grid
        taken = self._takes_input and self._vt.mouse_tracking
        return grid.link(point) or ("" if taken else grid.address(point))

    def _point(self, event: events.MouseEvent) -> Point:
        """What the operator points at on the screen as it is drawn, clamped to it."""
        at = event.get_content_offset_capture(self)
        _, cols = self._vt.size
        row = min(max(at.y, 0), self._bar.length - 1)
        return Point(self._bar.offset + row, min(max(at.x, 0), cols - 1))

    def _press(self, event: events.MouseDown) -> None:
        self._pressed = point = self._point(event)
        self._reading.unselect()
        unit = self._clicks.count(point, event.time)
        if unit is not Unit.CELL:
            self._reading.selection.begin(point, unit)
        elif self._reading.on:
            self._vt.grid.cursor.put(point)
        self.capture_mouse()
        self._pacer.soon()

    def _drag(self, event: events.MouseMove) -> None:
        event.stop()
        selection, point = self._reading.selection, self._point(event)
        if self._pressed is None or (point == self._pressed and selection.range is None):
            return
        if selection.range is None:
            selection.begin(self._pressed)
        selection.extend(point)
        y, height = event.get_content_offset_capture(self).y, self.size.height
        self._beyond = y if y < 0 else max(y - height + 1, 0)
        if self._beyond and self._edge is None:
            self._edge = self.set_interval(_EDGE_SECONDS, self._drag_beyond)
        self._pacer.soon()

    def _drag_beyond(self) -> None:
        """The mouse is held beyond the edge: scroll there, and select what comes in sight."""
        if not self._beyond:
            return
        self._vt.scroll(self._beyond)
        bar, (_, cols) = self._vt.scrollbar, self._vt.size
        up = Point(bar.offset, 0)
        down = Point(bar.offset + bar.length - 1, cols - 1)
        self._reading.selection.extend(up if self._beyond < 0 else down)
        self._pacer.soon()

    def _stop_drag(self) -> None:
        self._pressed, self._beyond = None, 0
        if self._edge is not None:
            self._edge.stop()
            self._edge = None
        self.release_mouse()
