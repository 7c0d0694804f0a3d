"""What reaches an operator who looks elsewhere: the window's title and the bell.

The title is set with OSC 2 and given back on leaving through the terminal's title stack (CSI 22;2t and
23;2t, xterm's ctlseqs). Textual has no public way to write such a sequence; this module is the only one
that uses its driver.
"""

from __future__ import annotations

import time
from typing import Any

from textual.app import App

from agentgate.escape import printable

__all__ = ["Attention", "title"]

BELL_SECONDS = 5.0
"""At most one bell in this time."""


def title(waiting: int, agent: str) -> str:
    return f"({waiting}) waiting - agentgate" if waiting else f"{printable(agent, 60)} - agentgate"


class Attention:
    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._rang = -BELL_SECONDS

    def begin(self, app: App[Any]) -> None:
        """Keep the operator's own title, set ours."""
        self._write(app, "\x1b[22;2t")
        self.waiting(app, 0, ring=False)

    def end(self, app: App[Any]) -> None:
        self._write(app, "\x1b[23;2t")

    def waiting(self, app: App[Any], count: int, *, ring: bool) -> None:
        """``count`` questions wait; ``ring`` when one came that nobody looks at."""
        self._write(app, f"\x1b]2;{title(count, self._agent)}\x07")
        if ring:
            self.ring(app)

    def ring(self, app: App[Any]) -> None:
        now = time.monotonic()
        if now - self._rang >= BELL_SECONDS:
            self._rang = now
            app.bell()

    @staticmethod
    def _write(app: App[Any], sequence: str) -> None:
        driver = app._driver
        if driver is not None and not app.is_headless:
            driver.write(sequence)
