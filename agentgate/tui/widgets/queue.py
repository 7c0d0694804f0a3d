"""The queue: two lines for each card, and for the header of each command that has several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from textual import events
from textual.content import Content
from textual.message import Message

from agentgate.actions import Action, Kind
from agentgate.gate.events import Ask
from agentgate.gate.risk import Level, Risk, Scene, risk
from agentgate.intent.differences import differences
from agentgate.tui import words
from agentgate.tui.ink import NARROW, Ink, Line, clip, outside, spread, width
from agentgate.tui.queue.board import Board, Card, Row, Tree
from agentgate.tui.queue.grouping import claim, command_of
from agentgate.tui.widgets.lines import Lines

__all__ = ["QueuePanel", "Stand", "card", "differs", "facts", "header", "risk_mark", "unlike"]

_RISKS = {
    Level.LOW: ("· low", Ink.DIM),
    Level.MEDIUM: ("▴ medium", Ink.WAIT),
    Level.HIGH: ("▲ HIGH", Ink.DENY),
}
_COUNTED = {
    Kind.EXEC: ("command", "commands"),
    Kind.FS_WRITE: ("write", "writes"),
    Kind.FS_READ: ("read", "reads"),
    Kind.NET_EGRESS: ("connection", "connections"),
}
_LOOKED_AT = 50
"""Cards of a command whose differences are looked for."""


def risk_mark(found: Risk) -> tuple[str, Ink]:
    """Glyph, word and ink of a risk."""
    return _RISKS[found.level]


def unlike(action: Action) -> tuple[str, ...]:
    """Where what is observed differs from the agent's words."""
    return differences(command_of(action), "", action)


def facts(tree: Tree) -> Line:
    """What is observed of a command: how many of which kind."""
    said = ", ".join(f"{count} {_COUNTED[kind][count > 1]}" for kind, count in tree.kinds.items() if count)
    return ((said, Ink.PLAIN),)


def differs(tree: Tree) -> str:
    """The first difference of what is observed from the agent's words, if one is found."""
    for shown in islice(tree.passing, _LOOKED_AT):
        if found := unlike(shown.first.action):
            return f"≠ {found[0]}"
    return ""


def _asker(agent: str) -> Line:
    """Who asks, where that must be said."""
    return ((f"{outside(agent, 40)}: ", Ink.PLAIN),) if agent else ()


def header(tree: Tree, here: bool, cells: int, agent: str = "") -> list[Line]:
    """The agent's own words on top, what is observed below. ``here``: the keys are about it; ``agent``: whose
    it is, where there are several."""
    edge = ("▌" if here else " ", Ink.WAIT)
    said = claim(tree.first.action)
    what = (("the agent itself: ", Ink.DIM),) if said.itself else (("claimed: ", Ink.DIM),)
    top: Line = (edge, ("▸ " if tree.folded else "▾ ", Ink.DIM), *_asker(agent), *what)
    text = words.middle(outside(said.words, words.LINE_LIMIT), cells - width(top))
    below: Line = (edge, ("  ", Ink.PLAIN), *facts(tree))
    differing = differs(tree)
    if differing and width(below) + len(differing) + 3 > cells:
        differing = "≠ differs"
    right: Line = ((f" {differing} ", Ink.DENY),) if differing else ()
    return [(*top, (text, Ink.CLAIM)), spread(below, right, cells)]


@dataclass(frozen=True, slots=True)
class Stand:
    """How a card stands in the queue: ``here`` under the keys, ``marked``, ``within`` below a header.
    ``agent``: who asks, where there are several and no header says it."""

    here: bool = False
    marked: bool = False
    within: bool = False
    agent: str = ""


def card(
    shown: Card, now: float, stand: Stand, scene: Scene, cells: int, left: float | None = None
) -> list[Line]:
    """Mark, kind, target and how many ask; below who it is, what it says it is for, risk and age, and how
    many seconds are ``left`` to answer, where that has an end."""
    ask = shown.first
    action = ask.action
    ink = Ink.STRONG if stand.here else Ink.PLAIN
    edge = ("▌" if stand.here else " ", Ink.WAIT)
    inset = ("┊", Ink.DIM) if stand.within else ("", Ink.PLAIN)
    many: Line = ((f" ×{len(shown.asks)} ", Ink.WAIT),) if len(shown.asks) > 1 else ()
    head: Line = (edge, inset, words.wait_mark(ask.ruling), (f" {action.kind.value} ", Ink.DIM))
    point: Line = (edge, inset, ("● " if stand.marked else "  ", Ink.WAIT))
    if cells < NARROW:
        target = words.middle(words.target(action), cells - width(point))
        name = clip(outside(stand.agent, 40), cells - width(head) - width(many))
        return [spread((*head, (name, Ink.PLAIN)), many, cells), (*point, (target, ink))]
    target = words.middle(words.target(action), cells - width(head) - width(many))
    second: Line = (*point, *_asker(stand.agent), (words.who(action), Ink.DIM))
    if action.intent:
        second = (*second, ("  claimed: ", Ink.DIM), (outside(action.intent, 200), Ink.CLAIM))
    mark = risk_mark(risk(action, ask.ruling, scene))
    end: Line = ((" ", Ink.PLAIN), mark, (f" {words.age(now - ask.since)} ", Ink.DIM))
    if left is not None:
        end = (*end, (f"{words.age(left)} left ", Ink.WAIT if left < _SOON else Ink.DIM))
    first = spread((*head, (target, ink)), many, cells) if many else (*head, (target, ink))
    return [first, spread(second, end, cells)]


_SOON = 10.0
"""Seconds that are left when it is time to look."""


class QueuePanel(Lines):
    """Shows the board; `Picked` when a card is clicked, `Folded` when a header is."""

    row_height = 2

    class Picked(Message):
        """Question ``number`` was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    class Folded(Message):
        """The header of the command of question ``number`` was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._board = Board()
        self._current: int | None = None
        self._marks: frozenset[tuple[int, int]] = frozenset()
        self._scene = Scene()
        self._several = False
        self._now = 0.0
        self.left: Callable[[Ask], float] | None = None

    def show(
        self,
        board: Board,
        current: int | None,
        marks: frozenset[tuple[int, int]],
        scene: Scene,
        several: bool,
        now: float,
    ) -> None:
        """The questions; ``current`` is the number of the one the screen is about; ``now`` for their age;
        ``several``: there are several agents."""
        before, self._now = self._now, now
        same = board is self._board and current == self._current
        if same and marks == self._marks and scene is self._scene and several is self._several:
            self.repaint(index for index in self.in_view() if self._aged(board.rows, index, before, now))
            return
        moved = self._current != current
        self._board, self._current, self._marks, self._scene = board, current, marks, scene
        self._several = several
        self.border_title = Content(self._title())  # a text, never markup
        self.changed()
        place = board.place(current)
        if moved or place != self.cursor:
            self.point(place)

    def _aged(self, rows: list[Row], index: int, before: float, now: float) -> bool:
        row = rows[index] if index < len(rows) else None
        if not isinstance(row, Card):
            return False
        if self.left is not None:
            return True
        since = row.first.since
        return words.age(now - since) != words.age(before - since)

    def _title(self) -> str:
        board = self._board
        title = f"1 QUEUE · {len(board.asks)} waiting" if board.asks else "1 QUEUE"
        if self._marks:
            title += f" · {len(self._marks)} marked"
        if board.filter:
            title += f" · /{outside(board.filter.text, 60)} hides {board.hidden}"
        return title

    def rows(self) -> int:
        return max(1, len(self._board.rows))

    def row(self, index: int, cells: int) -> list[Line]:
        if not self._board.rows:
            text = "nothing passes the filter; esc clears it" if self._board.asks else "nothing waits"
            return [((text, Ink.DIM),)]
        row = self._board.rows[index]
        here = index == self._board.place(self._current)
        if isinstance(row, Tree):
            return header(row, here, cells, row.first.agent if self._several else "")
        marked = any(tag == row.tag for tag, _ in self._marks)
        within = row.tree.shown > 1
        agent = row.first.agent if self._several and not within else ""
        left = self.left(row.first) if self.left else None
        return card(row, self._now, Stand(here, marked, within, agent), self._scene, cells, left)

    def on_click(self, event: events.Click) -> None:
        index = self.row_at(event.y - self.gutter.top)
        if index is not None and self._board.rows:
            event.stop()
            row = self._board.rows[index]
            kind = self.Folded if isinstance(row, Tree) else self.Picked
            self.post_message(kind(row.first.number))
