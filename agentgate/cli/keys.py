"""What was typed while a question is on the screen: one key, or something that is no answer."""

from __future__ import annotations

import re

__all__ = ["is_reply", "name"]

# What a terminal says by itself, meant for the program that asked: cursor position, status, attributes,
# mode reports, focus, colours and other strings (ECMA-48 8.3.35, xterm's ctlseqs).
_REPLY = re.compile(
    rb"\x1b\[\d+;\d+R|\x1b\[\d*n|\x1b\[[?>=][\d;:]*(?:\$?[a-zA-Z])|\x1b\[[IO]|\x1b\[[\d;]*t"
    rb"|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)"
)
_REPLIES = re.compile(b"(?:" + _REPLY.pattern + b")+", re.DOTALL)
# A key as an escape sequence: the kitty keyboard protocol's CSI code:shifted ; modifiers:event u, and
# xterm's modifyOtherKeys CSI 27 ; modifiers ; code ~.
_KITTY = re.compile(rb"\x1b\[(\d{1,7})(?::(\d{1,7}))?(?::\d{0,7})?(?:;(\d{0,3})(?::([123]))?)?(?:;[\d:]*)?u")
_XTERM = re.compile(rb"\x1b\[27;(\d{1,3});(\d{1,7})~")
_SHIFT, _LOCKS = 1, 64 | 128

_CONTROL = 4
_NAMED = {
    0x03: "interrupt",
    0x1C: "interrupt",
    0x0D: "enter",
    0x0A: "enter",
    0x1B: "escape",
    57414: "enter",
}


def is_reply(data: bytes) -> bool:
    """Whether ``data`` is nothing but reports of the terminal, which belong to the agent."""
    return _REPLIES.fullmatch(data) is not None


def name(data: bytes) -> str:
    """The key that ``data``, all of one read, stands for: a character, ``enter``, ``escape`` or
    ``interrupt`` (^C, ^\\). Empty for everything else: several keys at once (typed ahead, pasted), an
    arrow, the mouse."""
    if len(data) == 1:
        return _key(data[0])
    if found := _KITTY.fullmatch(data):
        code, shifted, modifiers, event = found.groups()
        held = max(int(modifiers or 1) - 1, 0) & ~_LOCKS
        if event == b"3":
            return ""
        if held == _CONTROL and code == b"99":
            return "interrupt"
        if held & ~_SHIFT:
            return ""
        key = _key(int(shifted or code) if held else int(code))
        return key.upper() if held and len(key) == 1 else key
    if found := _XTERM.fullmatch(data):
        held = max(int(found[1]) - 1, 0) & ~_LOCKS
        if held == _CONTROL and found[2] == b"99":
            return "interrupt"
        return "" if held & ~_SHIFT else _key(int(found[2]))
    return ""


def _key(code: int) -> str:
    if code in _NAMED:
        return _NAMED[code]
    return chr(code) if 0x20 <= code < 0x7F else ""
