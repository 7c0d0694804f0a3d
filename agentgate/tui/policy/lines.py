"""Rules as lines: one in the list, one in full, and what there is to be known of each. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentgate.escape import printable
from agentgate.policy.explain import describe
from agentgate.policy.findings import Findings
from agentgate.policy.model import Policy, Rule
from agentgate.tui import words
from agentgate.tui.ink import Ink, Line, fold, outside, spread

__all__ = ["Known", "default_line", "rule_in_full", "rule_line"]

LABEL = 9
WIDE = 64
"""From so many cells the marks are said in full and the kinds stand in a column."""


@dataclass(frozen=True, slots=True)
class Known:
    """``hits`` by rule number, 0 standing for the default; ``expired`` are the rules whose time is over."""

    findings: Findings = field(default_factory=Findings)
    hits: dict[int, int] = field(default_factory=dict)
    expired: frozenset[int] = frozenset()


def rule_line(rule: Rule, known: Known, cells: int) -> Line:
    """Number, decision, kind, targets, what narrows or explains it; at the right marks and hits."""
    wide = cells >= WIDE
    mark, ink = words.decision_mark(rule.decision)
    kind = rule.action.value if rule.action else "any"
    off = rule.disabled
    line: list[tuple[str, Ink]] = [
        (f"{rule.number:>2} ", Ink.DIM),
        (f"{mark:<8}", Ink.DIM if off else ink),
        (f"{kind:<10} " if wide else f"{kind} ", Ink.DIM),
        (outside(", ".join(rule.targets) or "*", 400), Ink.DIM if off else Ink.PLAIN),
    ]
    if rule.within:
        line.append((f"  within {outside(rule.within, 80)}", Ink.DIM))
    if rule.scope:
        line.append((f"  scope {outside(rule.scope, 80)}", Ink.DIM))
    if rule.until:
        line.append((f"  until {rule.until}", Ink.DIM))
    if rule.reason:
        line.append((f"  {outside(rule.reason, 200)}", Ink.CLAIM))
    return spread(tuple(line), (*_marks(rule, known, wide), *_hits(known, rule.number, wide)), cells)


def default_line(policy: Policy, known: Known, cells: int) -> Line:
    """What holds where no rule does."""
    mark, ink = words.decision_mark(policy.default)
    left: Line = ((" · ", Ink.DIM), (f"{mark:<8}", ink), ("default: everything else", Ink.DIM))
    failing = _failing(len(known.findings.failing(None)))
    return spread(left, (*failing, *_hits(known, 0, cells >= WIDE)), cells)


def _marks(rule: Rule, known: Known, wide: bool) -> Line:
    marks: list[tuple[str, Ink]] = []
    if rule.disabled:
        marks.append(("○ off ", Ink.DIM))
    elif rule.number in known.expired:
        marks.append(("† expired ", Ink.WAIT))
    by = known.findings.shadowed.get(rule.number)
    if by is not None and not rule.disabled:
        marks.append((f"≡ {'shadowed by' if wide else 'by'} {by} ", Ink.WAIT))
    return (*marks, *_failing(len(known.findings.failing(rule.number))))


def _failing(count: int) -> Line:
    return ((f"✗ {count} test{'s' if count > 1 else ''} ", Ink.DENY),) if count else ()


def _hits(known: Known, number: int, wide: bool) -> Line:
    count = known.hits.get(number, 0)
    text = f"{count:,}×" if count else ""
    return ((f"{text:>7}" if wide else text, Ink.DIM),)


def rule_in_full(rule: Rule | None, policy: Policy, known: Known, cells: int) -> list[Line]:
    """Every key of the rule, and what is known of it; None is the default at the end."""
    lines: list[Line] = []

    def field(label: str, text: str, ink: Ink = Ink.PLAIN) -> None:
        if text:
            lines.extend(fold(((label.ljust(LABEL), Ink.DIM), (text, ink)), cells, indent=LABEL))

    def tests(number: int | None) -> None:
        for index, failure in enumerate(known.findings.failing(number)):
            field("failing" if index == 0 else "", f"✗ {failure}", Ink.DENY)

    hits = known.hits.get(rule.number if rule else 0, 0)
    if rule is None:
        mark, ink = words.decision_mark(policy.default)
        field("default", mark, ink)
        field("", "for whatever no rule above matches")
        field("lifted", ", ".join(sorted(policy.lifted)))
        field("hits", f"{hits:,} in this session" if hits else "")
        tests(None)
        return lines
    mark, ink = words.decision_mark(rule.decision)
    field(f"rule {rule.number}", f"{mark}  line {rule.line}", ink)
    if rule.disabled:
        field("", "○ off: it matches nothing until it is switched on", Ink.DIM)
    elif rule.number in known.expired:
        field("", "† expired: its time is over, it matches nothing", Ink.WAIT)
    by = known.findings.shadowed.get(rule.number)
    if by is not None and 0 < by <= len(policy.rules):
        above = describe(policy.rules[by - 1])
        field("", f"≡ shadowed by rule {by} [{above}]: it never has a say", Ink.WAIT)
    field("reason", outside(rule.reason, 1000), Ink.CLAIM)
    field("action", rule.action.value if rule.action else "any")
    for index, target in enumerate(rule.targets or ("*",)):
        field("target" if index == 0 else "", outside(target))
    field("within", outside(rule.within or ""))
    field("scope", outside(rule.scope or ""))
    field("until", printable(str(rule.until or "")))
    field("hits", f"{hits:,} in this session" if hits else "")
    tests(rule.number)
    return lines
