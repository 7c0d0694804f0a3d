"""What lies over the room: the help, the question about quitting, and whatever else is read there.

They only show. Keys are the app's, as everywhere; see ``commands.py``.
"""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from agentgate.tui.ink import Ink, Line, fold
from agentgate.tui.keys import commands
from agentgate.tui.keys.commands import Command, Context
from agentgate.tui.keys.keymap import Keymap
from agentgate.tui.widgets.bar import Bar
from agentgate.tui.widgets.boxed import Boxed
from agentgate.tui.widgets.lines import Lines

__all__ = ["Cover", "cells", "end_lines", "help_lines", "quit_lines"]


WIDEST = 84


def cells(width: int) -> int:
    """Cells of a line of text in a cover, on a screen of ``width`` cells."""
    return max(20, min(WIDEST, width - 4) - 6)


def help_lines(keymap: Keymap, cells: int, sought: str = "") -> list[Line]:
    """Every command of the table, by context; with ``sought`` those whose key or words have it."""
    lines: list[Line] = []
    for context in Context:
        known = [command for command in keymap.of(context) if _has(keymap, command, sought.lower())]
        if not known:
            continue
        lines += [() for _ in lines[:1]]
        lines.append(((keymap.said(context.value), Ink.WAIT),))
        for command in known:
            keys = commands.keys_label(command.keys)
            text = keymap.said(command.help)
            lines += fold(((f"  {keys:<12} ", Ink.KEY), (text, Ink.PLAIN)), cells, indent=15)
    return lines or [(("nothing has these letters", Ink.DIM),)]


def _has(keymap: Keymap, command: Command, sought: str) -> bool:
    keys = commands.keys_label(command.keys)
    return sought in f"{keys} {keymap.said(command.help)} {command.id}".lower()


def quit_lines(running: int, waiting: int, cells: int) -> list[Line]:
    """``running`` agents run, ``waiting`` questions wait."""
    parts = []
    if running == 1:
        parts.append("ends the agent and everything it started")
    elif running:
        parts.append(f"ends {running} agents and everything they started")
    if waiting:
        parts.append(f"denies {waiting} waiting action{'s' if waiting != 1 else ''}")
    lines = fold((("Leaving " + " and ".join(parts) + ".", Ink.PLAIN),), cells)
    return [*lines, (), (("y", Ink.KEY), (" leave   ", Ink.DIM), ("esc", Ink.KEY), (" stay", Ink.DIM))]


def end_lines(waiting: int, armed: bool, cells: int) -> list[Line]:
    """The question before the agent's own process is ended."""
    one = "it" if waiting == 1 else f"these {waiting}"
    text = f"The agent itself asks for this, not a command of its own. Denies {one} and ends the agent."
    ink = Ink.KEY if armed else Ink.IDLE
    lines = fold(((text, Ink.PLAIN),), cells)
    return [*lines, (), (("y", ink), (" deny and end   ", Ink.DIM), ("esc", Ink.KEY), (" stay", Ink.DIM))]


class Text(Lines):
    """Ready-made lines that can be scrolled."""

    DEFAULT_CSS = """
    Text { background: $surface; border-top: none; padding: 0 0 0 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []

    def rows(self) -> int:
        return len(self.lines)

    def row(self, index: int, cells: int) -> list[Line]:
        return [self.lines[index]]


class Cover(Boxed, inherit_bindings=False):
    """A box over the room, as high as its lines need and the screen allows."""

    DEFAULT_CSS = """
    Cover > #prompt { dock: bottom; height: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.text = Text()
        self._box = Vertical(self.text)
        self._box.border_subtitle = "esc closes"
        self._prompt = Bar(id="prompt")

    def compose(self) -> ComposeResult:
        yield self._box
        yield self._prompt

    class Picked(Message):
        """A click on ``row``, or with None beside the box."""

        def __init__(self, row: int | None) -> None:
            super().__init__()
            self.row = row

    def on_click(self, event: events.Click) -> None:
        x, y = event.screen_x, event.screen_y
        if not self._box.region.contains(x, y):
            self.post_message(self.Picked(None))
        elif self.text.content_region.contains(x, y):
            row = self.text.row_at(y - self.text.content_region.y)
            if row is not None:
                self.post_message(self.Picked(row))

    def title_is(self, title: str) -> None:
        self._box.border_title = title

    def show(
        self,
        lines: list[Line],
        width: int,
        height: int,
        prompt: Line | None = None,
        chosen: int | None = None,
    ) -> None:
        """``lines`` on a screen of ``width`` x ``height`` cells; ``prompt`` is the bottom line while a text
        is typed, ``chosen`` the line that stands out in a list."""
        self._prompt.display = prompt is not None
        self._prompt.show(prompt or ())
        self._box.styles.width = min(WIDEST, width - 4)
        self._box.styles.height = min(len(lines) + 2, height - 2)
        if lines != self.text.lines:
            self.text.lines = lines
            self.text.changed()
        self.text.point(None if chosen is None else min(chosen, len(lines) - 1))
