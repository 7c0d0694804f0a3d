"""Keys as people write them in a configuration: ``ctrl+]``, ``?``, ``F12``, ``pgdn``. Pure."""

from __future__ import annotations

from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _character_to_key

__all__ = ["key_name", "leads"]

_MODS = ("ctrl", "alt", "shift")
_WORDS = {
    "esc": "escape",
    "pgdn": "pagedown",
    "pgup": "pageup",
    "del": "delete",
    "ins": "insert",
    "return": "enter",
    "bksp": "backspace",
    "↓": "down",
    "↑": "up",
    "←": "left",
    "→": "right",
}
_NAMED = {key.value for key in Keys if "+" not in key.value and not key.value.startswith("<")}
_LEADING = {f"f{number}" for number in range(1, 25)}


def key_name(text: str) -> str:
    """Textual's name of a key. Raises ValueError with what is wrong."""
    *mods, last = text.split("+") if text != "+" and not text.endswith("++") else (*text[:-2].split("+"), "+")
    mods = [mod.strip().lower() for mod in mods if mod.strip()]
    last = last.strip() or " "
    for mod in mods:
        if mod not in _MODS:
            raise ValueError(f"no key {text!r}: {mod!r} is none of ctrl, alt and shift")
    if len(last) == 1 and last not in _WORDS:
        if not last.isprintable():
            raise ValueError(f"no key {text!r}")
        if mods and last.isalpha():
            last = last.lower()
        if "shift" in mods and last.isalpha() and len(mods) == 1:
            return last.upper()
        name = last if last.isalnum() else _character_to_key(last)
    else:
        name = _WORDS.get(last.lower(), last.lower())
        name = KEY_NAME_REPLACEMENTS.get(name, name)
        if name not in _NAMED and name not in {_character_to_key(char) for char in _SIGNS}:
            raise ValueError(
                f"no key {text!r} (a letter or sign, F1 to F24, enter, esc, tab, space, up, pgdn ...)"
            )
    return "+".join([*(mod for mod in _MODS if mod in mods), name])


_SIGNS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def leads(key: str) -> bool:
    """Whether ``key`` can be a leader: one that no program needs for typing."""
    return key in _LEADING or "+" in key
