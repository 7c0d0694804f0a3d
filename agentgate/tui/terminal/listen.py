"""What the core reports while it is fed: replies for the child, and what the child wants of its terminal.

A wish is data, never an act: notifications (OSC 9 and 777) and texts for the clipboard (OSC 52) are kept,
for whoever decides what comes of them. The clipboard is never read: no callback answers for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from agentgate.escape import printable
from agentgate.tui.terminal.core import check, ffi, lib
from agentgate.tui.terminal.encode import CELL_HEIGHT, CELL_WIDTH

__all__ = ["Events", "Wishes", "listen"]

_NOTE_LENGTH: Final = 200
_CLIPBOARD_LENGTH: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """How many there were of each kind, and the last one: ``note`` safe to show, ``clipboard`` the text as it
    was sent (None: too long to be kept)."""

    notes: int = 0
    note: str = ""
    clipboards: int = 0
    clipboard: str | None = ""


class Events:
    """Apart from `Vt`, so that no callback keeps it alive."""

    def __init__(self) -> None:
        self.replies: list[bytes] = []
        self.bells = 0
        self.wishes = Wishes()
        self.title_changed = False
        self.dark = True
        self.rows = self.cols = 0


def _bytes(string: Any) -> bytes:
    return bytes(ffi.buffer(string.ptr, string.len)[:]) if string.len else b""


def _text(string: Any) -> str:
    return _bytes(string).decode("utf-8", "surrogateescape")


def listen(terminal: Any, events: Events) -> list[Any]:
    """Have ``events`` told of what happens; the callbacks live as long as the list returned. They are
    called while the core is fed, and so must not call it."""

    def replied(_terminal: Any, _data: Any, text: Any, length: int) -> None:
        events.replies.append(ffi.buffer(text, length)[:])

    def rang(_terminal: Any, _data: Any) -> None:
        events.bells += 1

    def titled(_terminal: Any, _data: Any) -> None:
        events.title_changed = True

    def sized(_terminal: Any, _data: Any, out: Any) -> bool:
        out.rows, out.columns = events.rows, events.cols
        out.cell_width, out.cell_height = CELL_WIDTH, CELL_HEIGHT
        return True

    def scheme(_terminal: Any, _data: Any, out: Any) -> bool:
        out[0] = lib.GHOSTTY_COLOR_SCHEME_DARK if events.dark else lib.GHOSTTY_COLOR_SCHEME_LIGHT
        return True

    def notified(_terminal: Any, _data: Any, note: Any) -> None:
        text = ": ".join(part for part in (_text(note.title), _text(note.body)) if part)
        wishes = events.wishes
        events.wishes = replace(wishes, notes=wishes.notes + 1, note=printable(text, _NOTE_LENGTH))

    def copied(_terminal: Any, _data: Any, write: Any) -> None:
        contents = [write.contents[n] for n in range(min(write.contents_len, 8))]
        texts = [part.data for part in contents if _bytes(part.mime).startswith(b"text/plain")]
        text = None
        if texts and texts[0].len <= _CLIPBOARD_LENGTH:
            text = _bytes(texts[0]).decode("utf-8", "replace")
        wishes = events.wishes
        events.wishes = replace(wishes, clipboards=wishes.clipboards + 1, clipboard=text)

    callbacks = [
        (lib.GHOSTTY_TERMINAL_OPT_WRITE_PTY, ffi.callback("GhosttyTerminalWritePtyFn", replied)),
        (lib.GHOSTTY_TERMINAL_OPT_BELL, ffi.callback("GhosttyTerminalBellFn", rang)),
        (lib.GHOSTTY_TERMINAL_OPT_TITLE_CHANGED, ffi.callback("GhosttyTerminalTitleChangedFn", titled)),
        (lib.GHOSTTY_TERMINAL_OPT_SIZE, ffi.callback("GhosttyTerminalSizeFn", sized)),
        (lib.GHOSTTY_TERMINAL_OPT_COLOR_SCHEME, ffi.callback("GhosttyTerminalColorSchemeFn", scheme)),
        (
            lib.GHOSTTY_TERMINAL_OPT_DESKTOP_NOTIFICATION,
            ffi.callback("GhosttyTerminalDesktopNotificationFn", notified),
        ),
        (lib.GHOSTTY_TERMINAL_OPT_CLIPBOARD_WRITE, ffi.callback("GhosttyTerminalClipboardWriteFn", copied)),
    ]
    for option, callback in callbacks:
        check(lib.ghostty_terminal_set(terminal, option, callback), "callback")
    return callbacks
