"""The palette: every command by a few letters of what it does, and the themes. Pure.

Made of the one table of commands. What cannot be done now is shown in grey and says why. A verdict is never
given from here: its key counts for the action that is on the screen, and here a list is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agentgate.tui import theme
from agentgate.tui.ink import Ink, Line, fit, spread
from agentgate.tui.inputs import Input, SetTheme
from agentgate.tui.keys.commands import PANELS, Command, Context, key_label
from agentgate.tui.modes import LOGS, Cover, Mode
from agentgate.tui.prompt import Prompt
from agentgate.tui.state import State
from agentgate.tui.steps import Doing, Purpose, Step, to_agent, to_control, to_panel
from agentgate.tui.verbs import VERBS

__all__ = ["PARTS", "PURPOSES", "Chosen", "Item", "items", "palette_lines"]

_MOVES = "next previous page-down page-up first last next-panel previous-panel to-agent"
_UNLISTED = frozenset([*_MOVES.split(), "cancel", "send-leader", "palette"])
"""Moves, which make no sense from a list, and ways out of what is not open."""

_PANEL_OF = {context: panel for panel, context in PANELS.items()}


@dataclass(frozen=True, slots=True)
class Item:
    """One line. ``why`` it cannot be done now; empty: it can. ``theme`` instead of a command."""

    text: str
    keys: str = ""
    why: str = ""
    command: Command | None = None
    theme: str = ""


def _nothing_waits(state: State) -> str:
    return "" if state.asks or state.panel in LOGS else "nothing waits"


def _only_one(state: State) -> str:
    return "" if state.several else "there is only one agent"


_WHY: dict[str, Callable[[State], str]] = {
    "full": _nothing_waits,
    "control": lambda state: "you are there" if state.mode is Mode.CONTROL else "",
    "agent": lambda state: "you are there" if state.mode is Mode.AGENT else "",
    "next-agent": _only_one,
    "previous-agent": _only_one,
    "close-agent": _only_one,
}


def items(state: State, text: str) -> list[Item]:
    """What matches ``text``, best first; all in the table's order when it is empty. Commands of where the
    operator is hide those of the same name elsewhere."""
    control = [Context.CONTROL, *PANELS.values()]
    order = [Context.LEADER, *control] if state.mode is Mode.AGENT else [*control, Context.LEADER]
    made: dict[str, Item] = {}
    for context in order:
        for command in state.keys.of(context):
            if command.id not in _UNLISTED and command.id not in made:
                made[command.id] = _item(state, command)
    made |= {f"theme {name}": Item(f"Theme {name}, for this session", theme=name) for name in theme.NAMES}
    ranked = [(rank, item) for item in made.values() if (rank := _rank(text, item)) is not None]
    return [item for _, item in sorted(ranked, key=lambda pair: pair[0])]


def _item(state: State, command: Command) -> Item:
    lead = f"{state.keys.lead} " if command.context is Context.LEADER else ""
    keys = ", ".join(lead + key_label(key) for key in command.keys)
    why = _WHY[command.id](state) if command.id in _WHY else ""
    if command.verdict:
        why = "by its key alone, on the action"
    return Item(state.keys.said(command.help), keys, why, command)


def _rank(text: str, item: Item) -> int | None:
    """How well ``text`` fits: the lower the better; None not at all."""
    wanted = text.lower().strip()
    name = item.command.id if item.command else ""
    label = f"{item.text} {name}".lower()
    if not wanted:
        return 0
    if label.startswith(wanted) or name == wanted:
        return 0
    if f" {wanted}" in label:
        return 1
    if wanted in label:
        return 2
    letters = wanted.replace(" ", "")
    spans = [_span(letters, label[start:]) for start in range(len(label)) if label[start] == letters[0]]
    least = min((span for span in spans if span), default=0)
    return 3 + least if 0 < least <= 3 * len(letters) else None


def _span(letters: str, label: str) -> int:
    """How much of the beginning of ``label`` has all of ``letters`` in their order; 0 when it has not."""
    at = 0
    for letter in letters:
        at = label.find(letter, at) + 1
        if not at:
            return 0
    return at


def palette_lines(state: State, text: str, cells: int) -> list[Line]:
    """One line for each of `items`, its key at the right."""
    lines: list[Line] = []
    for item in items(state, text):
        ink = Ink.DIM if item.why else Ink.PLAIN
        right: Line = ((item.why, Ink.WAIT),) if item.why else ((item.keys, Ink.KEY),)
        lines.append(fit(spread(((item.text, ink),), (*right, (" ", Ink.PLAIN)), cells), cells))
    return lines or [(("nothing is called so", Ink.DIM),)]


# What its prompt does


def _run(state: State, prompt: Prompt, now: float) -> Step:
    """Do what is chosen; keep the palette open where that cannot be done."""
    found = items(state, prompt.text)
    if not found:
        return Step(replace(state, prompt=replace(prompt, error="nothing is called so")))
    item = found[min(state.choice, len(found) - 1)]
    if item.why:
        return Step(replace(state, prompt=replace(prompt, error=item.why)))
    state = replace(state, cover=Cover.NONE)
    if item.command is None:
        return Step(state, (SetTheme(item.theme),))
    context = item.command.context
    if context is Context.LEADER:
        state = to_agent(state)
    else:
        state = to_control(state)
        if context in _PANEL_OF:
            state = to_panel(state, _PANEL_OF[context])
    return VERBS[item.command.id](state, now)


@dataclass(frozen=True, slots=True)
class Chosen(Input):
    """Line ``row`` of the palette was clicked."""

    row: int


def _choose(state: State, event: Chosen, now: float) -> Step:
    if state.cover is not Cover.PALETTE or state.prompt is None:
        return Step(state)
    return _run(replace(state, choice=event.row, prompt=None), state.prompt, now)


def _move(by: int) -> Doing:
    def move(state: State, prompt: Prompt, now: float) -> Step:
        last = len(items(state, prompt.text)) - 1
        return Step(replace(state, choice=max(0, min(state.choice + by, last))))

    return move


_KEYS: dict[str, Doing] = {
    **dict.fromkeys(("down", "tab", "ctrl+n"), _move(1)),
    **dict.fromkeys(("up", "shift+tab", "ctrl+p"), _move(-1)),
    "pagedown": _move(10),
    "pageup": _move(-10),
}

PARTS: dict[type[Input], Callable[[State, Any, float], Step]] = {Chosen: _choose}
PURPOSES = {
    "palette": Purpose(
        entered=_run,
        changed=lambda state, prompt, now: Step(replace(state, choice=0)),
        closed=lambda state, prompt, now: Step(replace(state, cover=Cover.NONE)),
        keys=_KEYS,
    ),
    "help": Purpose(
        entered=lambda state, prompt, now: Step(state),
        changed=lambda state, prompt, now: Step(replace(state, sought=prompt.text)),
        closed=lambda state, prompt, now: Step(replace(state, sought="")),
    ),
}
