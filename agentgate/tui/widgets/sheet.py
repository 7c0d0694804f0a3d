"""The lines of the sheet: how far, how long, and the rule as it will stand in the file, at its place."""

from __future__ import annotations

from dataclasses import dataclass

from agentgate.actions import Decision
from agentgate.answering import Preview
from agentgate.policy.spans import Span
from agentgate.tui.answers.sheet import Sheet
from agentgate.tui.ink import Ink, Line, clip, fit, fold, outside, spread, width

__all__ = ["View", "sheet_lines"]

_LEAST = 6
"""Rows that the rule and what stands around it get at least; with less room the sheet scrolls."""


@dataclass(frozen=True, slots=True)
class View:
    """What the sheet says beside its choices: the action's target, and what would be written."""

    target: str
    preview: Preview


def sheet_lines(sheet: Sheet, view: View, hint: str, armed: bool, cells: int, rows: int) -> list[Line]:
    """The sheet in lines of ``cells`` cells, in ``rows`` rows if that can be; ``armed``: whether enter
    counts already."""
    allows = sheet.decision is Decision.ALLOW
    ink = Ink.ALLOW if allows else Ink.DENY
    target = outside(view.target, 2000)
    head: Line = ((f"{'allows' if allows else 'denies'} ", ink), (target, Ink.STRONG))
    lines: list[Line] = [fit(head, cells), ()]
    lines += [_scope(sheet, at, cells) for at in range(len(sheet.scopes))]
    lines += [(), _spans(sheet.span, cells), ()]
    tail = _tail(sheet, hint, armed, allows, cells)
    return [
        *lines,
        *_place(sheet, view.preview, ink, cells, max(rows - len(lines) - len(tail), _LEAST)),
        *tail,
    ]


def _scope(sheet: Sheet, at: int, cells: int) -> Line:
    """One step of the ladder: its mark and label, at the right what it would have matched."""
    scope = sheet.scopes[at]
    label = outside(scope.label, 400)
    if scope.refused:
        why = clip(f"not offered: {outside(scope.refused, 200)}", cells - 12)
        return spread((("  · ", Ink.DIM), (label, Ink.DIM)), ((why, Ink.DIM),), cells)
    chosen = at == sheet.at
    mark = ("  ● ", Ink.KEY) if chosen else ("  ○ ", Ink.DIM)
    past = outside(sheet.past.get(scope.targets, "counting…"), 200)
    denied = "denied" in past
    right: Line = ((past, Ink.DENY if denied else Ink.DIM),)
    return spread((mark, (label, Ink.STRONG if chosen else Ink.PLAIN)), right, cells)


def _spans(chosen: Span, cells: int) -> Line:
    """All spans in a row, the chosen one in brackets."""
    line: list[tuple[str, Ink]] = [("  for  ", Ink.DIM)]
    for number, span in enumerate(Span, 1):
        here = span is chosen
        text = f"[{span}]" if here else f" {span} "
        line += [(f"{number}", Ink.DIM), (text, Ink.STRONG if here else Ink.PLAIN), (" ", Ink.PLAIN)]
    return fit(tuple(line), cells)


def _place(sheet: Sheet, preview: Preview, ink: Ink, cells: int, rows: int) -> list[Line]:
    """The rule in the file with as many lines around it as there is room for."""
    if not sheet.span.written:
        until = "until the session ends" if sheet.span is Span.SESSION else "for this action alone"
        globs = [fit((("    │ ", Ink.DIM), (outside(target), ink)), cells) for target in sheet.targets]
        return [(("  no file is written; it holds ", Ink.DIM), (until, Ink.PLAIN)), *globs]
    if preview.error:
        return fold((("  cannot be written: ", Ink.DENY), (outside(preview.error, 1000), Ink.DENY)), cells)
    title: Line = (("  in ", Ink.DIM), (outside(preview.place, 400), Ink.PLAIN))
    new = [at for at, line in enumerate(preview.lines) if line.new]
    first, last = (new[0], new[-1]) if new else (0, 0)
    spare = max(rows - 1 - len(new), 0)
    above = min((spare + 1) // 2, 2, first)
    below = min(spare - above, 2)
    lines: list[Line] = [fit(title, cells)]
    digits = len(str(preview.lines[-1].number)) if preview.lines else 1
    for line in preview.lines[first - above : last + 1 + below]:
        mark = ("+ ", ink) if line.new else ("  ", Ink.DIM)
        number = (f"  {line.number:>{digits}} ", Ink.DIM)
        text = (outside(line.text.replace("\t", "    ")), ink if line.new else Ink.DIM)
        lines.append(fit((number, mark, text), cells))
    return lines


def _tail(sheet: Sheet, hint: str, armed: bool, allows: bool, cells: int) -> list[Line]:
    does = {Span.ONCE: "answer once", Span.SESSION: "remember it"}.get(sheet.span, "write it")
    for gap in ("   ", "  ", " "):
        keys: Line = (
            ("enter", Ink.KEY if armed else Ink.IDLE),
            (f" {does}, {'allow' if allows else 'deny'}{gap}", Ink.DIM),
            *(part for key, text in _KEYS for part in ((key, Ink.KEY), (f" {text}{gap}", Ink.DIM))),
        )
        if width(keys) <= cells + len(gap):
            break
    lines: list[Line] = [(), fit(keys, cells)]
    if sheet.error:
        lines += fold((("not written: ", Ink.DENY), (outside(sheet.error, 1000), Ink.DENY)), cells)
    elif hint:
        lines += fold(((outside(hint, 1000), Ink.WAIT),), cells)
    return lines


_KEYS = (("j/k", "how far"), ("←/→", "how long"), ("e", "edit"), ("esc", "close"))
