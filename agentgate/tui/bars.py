"""The one-line bars - header, hints, alert, tabs, banner - as pure functions of state and a width."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from agentgate.tui import history, words
from agentgate.tui.ink import Ink, Line, clip, fit, fold, outside, spread, width
from agentgate.tui.keys import commands
from agentgate.tui.keys.commands import Command, Context
from agentgate.tui.modes import Mode, Panel
from agentgate.tui.prompt import Prompt
from agentgate.tui.state import State

__all__ = [
    "PORTABLE",
    "Facts",
    "alert",
    "banner",
    "header",
    "header_at",
    "hint_at",
    "hints",
    "log_tab_at",
    "log_tabs",
    "prompt",
    "tab_at",
    "tabs",
]

PORTABLE = "portable gate: PATH + proxy only"
"""What the header says of the shim gate, so that nobody takes it for the kernel's."""

SPACE = ("  ", Ink.PLAIN)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the header tells of the session. ``gate`` is kernel, shim or none; ``denies`` that nothing is
    allowed, because it could not be recorded; ``reads`` whether reads of secrets are asked about."""

    agent: str
    gate: str
    policy: str
    mark: str
    denies: bool = False
    reads: bool = True


def header(state: State, facts: Facts, cells: int, now: float = 0.0) -> Line:
    """Who, which mode, which gate, which policy, how many wait; at the right the session's mark. Where there
    is room, how the operator decides.

    Mode, gate and the number that waits are never given up for the rest.
    """
    mode = (f" {state.mode.value.upper()} ", Ink.AGENT if state.mode is Mode.AGENT else Ink.CONTROL)
    gate = {
        "kernel": (("gate ", Ink.DIM), ("kernel", Ink.ALLOW)),
        "shim": ((PORTABLE, Ink.DENY),),
    }.get(facts.gate, (("gate ", Ink.DIM), ("none", Ink.DENY)))
    if facts.gate == "kernel" and not facts.reads:
        gate = (*gate, (", secrets open", Ink.WAIT))
    if facts.denies:
        gate = (("gate ", Ink.DIM), ("DENIES ALL", Ink.ALARM))
    if state.gone:
        gate = (("gate ", Ink.DIM), ("LOST", Ink.ALARM))
    elif state.lost:
        gate = (*gate, (", one LOST", Ink.ALARM))
    count = len(state.asks)
    waiting = (f"{count} waiting", Ink.WAIT if count else Ink.DIM)
    right: Line = (waiting,)
    if state.status is not None:
        right = ((f"ended, status {state.status}", Ink.STRONG), SPACE, *right)
    agent = (outside(facts.agent, 40), Ink.STRONG)
    label = outside(facts.policy, 200)
    # as it gets narrow: without the product's name, without the labels, with the policy cut, without it
    pace = state.pace.said(now)
    told = ((pace, Ink.DIM), SPACE) if pace else ()
    for name, policy_word, mark_word, least, extra in (
        (" agentgate ", "policy ", "mark ", len(label), told),
        (" ", "policy ", "mark ", len(label), told),
        (" ", "policy ", "mark ", len(label), ()),
        (" ", "", "", 8, ()),
    ):
        left: Line = ((name, Ink.DIM), agent, SPACE, mode, SPACE, *gate, SPACE, (policy_word, Ink.DIM))
        mark: Line = (SPACE, (mark_word, Ink.DIM), (facts.mark, Ink.DIM), (" ", Ink.PLAIN))
        room = cells - width(left) - width(extra) - width(right) - width(mark) - 2
        if room >= min(len(label), least):
            return spread((*left, (clip(label, room), Ink.PLAIN)), (*extra, *right, *mark), cells)
    return spread(((" ", Ink.PLAIN), agent, SPACE, mode, SPACE, *gate), (*right, *mark), cells)


def header_at(line: Line, x: int) -> Panel | Mode | None:
    """What a click at column ``x`` of a header goes to: the other mode, the policy, the queue."""
    right, policy = 0, False
    for text, ink in line:
        right += cell_len(text)
        policy = policy or text == "policy "
        if x >= right:
            continue
        if ink in (Ink.AGENT, Ink.CONTROL):
            return Mode.CONTROL if ink is Ink.AGENT else Mode.AGENT
        if text.endswith(" waiting"):
            return Panel.QUEUE
        return Panel.POLICY if policy and ink in (Ink.PLAIN, Ink.DIM) and text.strip() else None
    return None


def hints(state: State, armed: bool, always: bool, cells: int) -> Line:
    """The bottom line: what was just said, else the keys that act here. ``armed`` whether the verdict
    keys count already, ``always`` whether that is offered."""
    if state.prompt is not None:
        return prompt(state.prompt, cells)
    if mark := history.mark(state):
        return spread(_hints(state, armed, always, cells - width(mark)), mark, cells)
    return _hints(state, armed, always, cells)


def _hints(state: State, armed: bool, always: bool, cells: int) -> Line:
    if state.hint:
        ink = Ink.WAIT if state.hint.urgent else Ink.PLAIN
        return ((" ", Ink.PLAIN), (clip(outside(state.hint.text), cells - 2), ink))
    lead, keys, gap = _hint_row(state, armed, always, cells)
    return fit(_in_a_row(keys, lead, gap), cells)


def hint_at(state: State, armed: bool, always: bool, cells: int, x: int) -> tuple[str, ...]:
    """The keys that the hint at column ``x`` stands for, none where there is no hint."""
    if state.prompt is not None or state.hint:
        return ()
    lead, keys, gap = _hint_row(state, armed, always, cells - width(history.mark(state)))
    right = width(lead)
    for command, line in keys:
        left, right = right, right + width(line) + len(gap)
        if left <= x < right - len(gap):
            first = () if state.context is not None else state.keys.leaders[:1]
            return (*first, command.keys[0])
    return ()


def _hint_row(
    state: State, armed: bool, always: bool, cells: int
) -> tuple[Line, list[tuple[Command, Line]], str]:
    """What stands before the hints, the hints for which there is room, and the gap between them."""
    leader = state.keys.lead
    keys: list[tuple[Command, Line]] = []
    context = Context.LEADER if state.leader else None
    offered = state.keys.of(Context.LEADER)
    if state.mode is Mode.CONTROL:
        context = commands.PANELS.get(state.panel, Context.CONTROL)
        offered = state.keys.offered(context)
    elif state.context is Context.SCROLL:
        context = Context.SCROLL
        offered = state.keys.of(context)
    for command in sorted(offered, key=_verdicts_first):
        if not command.label or (context is None and command.id in ("send-leader", "cancel")):
            continue
        if command.id == "next-agent" and not state.several:
            continue
        verdict = command.verdict
        longer = verdict and command.id not in ("allow", "deny")
        if (verdict and not state.asks) or (longer and not always):
            continue
        key = "j/k" if command.id in ("next", "read-up") else commands.key_label(command.keys[0])
        ink = Ink.KEY if armed or not verdict else Ink.IDLE
        keys.append((command, ((key, ink), (f" {command.label}", Ink.DIM))))
    lead: Line = ((" ", Ink.PLAIN),)
    if context is None:
        lead = ((f" {leader}", Ink.KEY), (" then  ", Ink.DIM))
    elif context is Context.LEADER:
        lead = ((f" {leader} ", Ink.CONTROL), SPACE)
    for gap in ("   ", "  "):
        line = _in_a_row(keys, lead, gap)
        if width(line) <= cells:
            return lead, keys, gap
    while width(line := _in_a_row(keys, lead, " ")) > cells and len(keys) > 1:
        keys.remove(max(keys, key=lambda pair: (_spared(pair[0]), keys.index(pair))))
    return lead, keys, " "


def _verdicts_first(command: Command) -> int:
    """What decides comes before the rest, and of that what decides in every panel."""
    return 2 if not command.verdict else int(command.context in commands.PANELS.values())


def _in_a_row(keys: list[tuple[Command, Line]], lead: Line, gap: str) -> Line:
    return sum(((*key, (gap, Ink.PLAIN)) for _, key in keys), lead)[:-1] if keys else lead


def _spared(command: Command) -> int:
    """Which hints go first where there is no room for all: the highest, of those the last."""
    if command.id in ("allow", "deny", "control", "cancel", "agent", "help", "quit"):
        return 0
    if command.context in (Context.QUEUE, Context.DETAIL):
        return 4
    if command.id in ("session", "process"):
        return 3
    return 1 if command.verdict or command.id in ("palette", "zoom") else 2


def prompt(typed: Prompt, cells: int) -> Line:
    """The line that a text is typed into, its cursor in view."""
    label: Line = ((f" {typed.label} ", Ink.CONTROL), (" ", Ink.PLAIN))
    right: Line = (("  enter", Ink.KEY), (" ok  ", Ink.DIM), ("esc", Ink.KEY), (" cancel ", Ink.DIM))
    if typed.error:
        right = (("  ", Ink.PLAIN), (clip(outside(typed.error, 400), cells // 2), Ink.DENY), (" ", Ink.PLAIN))
    room = cells - width(label) - width(right) - 1
    if room < 12:
        right, room = (), cells - width(label) - 1
    before, after = typed.text[: typed.at], typed.text[typed.at :]
    before = words.clip_end(before, max(room - 1, 0))
    under, after = after[:1] or " ", after[1:]
    after = clip(after, max(room - cell_len(before) - cell_len(under), 0))
    if not typed.text and typed.hint:
        after = clip(typed.hint, max(room - 1, 0))
    rest = (after, Ink.PLAIN if typed.text else Ink.DIM)
    return spread((*label, (before, Ink.PLAIN), (under, Ink.CURSOR), rest), right, cells)


def alert(state: State, mark: str, cells: int) -> Line:
    """The line where neither queue nor action has room: the question that keys are about, how many more,
    and the session's mark, which nobody else can paint there."""
    sign: Line = ((f" {mark} ", Ink.DIM),)
    if not state.asks:
        return spread(((" nothing waits", Ink.DIM),), sign, cells)
    board = state.board
    hidden, current = board.hidden, state.current
    card = board.card(board.at(0) if current is None else current)
    more = len(state.asks) - hidden - (len(card.asks) if card else 0)
    right: Line = ((f" {hidden} hidden", Ink.GUARD), *sign) if hidden else sign
    if more:
        right = ((f" +{more} more", Ink.WAIT), *right)
    if card is None:
        text = outside(f" nothing passes the filter {board.filter.text}")
        said = clip(text, cells - width(right) - 1)
        return spread(((said, Ink.WAIT),), right, cells)
    ask = card.first
    if len(card.asks) > 1:
        right = ((f" ×{len(card.asks)}", Ink.WAIT), *right)
    left: Line = ((" ", Ink.PLAIN), words.wait_mark(ask.ruling), (f" {ask.action.kind.value} ", Ink.DIM))
    if name := state.named(ask.agent):
        left = (*left, (f"{outside(name, 20)}: ", Ink.PLAIN))
    room = cells - width(left) - width(right) - 1
    shown = words.middle(words.target(ask.action), room)
    return spread((*left, (shown, Ink.STRONG)), right, cells)


def tab_at(x: int) -> Panel:
    """The panel whose tab is at column ``x``."""
    right = 1
    for panel in Panel:
        right += len(f" {panel.value} {panel.title}  ")
        if x < right:
            return panel
    return Panel.FILES


def tabs(state: State, cells: int) -> Line:
    """The panels of a narrow screen in CONTROL, the one in view marked."""
    line: list[tuple[str, Ink]] = [(" ", Ink.PLAIN)]
    for panel in Panel:
        here = panel is state.panel
        line += [
            (f" {panel.value} {panel.title} ", Ink.CONTROL if here else Ink.DIM),
            (" ", Ink.PLAIN),
        ]
    return fit(tuple(line), cells)


def log_tabs(others: tuple[Panel, ...], cells: int) -> Line:
    """The logs that wait behind the one that is shown, on the line above it."""
    names = tuple((f" {panel.value} {panel.title}", Ink.DIM) for panel in others)
    if width(names) + 1 > cells:
        names = tuple((f" {panel.value}", Ink.DIM) for panel in others)
    return (*names, (" ", Ink.PLAIN))


def log_tab_at(others: tuple[Panel, ...], cells: int, x: int) -> Panel | None:
    """The log whose name is at column ``x`` of that line."""
    right = 0
    for panel, (name, _) in zip(others, log_tabs(others, cells), strict=False):
        right += len(name)
        if x < right:
            return panel
    return None


def banner(state: State, cells: int, rows: int) -> list[Line]:
    """Says that the gate is gone, why, and how to leave."""
    how = "q leaves" if state.mode is Mode.CONTROL else f"{state.keys.lead} q leaves"
    what = f"Everything is denied, the agent is ended. {how}"
    if state.several:
        what = "All that it waited for is denied, it is ended; the others go on" if not state.gone else how
    text = f" GATE LOST  {outside(state.lost, 400)}. {what}"
    return fold(((text, Ink.ALARM),), cells)[:rows]
