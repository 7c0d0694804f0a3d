"""The native emulator, one typed function per call.

libghostty-vt is used through cffi in ABI mode, where nothing checks that a pointer has the type which
an option or a query expects: the wrong one silently overwrites memory. So every option and query is
written down once, here and in the neighbouring modules, with its type beside it, and no general
"get any key" leaves this package. pyghostty is pinned to one release for the same reason.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, final

import pyghostty
from pyghostty._ffi import check, ffi, lib, union_fn

__all__ = ["Rgb", "Terminal", "check", "ffi", "handle", "lib", "query", "scroll_viewport", "set_option"]

Rgb = tuple[int, int, int]
"""Red, green and blue, 0..255."""

if pyghostty.__version__ != "0.1.3":
    raise ImportError(f"pyghostty {pyghostty.__version__} is not the release this was written for: 0.1.3")

# A union cannot be passed by value in ABI mode; a struct of the same layout can (see pyghostty._ffi).
ffi.cdef("typedef struct { int tag; intptr_t value; uint64_t _pad; } AgentGateScrollViewport;")
if ffi.sizeof("AgentGateScrollViewport") != ffi.sizeof("GhosttyTerminalScrollViewport"):
    raise ImportError("pyghostty: GhosttyTerminalScrollViewport has another layout than expected")
_scroll_viewport = union_fn(
    "ghostty_terminal_scroll_viewport", "void(*)(GhosttyTerminal, AgentGateScrollViewport)"
)

_OPTION_TYPES = {
    "COLOR_FOREGROUND": "GhosttyColorRgb *",
    "COLOR_BACKGROUND": "GhosttyColorRgb *",
    "COLOR_CURSOR": "GhosttyColorRgb *",
    "COLOR_PALETTE": "GhosttyColorRgb[256]",
    "KITTY_IMAGE_STORAGE_LIMIT": "uint64_t *",
    "SCROLLBACK_MAX_BYTES": "size_t *",
    "SCROLLBACK_MAX_LINES": "size_t *",
    "MODE_DEFAULT": "GhosttyTerminalModeConfig *",
}
_QUERY_TYPES = {
    "ACTIVE_SCREEN": "GhosttyTerminalScreen *",
    "KITTY_KEYBOARD_FLAGS": "GhosttyKittyKeyFlags *",
    "MOUSE_TRACKING": "bool *",
    "SCROLLBAR": "GhosttyTerminalScrollbar *",
    "TITLE": "GhosttyString *",
    "VIEWPORT_ACTIVE": "bool *",
}


def handle(owner: object, ctype: str, create: Callable[[Any], int], free: Callable[[Any], None]) -> Any:
    """A native object made by ``create(out)`` and freed by ``free`` once ``owner`` is gone; never
    earlier, so that no call can come too late. GhosttyError when it cannot be made."""
    out = ffi.new(ctype + " *")
    check(create(out), ctype)
    # Not at exit: a thread may still be feeding then, and the system takes the memory back anyway.
    weakref.finalize(owner, free, out[0]).atexit = False
    return out[0]


@final
class Terminal:
    """A native terminal, and the lock which everybody holds who uses it or anything that belongs to it.
    What belongs to it keeps this object, so that it goes first."""

    def __init__(self, rows: int, cols: int) -> None:
        self.lock = threading.Lock()
        self.native = handle(
            self,
            "GhosttyTerminal",
            lambda out: lib.ghostty_terminal_new(ffi.NULL, out, cols, rows),
            lib.ghostty_terminal_free,
        )


def set_option(terminal: Any, name: str, value: object) -> None:
    """Set GHOSTTY_TERMINAL_OPT_``name``."""
    option = getattr(lib, f"GHOSTTY_TERMINAL_OPT_{name}")
    check(lib.ghostty_terminal_set(terminal, option, ffi.new(_OPTION_TYPES[name], value)), name)


def query(terminal: Any, name: str) -> Any:
    """GHOSTTY_TERMINAL_DATA_``name``; a borrowed string is only good until the next change."""
    out = ffi.new(_QUERY_TYPES[name])
    check(lib.ghostty_terminal_get(terminal, getattr(lib, f"GHOSTTY_TERMINAL_DATA_{name}"), out), name)
    return out[0]


def scroll_viewport(terminal: Any, delta: int | None) -> None:
    """Move the viewport ``delta`` rows (negative: into history), or to the bottom with None."""
    behaviour = ffi.new("AgentGateScrollViewport *")
    if delta is None:
        behaviour.tag = lib.GHOSTTY_SCROLL_VIEWPORT_BOTTOM
    else:
        behaviour.tag, behaviour.value = lib.GHOSTTY_SCROLL_VIEWPORT_DELTA, delta
    _scroll_viewport(terminal, behaviour[0])
