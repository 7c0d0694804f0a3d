"""What reaches an operator who looks elsewhere: the window's title, the bell, a desktop notification.

The title is set with OSC 2 and given back on leaving through the terminal's title stack (CSI 22;2t and
23;2t, xterm's ctlseqs); a notification is OSC 9 (iTerm2's; kitty, WezTerm and Ghostty know it, too). Textual
has no public way to write such a sequence; this module is the only one that uses its driver.

No word of an action goes out this way: a notification is seen on locked screens, and kept by desktops.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from textual.app import App

from agentgate.escape import printable
from agentgate.tui.config import Notifications

__all__ = ["Attention", "Due", "notice", "title"]


def title(waiting: int, agent: str, who: tuple[str, ...] = ()) -> str:
    """``who`` waits, where there are several agents."""
    if not waiting:
        return f"{printable(agent, 60)} - agentgate"
    return f"({waiting}) waiting{': ' if who else ''}{_names(who)} - agentgate"


def notice(waiting: int, agent: str, who: tuple[str, ...] = ()) -> str:
    what = "1 action waits" if waiting == 1 else f"{waiting} actions wait"
    return f"agentgate: {what} ({_names(who or (agent,))})"


def _names(who: tuple[str, ...]) -> str:
    return ", ".join(printable(name, 60) for name in who)


@dataclass(slots=True)
class Due:
    """When to make a noise: something came that nobody looks at, and the last time was ``seconds`` ago. What
    comes in between is told of then, if it still waits. Times are of one clock."""

    seconds: float
    _last: float = float("-inf")
    _missed: bool = False

    def now(self, now: float, *, came: bool, waiting: int, focused: bool) -> bool:
        """Asked after every change and each second. ``came``: something new waits."""
        self._missed = (self._missed or came) and waiting > 0 and not focused
        if not self._missed or now - self._last < self.seconds:
            return False
        self._missed, self._last = False, now
        return True


class Attention:
    def __init__(self, agent: str, told: Notifications) -> None:
        self._agent = agent
        self._told = told
        self._due = Due(told.seconds)
        self._rang = float("-inf")
        self._waiting = 0
        self._title = ""

    def begin(self, app: App[Any]) -> None:
        """Keep the operator's own title, set ours."""
        if self._told.title:
            self._write(app, "\x1b[22;2t")
            self._show_title(app, title(0, self._agent))

    def _show_title(self, app: App[Any], text: str) -> None:
        if text != self._title and self._told.title:
            self._title = text
            self._write(app, f"\x1b]2;{text}\x07")

    def end(self, app: App[Any]) -> None:
        if self._told.title:
            self._write(app, "\x1b[23;2t")

    def waiting(self, app: App[Any], count: int, who: tuple[str, ...]) -> None:
        """``count`` questions wait, of the agents ``who`` (empty where there is only one). Called after every
        change of that, and each second."""
        came = count > self._waiting
        self._waiting = count
        self._show_title(app, title(count, self._agent, who))
        if self._due.now(time.monotonic(), came=came, waiting=count, focused=app.app_focus):
            if self._told.bell:
                app.bell()
            if self._told.osc9:
                self._write(app, f"\x1b]9;{notice(count, self._agent, who)}\x07")

    def ring(self, app: App[Any]) -> None:
        """The agent rang its bell."""
        now = time.monotonic()
        if self._told.bell and now - self._rang >= self._told.seconds:
            self._rang = now
            app.bell()

    @staticmethod
    def _write(app: App[Any], sequence: str) -> None:
        driver = app._driver
        if driver is not None and not app.is_headless:
            driver.write(sequence)
