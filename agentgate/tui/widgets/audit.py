"""The audit view: every decision as it is made, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len

from agentgate.actions import Kind, Verdict
from agentgate.audit.record import Record
from agentgate.tui import words
from agentgate.tui.ink import NARROW, Ink, Line, outside, width
from agentgate.tui.widgets.lines import Lines

__all__ = ["LIMIT", "AuditPanel", "Entry", "Ring", "entry_line"]

LIMIT = 100_000
"""Decisions kept for scrolling; the log file keeps all."""

DRAW_SECONDS = 0.1

TARGET_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """What one line shows of a decision: a record's chains and arguments would cost ten times the memory."""

    time: float
    kind: Kind
    verdict: Verdict
    target: str
    why: str

    @classmethod
    def of(cls, record: Record) -> Entry:
        action, answer = record.action, record.answer
        target = f"{action.origin} → {action.target}" if action.origin else action.target
        if len(target) > TARGET_LIMIT:
            target = f"{target[: TARGET_LIMIT // 2]}…{target[1 - TARGET_LIMIT // 2 :]}"
        return cls(record.time, action.kind, answer.verdict, target, outside(answer.why, 120))


class Ring:
    """The last ``limit`` entries, by their number since the beginning."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._entries: list[Entry] = []
        self.total = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first(self) -> int:
        """The number of the oldest entry that is still here."""
        return self.total - len(self._entries)

    def append(self, entry: Entry) -> None:
        if len(self._entries) < self._limit:
            self._entries.append(entry)
        else:
            self._entries[self.total % self._limit] = entry
        self.total += 1

    def __getitem__(self, index: int) -> Entry:
        """The entry at ``index``, 0 being the oldest that is still here."""
        return self._entries[(self.first + index) % self._limit]


def entry_line(entry: Entry, cells: int) -> Line:
    """``✓ 13:20:26 exec allow npm install chalk``; where there is room in columns, and with the reason."""
    glyph, ink = words.verdict_mark(entry.verdict)
    if cells < NARROW:
        head: Line = ((glyph, ink), (f" {entry.kind.value} ", Ink.DIM))
        return (*head, (words.middle(outside(entry.target, TARGET_LIMIT), cells - width(head)), Ink.PLAIN))
    wide = cells >= 64
    kind = f"{entry.kind.value:<10}" if wide else entry.kind.value
    verdict = f"{entry.verdict.value:<5}" if wide else entry.verdict.value
    head = (
        (glyph, ink),
        (f" {words.clock(entry.time)} ", Ink.DIM),
        (f"{kind} ", Ink.PLAIN),
        (f"{verdict} ", ink),
    )
    room = cells - width(head)
    why = f"  {entry.why}" if wide and entry.why else ""
    target = words.middle(outside(entry.target, TARGET_LIMIT), max(room - cell_len(why), room * 2 // 3))
    return (*head, (target, Ink.PLAIN), (why, Ink.DIM))


class AuditPanel(Lines):
    """Follows the newest decision unless the operator scrolled away; what is looked at then stays put."""

    def __init__(self, *, id: str | None = None, limit: int = LIMIT) -> None:
        super().__init__(id=id)
        self._ring = Ring(limit)
        self._draws = False
        self._first = 0
        self.following = True
        self.title()

    def add(self, records: Iterable[Record]) -> None:
        """Append decisions, oldest first. They are drawn within `DRAW_SECONDS`, together with what else
        comes until then: an install brings thousands a second."""
        for record in records:
            self._ring.append(Entry.of(record))
        if not self._draws:
            self._draws = True
            self.set_timer(DRAW_SECONDS, self._draw_new)

    def _draw_new(self) -> None:
        self._draws = False
        dropped, self._first = self._ring.first - self._first, self._ring.first
        self.changed()
        if self.following:
            self._to_end()
        elif dropped:
            self.go_to(round(self.scroll_y) - dropped)

    def _to_end(self) -> None:
        self.go_to(self.rows() - self.size.height)

    def on_resize(self) -> None:
        super().on_resize()
        if self.following:
            self._to_end()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if not self.size.height:
            return
        at_end = round(new_value) >= self.rows() - self.size.height
        if at_end != self.following:
            self.following = at_end
            self.title()

    def title(self) -> None:
        self.border_title = "3 AUDIT" if self.following else "3 AUDIT · stays here, G follows"

    def rows(self) -> int:
        return max(1, len(self._ring))

    def row(self, index: int, cells: int) -> list[Line]:
        if not len(self._ring):
            return [(("no decision yet", Ink.DIM),)]
        return [entry_line(self._ring[index], cells)]
