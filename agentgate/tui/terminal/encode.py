"""What the operator does, in the bytes that the child expects in the modes it has set.

Keys (legacy, DECCKM, modifyOtherKeys, kitty keyboard), mouse (X10, UTF-8, SGR, urxvt, SGR pixels),
paste (bracketed or not) and focus. Source: xterm's ctlseqs, and
https://sw.kovidgoyal.net/kitty/keyboard-protocol/
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final, Literal

from agentgate.tui.terminal.core import check, ffi, handle, lib, query
from agentgate.tui.terminal.keys import KeyPress, Mods

__all__ = ["CELL_HEIGHT", "CELL_WIDTH", "Encoder", "MouseAction", "encode_focus", "encode_paste"]

CELL_WIDTH: Final = 8
CELL_HEIGHT: Final = 16
"""The size in pixels that a cell is said to have. A terminal in a terminal cannot know the true one;
what matters is that size reports and mouse positions in pixels agree."""

MouseAction = Literal["press", "release", "motion"]

_ACTIONS: Final[dict[MouseAction, int]] = {
    "press": lib.GHOSTTY_MOUSE_ACTION_PRESS,
    "release": lib.GHOSTTY_MOUSE_ACTION_RELEASE,
    "motion": lib.GHOSTTY_MOUSE_ACTION_MOTION,
}
_BUTTONS: Final = {
    "left": lib.GHOSTTY_MOUSE_BUTTON_LEFT,
    "middle": lib.GHOSTTY_MOUSE_BUTTON_MIDDLE,
    "right": lib.GHOSTTY_MOUSE_BUTTON_RIGHT,
    "wheel_up": lib.GHOSTTY_MOUSE_BUTTON_FOUR,
    "wheel_down": lib.GHOSTTY_MOUSE_BUTTON_FIVE,
    "wheel_left": lib.GHOSTTY_MOUSE_BUTTON_SIX,
    "wheel_right": lib.GHOSTTY_MOUSE_BUTTON_SEVEN,
}
_PRESSED: Final = frozenset({"left", "middle", "right"})

# With no keyboard mode set the core writes these as CSI u, which a plain shell prints as garbage. A
# VT terminal has one byte for each, and a child that set no mode expects it.
_C0: Final = {
    b"\x1b[105;5u": b"\t",
    b"\x1b[109;5u": b"\r",
    b"\x1b[91;5u": b"\x1b",
    b"\x1b[45;5u": b"\x1f",
}


class Encoder:
    """The native encoders. Each call reads the modes of ``terminal``, which nobody else may use
    meanwhile."""

    def __init__(self, terminal: Any) -> None:
        self._terminal = terminal
        self._keys = handle(
            self,
            "GhosttyKeyEncoder",
            lambda out: lib.ghostty_key_encoder_new(ffi.NULL, out),
            lib.ghostty_key_encoder_free,
        )
        self._key_event = handle(
            self,
            "GhosttyKeyEvent",
            lambda out: lib.ghostty_key_event_new(ffi.NULL, out),
            lib.ghostty_key_event_free,
        )
        self._mouse = handle(
            self,
            "GhosttyMouseEncoder",
            lambda out: lib.ghostty_mouse_encoder_new(ffi.NULL, out),
            lib.ghostty_mouse_encoder_free,
        )
        self._mouse_event = handle(
            self,
            "GhosttyMouseEvent",
            lambda out: lib.ghostty_mouse_event_new(ffi.NULL, out),
            lib.ghostty_mouse_event_free,
        )
        self._out = ffi.new("char[]", 512)
        self._length = ffi.new("size_t *")

    def key(self, press: KeyPress) -> bytes:
        """The bytes of a key going down; empty when the child's modes have none for it."""
        event = self._key_event
        kitty = query(self._terminal, "KITTY_KEYBOARD_FLAGS")
        mods = press.mods
        if press.text and mods == Mods.SHIFT and not kitty and press.text != " ":
            mods = Mods.NONE  # the text says it all; modifyOtherKeys would escape every capital letter
        text = press.text.encode()[:64]
        keep = ffi.new("char[]", text)  # the event borrows it
        lib.ghostty_key_event_set_action(event, lib.GHOSTTY_KEY_ACTION_PRESS)
        lib.ghostty_key_event_set_key(event, getattr(lib, f"GHOSTTY_KEY_{press.key}"))
        lib.ghostty_key_event_set_mods(event, int(mods))
        lib.ghostty_key_event_set_consumed_mods(event, int(mods & Mods.SHIFT) if text else 0)
        lib.ghostty_key_event_set_utf8(event, keep if text else ffi.NULL, len(text))
        lib.ghostty_key_event_set_unshifted_codepoint(event, press.codepoint)
        lib.ghostty_key_encoder_setopt_from_terminal(self._keys, self._terminal)
        encode = lib.ghostty_key_encoder_encode
        check(encode(self._keys, event, self._out, len(self._out), self._length), "key encode")
        encoded = self._written()
        lib.ghostty_key_event_set_utf8(event, ffi.NULL, 0)
        return encoded if kitty else _C0.get(encoded, encoded)

    def mouse(
        self,
        action: MouseAction,
        button: str | None,
        at: tuple[int, int],
        screen: tuple[int, int],
        mods: Mods,
    ) -> bytes:
        """The bytes of a mouse event in the cell at row, column ``at`` of a screen of that many rows and
        columns; empty when the child does not want it. ``button`` is left, middle, right,
        wheel_up/down/left/right or, in motion, None."""
        event, encoder = self._mouse_event, self._mouse
        size = ffi.new("GhosttyMouseEncoderSize *")
        size.size = ffi.sizeof("GhosttyMouseEncoderSize")
        size.cell_width, size.cell_height = CELL_WIDTH, CELL_HEIGHT
        size.screen_height, size.screen_width = screen[0] * CELL_HEIGHT, screen[1] * CELL_WIDTH
        pressed = ffi.new("bool *", action == "motion" and button in _PRESSED)
        lib.ghostty_mouse_encoder_setopt_from_terminal(encoder, self._terminal)
        lib.ghostty_mouse_encoder_setopt(encoder, lib.GHOSTTY_MOUSE_ENCODER_OPT_SIZE, size)
        lib.ghostty_mouse_encoder_setopt(encoder, lib.GHOSTTY_MOUSE_ENCODER_OPT_ANY_BUTTON_PRESSED, pressed)
        lib.ghostty_mouse_event_set_action(event, _ACTIONS[action])
        if button is None:
            lib.ghostty_mouse_event_clear_button(event)
        else:
            lib.ghostty_mouse_event_set_button(event, _BUTTONS[button])
        lib.ghostty_mouse_event_set_mods(event, int(mods))
        middle = {"x": (at[1] + 0.5) * CELL_WIDTH, "y": (at[0] + 0.5) * CELL_HEIGHT}
        lib.ghostty_mouse_event_set_position(event, middle)
        encode = lib.ghostty_mouse_encoder_encode
        check(encode(encoder, event, self._out, len(self._out), self._length), "mouse encode")
        return self._written()

    def _written(self) -> bytes:
        out: bytes = ffi.buffer(self._out, self._length[0])[:]
        return out


def encode_paste(text: str, bracketed: bool) -> bytes:
    """Pasted ``text`` with control characters made spaces, so that it can neither end the bracket
    nor act as keys; not bracketed, line ends are what the enter key sends."""
    # The core leaves some: C1 above all, which an application may take for the begin of a sequence.
    text = "".join(c if c in "\t\n\r" or unicodedata.category(c) != "Cc" else " " for c in text)
    if not bracketed:
        text = text.replace("\r\n", "\n")
    data = text.encode("utf-8", "replace")
    work = ffi.new("char[]", data)  # encoded in place
    out = ffi.new("char[]", len(data) + 64)
    length = ffi.new("size_t *")
    check(lib.ghostty_paste_encode(work, len(data), bracketed, out, len(out), length), "paste encode")
    encoded: bytes = ffi.buffer(out, length[0])[:]
    return encoded


def encode_focus(gained: bool) -> bytes:
    """Focus in or out, as mode 1004 reports it."""
    out, length = ffi.new("char[]", 16), ffi.new("size_t *")
    event = lib.GHOSTTY_FOCUS_GAINED if gained else lib.GHOSTTY_FOCUS_LOST
    check(lib.ghostty_focus_encode(event, out, len(out), length), "focus encode")
    encoded: bytes = ffi.buffer(out, length[0])[:]
    return encoded
