"""The detail: everything that is known of the action that the keys are about."""

from __future__ import annotations

from agentgate.actions import Kind, Source
from agentgate.gate import helpers
from agentgate.gate.events import Ask
from agentgate.tui import words
from agentgate.tui.ink import NARROW, OUTSIDE_LIMIT, Ink, Line, fold, outside
from agentgate.tui.widgets.lines import Lines

__all__ = ["DetailPanel", "describe"]

LABEL = 9
"""Cells of the column of labels."""


def describe(ask: Ask, refusal: str, now: float, keys: str | None, armed: bool, cells: int) -> list[Line]:
    """The lines of the detail for a panel of ``cells`` cells.

    ``refusal`` says why "always" is not offered (empty when it is); ``keys`` goes before the verdict keys
    (the leader, in AGENT mode; None: these do not act here); ``armed`` whether those keys count already.
    """
    action, ruling = ask.action, ask.ruling
    lines: list[Line] = []

    def field(label: str, text: str, ink: Ink = Ink.PLAIN) -> None:
        if text:
            lines.extend(labelled(label, ((text, ink),), cells))

    size = len(action.target)
    if size > OUTSIDE_LIMIT:  # the words that say so stand in the cut itself, which is far below
        field("cut", f"it has {size:,} characters; the middle is left out", Ink.WAIT)
    lines += fold(((outside(action.target), Ink.STRONG),), cells, indent=2)
    if action.origin:
        label = "bound as" if action.kind is Kind.NET_EGRESS else "from"
        field(label, outside(action.origin), Ink.STRONG)
    syscall = f" by {outside(action.syscall, 80)}" if action.syscall else ""
    field("kind", f"{action.kind.value}{syscall}, held for {words.age(now - ask.since)}")
    if keys is not None and (cells >= NARROW or not keys):
        lines.append(keys_line(refusal, keys, armed))
    guard = ruling.source is Source.GUARD
    field("asked by", outside(ruling.why, 1000), Ink.GUARD if guard else Ink.WAIT)
    meaning = helpers.meaning(action.target)
    if meaning not in ruling.why:
        field("it means", meaning, Ink.GUARD)
    field("claimed:", outside(action.intent, 2000), Ink.CLAIM)
    field("cwd", outside(action.cwd))
    for depth, line in enumerate(words.chain(action)):
        lines += labelled("chain" if depth == 0 else "", line, cells, 2 * min(depth, words.DEEPEST))
    if " ".join(action.argv) not in ("", action.target, *(actor.command for actor in action.chain[:1])):
        field("argv", outside(" ".join(action.argv)))
    field("gate", outside(ask.gate, 40))
    if refusal:
        field("always", outside(refusal, 400))
    return lines


def labelled(label: str, line: Line, cells: int, indent: int = 0) -> list[Line]:
    """``line`` beside its label; in a narrow panel below it. ``indent``: of what is folded, further in."""
    if cells >= NARROW:
        return fold(((label.ljust(LABEL), Ink.DIM), *line), cells, LABEL + indent)
    head: list[Line] = [((label, Ink.DIM),)] if label else []
    return [*head, *fold((("  ", Ink.PLAIN), *line), cells, 2 + min(indent, 2))]


def keys_line(refusal: str, keys: str, armed: bool) -> Line:
    ink = Ink.KEY if armed else Ink.IDLE
    line: Line = (
        (keys, Ink.DIM),
        ("a", ink),
        (" allow once   " if keys == "" else " allow   ", Ink.DIM),
        ("d", ink),
        (" deny", Ink.DIM),
    )
    if not refusal and not keys:
        line = (*line, ("   ", Ink.DIM), ("A", ink), (" always", Ink.DIM))
    return line


class DetailPanel(Lines):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ask: Ask | None = None
        self._rest: tuple[str, float, str, bool] = ("", 0.0, "", False)
        self._folded: list[Line] = []
        self._drawn: object = None

    def show(self, ask: Ask | None, refusal: str, now: float, keys: str, armed: bool) -> None:
        """See `describe`; None for ``ask`` when nothing is shown."""
        held = words.age(now - ask.since) if ask else ""
        drawn = (ask, refusal, held, keys, armed)
        if drawn == self._drawn:
            return
        other = (self._ask and self._ask.number) != (ask and ask.number)
        self._drawn = drawn
        self._ask, self._rest = ask, (refusal, now, keys, armed)
        if other:
            self.changed()
            self.go_to(0)
            return
        before = self._folded
        self._fold()
        if len(before) == len(self._folded):
            self.repaint(index for index, line in enumerate(self._folded) if line != before[index])
        else:
            self.changed()

    def _fold(self) -> None:
        self._folded = []
        if self._ask and self.size.width:
            refusal, now, keys, armed = self._rest
            cells = self.size.width - 1
            self._folded = describe(self._ask, refusal, now, keys, armed, cells)

    def changed(self) -> None:
        self._fold()
        more = len(self._folded) - self.size.height
        title = f"2 ACTION {self._ask.number}" if self._ask else "2 ACTION"
        self.border_title = f"{title} · +{more} lines" if more > 0 and self.size.height else title
        super().changed()

    def rows(self) -> int:
        return max(1, len(self._folded))

    def row(self, index: int, cells: int) -> list[Line]:
        if not self._folded:
            return [(("what waits is shown here in full", Ink.DIM),)]
        return [self._folded[index]]
