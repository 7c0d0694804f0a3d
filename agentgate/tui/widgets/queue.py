"""The queue: two lines for each action that waits, oldest first."""

from __future__ import annotations

from textual import events
from textual.message import Message

from agentgate.gate.events import Ask
from agentgate.tui import words
from agentgate.tui.asks import Asks
from agentgate.tui.ink import NARROW, Ink, Line, outside, spread, width
from agentgate.tui.widgets.lines import Lines

__all__ = ["QueuePanel", "card"]


def card(ask: Ask, now: float, shown: bool, cells: int) -> list[Line]:
    """Mark, kind and target; below who it is, what it says it is for, and how long it waits."""
    edge = ("▌" if shown else " ", Ink.WAIT)
    action = ask.action
    head: Line = (edge, words.wait_mark(ask.ruling), (f" {action.kind.value} ", Ink.DIM))
    if cells < NARROW:
        target = words.middle(words.target(action), cells - 3)
        return [head, (edge, ("  ", Ink.PLAIN), (target, Ink.STRONG if shown else Ink.PLAIN))]
    target = words.middle(words.target(action), cells - width(head))
    second: Line = (edge, (f"  {words.who(action)}", Ink.DIM))
    if action.intent:
        second = (*second, ("  claimed: ", Ink.DIM), (outside(action.intent, 200), Ink.CLAIM))
    age = ((f" {words.age(now - ask.since)} ", Ink.DIM),)
    return [(*head, (target, Ink.STRONG if shown else Ink.PLAIN)), spread(second, age, cells)]


class QueuePanel(Lines):
    """Shows the questions; `Picked` when one is clicked."""

    row_height = 2

    class Picked(Message):
        """Question ``number`` was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._asks = Asks()
        self._current: int | None = None
        self._now = 0.0

    def show(self, asks: Asks, current: int | None, now: float) -> None:
        """The questions; ``current`` is the number of the one the screen is about; ``now`` for their age."""
        before, self._now = self._now, now
        if asks is self._asks and current == self._current:
            self.repaint(
                index
                for index in (self.in_view() if asks else ())
                if words.age(now - asks[index].since) != words.age(before - asks[index].since)
            )
            return
        moved = self._current != current
        self._asks, self._current = asks, current
        self.border_title = f"1 QUEUE · {len(asks)} waiting" if asks else "1 QUEUE"
        self.changed()
        place = asks.index_of(current)
        if moved or place != self.cursor:
            self.point(place)

    def rows(self) -> int:
        return max(1, len(self._asks))

    def row(self, index: int, cells: int) -> list[Line]:
        if not self._asks:
            return [(("nothing waits", Ink.DIM),)]
        ask = self._asks[index]
        return card(ask, self._now, ask.number == self._current, cells)

    def on_click(self, event: events.Click) -> None:
        index = self.row_at(event.y - self.gutter.top)
        if index is not None and self._asks:
            event.stop()
            self.post_message(self.Picked(self._asks[index].number))
