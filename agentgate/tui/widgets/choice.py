"""One word out of a few, on one line: the arrows choose, and so does a word's first letter."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.message import Message
from textual.strip import Strip

from agentgate.tui.ink import Ink, Line
from agentgate.tui.widgets.lines import INK_CLASSES, INK_CSS, Inked

__all__ = ["Choice"]


class Choice(Inked, can_focus=True):
    COMPONENT_CLASSES = INK_CLASSES
    DEFAULT_CSS = "Choice { height: 1; background: $surface; color: $foreground; " + INK_CSS + "}"

    ALLOW_SELECT = False

    class Changed(Message):
        """Another word was chosen."""

    def __init__(self, words: Sequence[str], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.words = tuple(words)
        self.value = value

    def choose(self, value: str) -> None:
        if value != self.value:
            self.value = value
            self.refresh()
            self.post_message(self.Changed())

    def on_key(self, event: events.Key) -> None:
        at = self.words.index(self.value)
        if event.key in ("left", "right", "space"):
            by = -1 if event.key == "left" else 1
            self.choose(self.words[(at + by) % len(self.words)])
        elif event.character:
            order = (*self.words[at + 1 :], *self.words[: at + 1])
            found = next((word for word in order if word.startswith(event.character)), None)
            if found is None:
                return
            self.choose(found)
        else:
            return
        event.stop()

    def on_click(self, event: events.Click) -> None:
        at = 0
        for word in self.words:
            at += len(word) + 2
            if event.x < at:
                self.choose(word)
                return

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        chosen = Ink.AGENT if self.has_focus else Ink.KEY
        line: Line = tuple(
            (f"‹{word}›", chosen) if word == self.value else (f" {word} ", Ink.DIM) for word in self.words
        )
        return self.strip(line if y == 0 else (), self.size.width, self.rich_style)
