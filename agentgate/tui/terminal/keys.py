"""From the name Textual gives a key to what a terminal emulator needs to encode it.

Textual names keys in two dialects, depending on what the outer terminal speaks: the bytes of a VT
terminal, where ctrl+i is ``tab`` and an upper-case letter is itself, or the kitty keyboard protocol,
where both are exact. Either becomes one `KeyPress`; how that is then written to the child depends on
the modes the child has set and is the encoder's business (`encode`).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
from typing import Final

from textual.keys import REPLACED_KEYS, key_to_character

__all__ = ["KeyPress", "Mods", "key_press"]


class Mods(IntFlag):
    """Modifier keys, with the values libghostty-vt gives them."""

    NONE = 0
    SHIFT = 1
    CTRL = 2
    ALT = 4
    SUPER = 8


@dataclass(frozen=True, slots=True)
class KeyPress:
    """One key going down."""

    key: str
    """The physical key as libghostty-vt names it, ``UNIDENTIFIED`` when only the text is known."""
    mods: Mods = Mods.NONE
    text: str = ""
    """The text the key would produce without ctrl; empty for keys that produce none."""
    codepoint: int = 0
    """The code point of the key without shift; 0 for keys that produce no text."""


_MODIFIERS: Final = {"shift": Mods.SHIFT, "ctrl": Mods.CTRL, "alt": Mods.ALT, "super": Mods.SUPER}

# Keys that are no characters: Textual's name, libghostty-vt's name.
_NAMED: Final = {
    "enter": "ENTER",
    "return": "ENTER",
    "tab": "TAB",
    "escape": "ESCAPE",
    "backspace": "BACKSPACE",
    "delete": "DELETE",
    "insert": "INSERT",
    "home": "HOME",
    "end": "END",
    "pageup": "PAGE_UP",
    "pagedown": "PAGE_DOWN",
    "up": "ARROW_UP",
    "down": "ARROW_DOWN",
    "left": "ARROW_LEFT",
    "right": "ARROW_RIGHT",
    "kp_begin": "NUMPAD_BEGIN",
    "menu": "CONTEXT_MENU",
    "pause": "PAUSE",
    "print_screen": "PRINT_SCREEN",
    **{f"f{n}": f"F{n}" for n in range(1, 26)},
}

# The places of the characters that a US keyboard gives without shift.
_PLACES: Final = {
    **{chr(code): chr(code - 32) for code in range(ord("a"), ord("z") + 1)},
    **{str(n): f"DIGIT_{n}" for n in range(10)},
    " ": "SPACE",
    "`": "BACKQUOTE",
    "-": "MINUS",
    "=": "EQUAL",
    "[": "BRACKET_LEFT",
    "]": "BRACKET_RIGHT",
    "\\": "BACKSLASH",
    ";": "SEMICOLON",
    "'": "QUOTE",
    ",": "COMMA",
    ".": "PERIOD",
    "/": "SLASH",
}

# Names Textual gives to what a VT terminal sends as one byte for several keys.
_ALIASES: Final = {
    "ctrl+at": "ctrl+space",
    "newline": "ctrl+j",
    "ctrl+left_square_brace": "ctrl+left_square_bracket",
    "backtab": "shift+tab",
}


@lru_cache(maxsize=1024)
def key_press(name: str, character: str | None = None) -> KeyPress | None:
    """The key press behind a Textual key event (`Key.key`, `Key.character`). None for what no
    terminal passes on: a modifier alone, a lock or media key, a key held with hyper or meta."""
    name = _ALIASES.get(name, name)
    held, _, base = name.rpartition("+")
    mods = Mods.NONE
    for modifier in held.split("+") if held else ():
        if modifier not in _MODIFIERS:
            return None
        mods |= _MODIFIERS[modifier]
    if base in _NAMED:
        return KeyPress(_NAMED[base], mods)
    text = _text(base, character)
    if text is None:
        return None
    lower = text.lower()
    if len(lower) == 1 and lower != text:
        mods |= Mods.SHIFT
    elif mods & Mods.SHIFT and len(text.upper()) == 1:
        text = text.upper()
    if len(lower) != 1:
        lower = text
    return KeyPress(_PLACES.get(lower, "UNIDENTIFIED"), mods, text, ord(lower[0]))


def _text(base: str, character: str | None) -> str | None:
    if base == "space":
        return " "
    if character and character.isprintable():
        return character
    if len(base) == 1:
        return base if unicodedata.category(base) != "Cc" else None
    return key_to_character(REPLACED_KEYS.get(base, base))
