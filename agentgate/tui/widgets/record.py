"""A decision as one line, a call of the agent as one line, a record in full. Pure; all of it is escaped."""

from __future__ import annotations

import time

from rich.cells import cell_len

from agentgate.actions import Kind
from agentgate.audit.groups import Group
from agentgate.audit.read import Entry
from agentgate.audit.row import Row
from agentgate.gate import helpers
from agentgate.tui import words
from agentgate.tui.ink import NARROW, Ink, Line, outside, width
from agentgate.tui.widgets.detail import labelled

__all__ = ["group_line", "record_lines", "row_line", "strange_line"]

TARGET_LIMIT = 500
DEEPEST = 4


def row_line(row: Row, cells: int, *, inside: bool = False, day: str = "") -> Line:
    """``✓ 13:20:26 exec allow npm install chalk``; where there is room in columns, and with the reason.

    ``inside`` a group it is indented by how deep its process is below the call. ``day``: today's date; a
    decision of another day is shown with its own.
    """
    glyph, ink = words.verdict_mark(row.verdict)
    indent = "  " * min(max(row.depth - 2, 0) + 1, DEEPEST) if inside else ""
    target = f"{row.origin} → {row.target}" if row.origin else row.target
    if cells < NARROW:
        head: Line = ((indent + glyph, ink), (f" {row.kind.value} ", Ink.DIM))
        return (*head, (words.middle(outside(target, TARGET_LIMIT), cells - width(head)), Ink.PLAIN))
    wide = cells >= 64
    kind = f"{row.kind.value:<10}" if wide else row.kind.value
    verdict = f"{row.verdict.value:<5}" if wide else row.verdict.value
    when = words.clock(row.time)
    if wide and day and (date := time.strftime("%Y-%m-%d", time.localtime(row.time))) != day:
        when = f"{date} {when}"
    head = ((indent + glyph, ink), (f" {when} ", Ink.DIM), (f"{kind} ", Ink.PLAIN), (f"{verdict} ", ink))
    room = cells - width(head)
    why = f"  {outside(row.why, 120)}" if wide else ""
    shown = words.middle(outside(target, TARGET_LIMIT), max(room - cell_len(why), room * 2 // 3))
    return (*head, (shown, Ink.PLAIN), (why, Ink.DIM))


def strange_line(line: bytes, cells: int) -> Line:
    """A line of the log that is no record."""
    text = line[:TARGET_LIMIT].decode("utf-8", "backslashreplace")
    head: Line = (("? no record: ", Ink.WAIT),)
    return (*head, (words.middle(outside(text), max(cells - width(head), 0)), Ink.DIM))


def group_line(group: Group, is_open: bool, cells: int) -> Line:
    """``▸ 13:20:26 npm install chalk  4,312 decisions, 3 denied``."""
    count = len(group.places)
    told = f"  {count:,} decision{'s' * (count != 1)}"
    denied = f", {group.denied:,} denied" if group.denied else ""
    name = "the agent itself: " + group.name if group.agents else group.name
    head: Line = (("▾" if is_open else "▸", Ink.KEY), (f" {words.clock(group.time)} ", Ink.DIM))
    room = cells - width(head) - len(told) - len(denied)
    shown = words.middle(outside(name, TARGET_LIMIT), max(room, 8))
    return (*head, (shown, Ink.STRONG), (told, Ink.DIM), (denied, Ink.DENY))


def record_lines(entry: Entry, cells: int) -> list[Line]:
    """Everything that the record says."""
    record, data = entry.record, entry.data
    action, ruling, answer = record.action, record.ruling, record.answer
    lines: list[Line] = []

    def field(label: str, text: str, ink: Ink = Ink.PLAIN) -> None:
        if text:
            lines.extend(labelled(label, ((text, ink),), cells))

    glyph, ink = words.verdict_mark(answer.verdict)
    field("verdict", f"{glyph} {answer.verdict} by {answer.source}", ink)
    field("target", outside(action.target), Ink.STRONG)
    field("bound as" if action.kind is Kind.NET_EGRESS else "from", outside(action.origin), Ink.STRONG)
    syscall = f" by {outside(action.syscall, 80)}" if action.syscall else ""
    field("kind", f"{action.kind.value}{syscall}")
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
    field("when", f"{when}.{int(record.time * 1000) % 1000:03}")
    if record.waited_ms:
        field("waited", f"{record.waited_ms / 1000:,.3f} s for its answer")
    mark, ink = words.decision_mark(ruling.decision)
    field("rules", f"{mark}: {outside(ruling.why, 1000)}", ink)
    field("note", outside(answer.note, 2000))
    meaning = helpers.meaning(action.target)
    field("it means", meaning if meaning not in ruling.why else "", Ink.GUARD)
    field("claimed:", outside(action.intent, 2000), Ink.CLAIM)
    field("cwd", outside(action.cwd))
    for depth, line in enumerate(words.chain(action)):
        lines += labelled("chain" if depth == 0 else "", line, cells, 2 * min(depth, words.DEEPEST))
    for number, word in enumerate(action.argv):
        field("argv" if number == 0 else "", outside(word))
    agent, session = outside(entry.agent, 80), outside(entry.session, 80)
    field("session", f"{session} of {agent}, decision {entry.number:,}, caught by {outside(record.gate, 40)}")
    field("hash", outside(str(data.get("hash", "")), 100), Ink.DIM)
    return lines
