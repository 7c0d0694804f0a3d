"""What a question that waits no more leaves behind: selection, marks, what was opened for it. Pure."""

from __future__ import annotations

from dataclasses import replace

from agentgate.gate.events import Ask
from agentgate.tui.modes import Cover
from agentgate.tui.state import Hint, State

__all__ = ["without"]


def without(state: State, ask: Ask, now: float) -> State:
    """``state`` without ``ask``. A selection that stood on it stays on its card, or goes to the neighbour."""
    number = ask.number
    selected = state.selected == number
    place = state.board.place(number) if selected else None
    card = state.board.card(number)
    rows = len(state.board.rows)
    board = state.board.minus(number)
    state = replace(state, asks=board.asks, board=board)
    if card is not None and not card.asks and state.marks:
        state = replace(state, marks=frozenset(mark for mark in state.marks if mark[0] != card.tag))
    if selected:
        if card is not None and card.asks:
            next_one: int | None = card.first.number
        else:
            gone = rows - len(board.rows)  # two, when a header went with its last card but one
            next_one = board.at((place or 0) - max(gone - 1, 0))
        state = replace(state, selected=next_one)
        if state.cover is Cover.ACTION:  # what was read is gone; the neighbour is another text
            state = replace(state, cover=Cover.NONE)
    if state.targets and number == state.targets[-1]:
        state = _without_target(state, now)
    return state


def _without_target(state: State, now: float) -> State:
    """Close what was opened for questions of which none waits any more."""
    left = tuple(number for number in state.targets if state.ask(number))
    if left:
        return replace(state, targets=left)
    hint = state.hint
    if state.cover is Cover.END:
        state, hint = replace(state, cover=Cover.NONE), Hint("it no longer waits; nothing was ended", now)
    elif state.prompt is not None:
        state, hint = replace(state, prompt=None), Hint("it no longer waits; the note was not sent", now)
    return replace(state, targets=(), hint=hint)
