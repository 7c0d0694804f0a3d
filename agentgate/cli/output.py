"""What the agent's output has done to the terminal, as far as a question on it must know. Pure.

Not an emulator: three facts, found in passing. Sources: ECMA-48, xterm's ctlseqs.
"""

from __future__ import annotations

import re

__all__ = ["Output"]

_SEEN = re.compile(
    rb"\x1b\[\?(?P<modes>[\d;]+)(?P<set>[hl])"  # DECSET, DECRST
    rb"|\x1b\[(?P<top>\d*)(?:;(?P<bottom>\d*))?r"  # DECSTBM
    rb"|(?P<reset>\x1bc|\x1b\[!p)"  # RIS, DECSTR
)
_ALTERNATE = frozenset((b"47", b"1047", b"1049"))
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[ -/]*|[\]PX^_][^\x07]*)", re.DOTALL)
_KEPT = 4096  # bytes of an unfinished string; more of it changes nothing


class Output:
    """``alternate``: the alternate screen is shown. ``margins``: top and bottom of the scrolling region as
    they were set, or None. ``unfinished``: the output ended within an escape sequence."""

    def __init__(self) -> None:
        self.alternate = False
        self.margins: tuple[int, int] | None = None
        self._tail = b""

    @property
    def unfinished(self) -> bool:
        return bool(self._tail)

    def feed(self, data: bytes) -> None:
        text = self._tail + data
        for seen in _SEEN.finditer(text):
            if seen["reset"]:
                self.margins = None
                self.alternate = self.alternate and seen["reset"] != b"\x1bc"
            elif seen["modes"]:
                if _ALTERNATE.intersection(seen["modes"].split(b";")):
                    self.alternate = seen["set"] == b"h"
            elif seen["top"] or seen["bottom"]:
                self.margins = int((seen["top"] or b"1")[:5]), int((seen["bottom"] or b"0")[:5])
            else:
                self.margins = None
        start = text.rfind(b"\x1b")
        tail = text[start:] if start >= 0 else b""
        self._tail = tail[:_KEPT] if tail and _UNFINISHED.fullmatch(tail) else b""
