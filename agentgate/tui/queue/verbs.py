"""What keys do to the queue: verdicts, notes, ends of processes, marks, folds, the filter. Pure.

Rules, beside those of ``step.py``
- A verdict goes to every question of the card that was on the screen for long enough (`waves`), or to those
  of the marked cards that were there when these were marked. What the filter hides is never decided.
- Several are allowed together only if each of them is of low risk; the others stay marked. Denying together
  knows no such limit.
- A folded command can be denied as a whole, never allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agentgate.actions import Verdict
from agentgate.gate.events import Ask
from agentgate.gate.risk import Level, Risk, risk
from agentgate.tui import words
from agentgate.tui.inputs import Effect, Give, Input
from agentgate.tui.modes import Cover, Mode
from agentgate.tui.prompt import Prompt
from agentgate.tui.queue import waves
from agentgate.tui.queue.filters import Filter
from agentgate.tui.queue.looking import Looked
from agentgate.tui.state import Hint, State
from agentgate.tui.steps import Purpose, Step, Verb, to_agent, why_not

__all__ = ["INPUTS", "PURPOSES", "VERBS", "EndProcesses", "Fold", "Met", "main_process"]

FILTER_HINT = "text  kind:net  program:curl  !not"


@dataclass(frozen=True, slots=True)
class EndProcesses(Effect):
    """Deny these questions and end the processes that asked them."""

    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fold(Input):
    """The header of the command of question ``number`` was clicked."""

    number: int


@dataclass(frozen=True, slots=True)
class Met(Input):
    """The record says that ``hosts`` were reached before."""

    hosts: frozenset[str]


# Which questions a key is for


def _shown(state: State, now: float) -> list[Ask]:
    """The questions that stand under the keys and were on the screen for long enough."""
    newest = waves.upto(state.upto, state.joined, now, state.arm)
    about = state.whole or state.board.card(state.current)
    return about.upto(newest) if about else []


def _marked(state: State) -> list[Ask]:
    """The marked questions, as far as the filter shows them."""
    found: list[Ask] = []
    for tag, newest in sorted(state.marks):
        card = state.board.card_of(tag)
        if card is not None and card.passes:
            found += card.upto(newest)
    return found


def _targets(state: State, now: float) -> list[Ask]:
    marks = state.subject is not None and state.subject.marks
    return _marked(state) if marks else _shown(state, now)


def _hint(state: State, text: str, now: float) -> Step:
    return Step(replace(state, hint=Hint(text, now)))


def _when_armed(verb: Verb) -> Verb:
    def armed(state: State, now: float) -> Step:
        refused = why_not(state, now)
        return _hint(state, refused, now) if refused else verb(state, now)

    return armed


# Verdicts


def _allow(state: State, now: float) -> Step:
    if state.subject is not None and state.subject.marks:
        return _allow_marked(state, now)
    if state.whole is not None:
        return _hint(state, "a folded command is not allowed as a whole: → shows its actions", now)
    return Step(
        replace(state, hint=None), tuple(Give(ask.number, Verdict.ALLOW) for ask in _shown(state, now))
    )


def _allow_marked(state: State, now: float) -> Step:
    """Those of low risk; the others stay marked, and one line says so."""
    given: list[tuple[Ask, Risk]] = []
    kept: list[tuple[Ask, Risk]] = []
    for ask in _marked(state):
        level = risk(ask.action, ask.ruling, state.scene)
        (kept if level.level > Level.LOW else given).append((ask, level))
    text = f"allowed {len(given)} of low risk"
    if kept:
        ask, level = kept[0]
        target = words.middle(words.target(ask.action), 40)
        others = f" and {len(kept) - 1} more" if len(kept) > 1 else ""
        text += f"; still to be looked at: {target} ({level.reason}){others}"
    cards = {state.board.tag(ask.number) for ask, _ in kept}
    marks = frozenset(mark for mark in state.marks if mark[0] in cards or not state.board.sees(mark[0]))
    state = replace(state, marks=marks, hint=Hint(text, now))
    return Step(state, tuple(Give(ask.number, Verdict.ALLOW) for ask, _ in given))


def _deny(state: State, now: float) -> Step:
    asks = _targets(state, now)
    return Step(_unmarked(state), tuple(Give(ask.number, Verdict.DENY) for ask in asks))


def _unmarked(state: State) -> State:
    """Without the marks that a verdict was for; those that the filter hides stay."""
    if state.subject is None or not state.subject.marks:
        return replace(state, hint=None)
    return replace(state, hint=None, marks=frozenset(m for m in state.marks if not state.board.sees(m[0])))


# A note


def _note(state: State, now: float) -> Step:
    asks = _targets(state, now)
    if not asks:
        return _hint(state, "nothing waits", now)
    label = "note for the agent" if len(asks) == 1 else f"note for {len(asks)} actions"
    prompt = Prompt("note", label, about=asks[0].number, hint="enter denies, and the agent reads this")
    return Step(replace(_unmarked(state), prompt=prompt, targets=tuple(ask.number for ask in asks)))


def _noted(state: State, prompt: Prompt, now: float) -> Step:
    """Deny what the note was opened for, whatever is selected by now."""
    note = prompt.text.strip()
    gives = tuple(Give(n, Verdict.DENY, note) for n in state.targets if state.ask(n))
    return Step(replace(state, targets=(), hint=None), gives)


def _forget(state: State, prompt: Prompt, now: float) -> Step:
    return Step(replace(state, targets=()))


# The end of a process


def main_process(state: State, ask: Ask) -> bool:
    """Whether the agent's own first process asks."""
    known = any(agent.pid == ask.action.pid for agent in state.agents)
    return len(ask.action.chain) == 1 or (known and ask.action.pid != 0)


def _end(state: State, now: float) -> Step:
    if state.whole is not None:
        return _hint(state, "it is folded: → shows the actions", now)
    asks = _shown(state, now)
    numbers = tuple(ask.number for ask in asks)
    if any(main_process(state, ask) for ask in asks):
        return Step(replace(state, cover=Cover.END, targets=numbers))
    return Step(replace(state, hint=None), (EndProcesses(numbers),))


def _confirm_end(state: State, now: float) -> Step:
    if not state.armed(now):
        return _hint(state, why_not(state, now), now)
    numbers = tuple(number for number in state.targets if state.ask(number))
    return Step(replace(state, cover=Cover.NONE, targets=()), (EndProcesses(numbers),))


# Marks, folds, the filter


def _mark(state: State, now: float) -> Step:
    """Mark what is selected with the questions that are shown, or take its mark back."""
    card = state.board.card(state.selected)
    if card is None or state.subject is None:
        return _hint(state, why_not(state, now), now)
    if state.whole is not None:
        return _hint(state, "it is folded: → shows the actions", now)
    kept = frozenset(mark for mark in state.marks if mark[0] != card.tag)
    if kept == state.marks:
        # what is drawn by now will have been seen for long enough once the mark itself has
        drawn = state.joined is not None and state.joined.drawn_at is not None
        kept = kept | {(card.tag, state.joined.upto if drawn and state.joined else state.upto)}
    return Step(replace(state, marks=kept))


def _folding(folded: bool) -> Verb:
    def fold(state: State, now: float) -> Step:
        return _fold(state, state.selected, folded)

    return fold


def _fold(state: State, number: int | None, folded: bool) -> Step:
    card = state.board.card(number)
    if number is None or card is None or (folded and card.tree.shown < 2):
        return Step(state)
    return Step(replace(state, board=state.board.fold(number, folded)))


def _clicked(state: State, event: Fold, now: float) -> Step:
    card = state.board.card(event.number)
    if card is None or state.cover is not Cover.NONE or state.prompt is not None:
        return Step(state)
    if state.mode is not Mode.CONTROL:
        return Step(state)
    return _fold(state, event.number, not card.tree.folded)


def _narrowed(state: State, text: str) -> State:
    return replace(state, board=state.board.narrow(Filter(text)))


def _open_filter(before: str) -> Verb:
    def verb(state: State, now: float) -> Step:
        text = state.board.filter.text or before
        return Step(replace(state, prompt=Prompt("queue-filter", "filter", text, hint=FILTER_HINT)))

    return verb


def _clear(state: State, now: float) -> Step:
    """One thing at a time: the marks, the filter, and then the way back to the agent."""
    if state.marks:
        return Step(replace(state, marks=frozenset()))
    if state.board.filter:
        return Step(_narrowed(state, ""))
    return Step(to_agent(state))


def _typed(state: State, prompt: Prompt, now: float) -> Step:
    return Step(_narrowed(state, prompt.text))


PURPOSES = {
    "note": Purpose(entered=_noted, closed=_forget),
    "queue-filter": Purpose(
        entered=_typed, changed=_typed, closed=lambda state, prompt, now: Step(_narrowed(state, ""))
    ),
}

INPUTS: dict[type[Input], Callable[[State, Any, float], Step]] = {
    Fold: _clicked,
    Looked: lambda state, event, now: Step(replace(state, looked=event)),
    Met: lambda state, event, now: Step(replace(state, scene=state.scene.met(event.hosts))),
}

VERBS: dict[str, Verb] = {
    "allow": _when_armed(_allow),
    "deny": _when_armed(_deny),
    "note": _when_armed(_note),
    "end": _when_armed(_end),
    "confirm-end": _confirm_end,
    "mark": _mark,
    "fold": _folding(True),
    "unfold": _folding(False),
    "filter": _open_filter(""),
    "filter-not": _open_filter("!"),
    "clear": _clear,
}
