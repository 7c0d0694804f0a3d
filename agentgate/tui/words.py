"""How actions, decisions and their reasons are put into lines. Pure; everything from outside is escaped.

Marks are a glyph, a word and a colour, so that any one of the three is enough.
"""

from __future__ import annotations

import os.path
import time

from rich.cells import cell_len

from agentgate.actions import Action, Decision, Process, Ruling, Source, Verdict
from agentgate.tui.ink import Ink, Line, clip, outside

__all__ = [
    "age",
    "chain",
    "clip_end",
    "clock",
    "decision_mark",
    "middle",
    "name_of",
    "target",
    "verdict_mark",
    "wait_mark",
    "who",
]

LINE_LIMIT = 2000
"""Characters of an object that is put on one line: of both ends more than any line has cells."""

DEEPEST = 4
"""Levels of a process tree that are indented; what is deeper stays below each other."""


def verdict_mark(verdict: Verdict) -> tuple[str, Ink]:
    """Glyph and ink of a verdict; the word is the verdict's own."""
    return ("✓", Ink.ALLOW) if verdict is Verdict.ALLOW else ("✗", Ink.DENY)


def decision_mark(decision: Decision) -> tuple[str, Ink]:
    return {
        Decision.ALLOW: ("✓ allow", Ink.ALLOW),
        Decision.DENY: ("✗ deny", Ink.DENY),
        Decision.ASK: ("? ask", Ink.WAIT),
    }[decision]


def wait_mark(ruling: Ruling) -> tuple[str, Ink]:
    """The mark of a question: an ordinary one, or one that a guard insists on."""
    return ("! GUARD", Ink.GUARD) if ruling.source is Source.GUARD else ("? WAIT", Ink.WAIT)


def age(seconds: float) -> str:
    """``4s``, ``3m``, ``2h``: coarse enough to change seldom."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m" if whole < 3600 else f"{whole // 3600}h"


def clock(unix: float) -> str:
    """Local time of day, as in ``agentgate audit``."""
    return time.strftime("%H:%M:%S", time.localtime(unix))


def target(action: Action) -> str:
    """What the action is about, on one line: for a call with two objects both ends."""
    if action.origin:
        return f"{outside(action.origin, LINE_LIMIT)} → {outside(action.target, LINE_LIMIT)}"
    return outside(action.target, LINE_LIMIT)


def name_of(process: Process) -> str:
    """The short name of a process: its program, or its script where the program is only a runner."""
    word = process.argv[0] if process.argv else process.exe
    return outside(os.path.basename(word.lstrip("-")) or process.exe or f"pid {process.pid}", 40)


def who(action: Action, most: int = 3) -> str:
    """The nearest names of the process chain, the acting process last: ``claude › bash › npm``."""
    names = [name_of(process) for process in action.chain[:most]]
    return " › ".join(reversed(names)) or "unknown process"


def chain(action: Action) -> list[Line]:
    """The process chain as a tree, the agent first, the acting process last and strong."""
    lines: list[Line] = []
    for depth, process in enumerate(reversed(action.chain)):
        branch = "  " * (min(depth, DEEPEST) - 1) + "└ " if depth else ""
        acting = depth == len(action.chain) - 1
        ink = Ink.STRONG if acting else Ink.PLAIN
        lines.append(((f"{branch}{process.pid} ", Ink.DIM), (outside(process.command, 2000), ink)))
    return lines


def middle(text: str, cells: int) -> str:
    """``text`` in at most ``cells`` cells, cut in the middle so that both of its ends are to be read."""
    if cell_len(text) <= cells:
        return text
    tail = clip_end(text, max(cells // 2 - 1, 0))
    return clip(text, cells - cell_len(tail)) + tail


def clip_end(text: str, cells: int) -> str:
    """As much of the end of ``text`` as goes into ``cells`` cells."""
    start, used = len(text), 0
    while start and used + (size := cell_len(text[start - 1])) <= cells:
        used += size
        start -= 1
    return text[start:]
