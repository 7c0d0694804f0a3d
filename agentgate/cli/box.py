"""A question as lines of text, and as what draws them on a terminal and takes them away again. Pure."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence

from agentgate.actions import Kind, Process
from agentgate.cli.output import Output
from agentgate.escape import printable
from agentgate.gate import helpers
from agentgate.gate.events import Ask
from agentgate.intent.words import for_action

__all__ = ["KEYS", "clip", "draw", "erase", "lines"]

KEYS = "[a]llow  [d]eny  [A]lways"
KEYS_ALWAYS = "[enter] write the rule and allow  [escape] back"
_CHAIN = 4  # processes shown
_LEAST = 24  # columns; a narrower terminal gets cut lines


def _width(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clip(text: str, columns: int) -> tuple[str, str]:
    """``text`` in two: what fits into ``columns`` cells, and the rest."""
    used = 0
    for index, char in enumerate(text):
        used += _width(char)
        if used > columns:
            return text[:index], text[index:]
    return text, ""


def _wrap(text: str, columns: int, most: int) -> list[str]:
    """``text`` on at most ``most`` lines; cut in the middle where it does not fit, both ends readable."""
    rows: list[str] = []
    rest = printable(text, columns * most)
    while rest and len(rows) < most:
        row, rest = clip(rest, columns)
        rows.append(row)
    if rest:
        rows[-1] = clip(rows[-1], columns - 1)[0] + "…"
    return rows or [""]


def _name(process: Process) -> str:
    """The command with its program's bare name: where it lies is in the record."""
    program, _, rest = process.command.partition(" ")
    return printable(f"{os.path.basename(program)} {rest}".rstrip(), 60)


def _who(ask: Ask) -> str:
    shown = [f"{_name(process)} ({process.pid})" for process in ask.action.chain[:_CHAIN]]
    return " < ".join(shown) + (" < …" if len(ask.action.chain) > _CHAIN else "")


def lines(
    ask: Ask,
    *,
    mark: str,
    waiting: int,
    size: tuple[int, int],
    rule: Sequence[str] = (),
    note: str = "",
    always: bool = True,
) -> list[str]:
    """The question, line by line, nothing wider than the terminal and not more than fit above it.

    ``mark`` is the session's word that the agent does not know; ``waiting`` counts the pending questions;
    ``size`` is rows and columns; ``rule`` the rule that "always" would write, shown instead of the facts;
    ``note`` one line in front of the keys.
    """
    rows, columns = max(size[0], 4), max(size[1], _LEAST) - 1
    action = ask.action
    more = f"  (1 of {waiting})" if waiting > 1 else ""
    head = f" agentgate {mark}: {action.kind}{more} "
    if rule:
        facts = [clip("  " + printable(line), columns)[0] for line in rule]
        keys = KEYS_ALWAYS
    else:
        facts = [
            clip(f"  {label:<9}{printable(text, 600)}", columns)[0]
            for label, text in (
                ("bound as" if action.kind is Kind.NET_EGRESS else "from", action.origin),
                ("it means", helpers.meaning(action.target)),
                ("intent", action.intent or for_action(action)),
                ("in", action.cwd),
                ("who", _who(ask)),
                ("asked by", ask.ruling.why),
            )
            if text
        ]
        keys = KEYS if always else KEYS.rsplit("  ", 1)[0]
    notes = [clip(f"  ! {printable(note, 600)}", columns)[0]] if note else []
    # One row stays for what the question is about, one free for the line the agent is in.
    space = rows - 3 - len(notes)
    facts = facts[: max(space - 1, 0)]
    target = _wrap(action.target, columns - 2, max(space - len(facts), 1))
    return [
        clip(head, columns)[0],
        *(f"  {line}" for line in target),
        *facts,
        *notes,
        clip(f"  {keys}", columns)[0],
    ]


def draw(text: Sequence[str], output: Output) -> str:
    """Draw below the line the agent is in, scrolling where there is no room.

    First an ST, which ends whatever string or sequence the agent left open, so that the question cannot
    be swallowed by it; then the scrolling region is opened to the whole screen, room is made with line
    feeds (the terminal is in raw mode: they keep the column), and the cursor is saved (DECSC) with the
    agent's colours and character sets.
    """
    height = len(text)
    out = ["\x1b\\"]
    if output.margins:
        out.append("\x1b7\x1b[r\x1b8")  # DECSTBM moves the cursor home
    out.append("\n" * height + f"\x1b[{height}A\x1b7\x1b[0m\x1b(B\x0f")
    for index, line in enumerate(text):
        style = "\x1b[7m" if index == 0 else "\x1b[1m" if index in (1, height - 1) else ""
        out.append(f"\r\n\x1b[2K{style}{line}\x1b[0m")
    return "".join(out)


def erase(output: Output) -> str:
    """Take away what ``draw`` drew: the agent's cursor, colours and region are as they were."""
    out = "\x1b8\x1b[0m\r\n\x1b[J"
    if output.margins:
        top, bottom = output.margins
        out += f"\x1b[{top};{bottom or ''}r"
    return out + "\x1b8"
