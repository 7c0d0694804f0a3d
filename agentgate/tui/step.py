"""How the room changes: events in, a new state and effects out. No I/O, no widgets, no clock of its own.

Rules
- A verdict names the question that was on the screen when the key was pressed, by its number. Never
  "whatever is first now".
- A verdict key counts only when that question has been on the screen for `ARM_SECONDS`: from the moment
  it was drawn (`Drawn`) to the moment the key was pressed, both on the clock of ``time.monotonic``.
  Whatever changes the question under the keys - an answer, a move, a cover - starts that time anew.
- An arrival moves nothing: neither mode, nor panel, nor selection. The selection follows its question;
  when that is settled, it moves to the neighbour.
- In AGENT mode no key but the leader and the one key after it is looked at.

`step` is the whole machine; the app performs the effects and shows the state. What single keys do stands in
``verbs.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agentgate.actions import Answer, Verdict
from agentgate.gate.events import (
    AgentEnded,
    AgentLeft,
    AgentStarted,
    Ask,
    Asked,
    Decided,
    GateLost,
    Notice,
    PolicyChanged,
    Settled,
    Withdrawn,
)
from agentgate.gate.risk import reached
from agentgate.tui import checks, history
from agentgate.tui.agents import roster as agents
from agentgate.tui.agents import switching
from agentgate.tui.agents.news import heard
from agentgate.tui.agents.switching import AgentClosed
from agentgate.tui.answers import standing
from agentgate.tui.answers import verbs as longer
from agentgate.tui.changes import verbs as files
from agentgate.tui.inputs import (
    AlwaysRefused,
    Clicked,
    Drawn,
    Happening,
    HintOver,
    Input,
    Leave,
    Pasted,
    Pressed,
    Resized,
    Subject,
)
from agentgate.tui.keys import palette
from agentgate.tui.keys.commands import Context
from agentgate.tui.modes import EDITORS, Cover, Mode
from agentgate.tui.policy import verbs as rules
from agentgate.tui.policy.verbs import EditorClosed
from agentgate.tui.pressing import press
from agentgate.tui.prompt import insert
from agentgate.tui.purposes import changed
from agentgate.tui.queue import verbs as verbs_queue
from agentgate.tui.queue.board import Tree
from agentgate.tui.queue.fatigue import offer
from agentgate.tui.queue.leaving import without
from agentgate.tui.queue.waves import Joined, joins
from agentgate.tui.record import verbs as record_keys
from agentgate.tui.state import Hint, State
from agentgate.tui.steps import Step, to_agent, to_control, to_panel

__all__ = ["step"]

_PARTS: dict[type[Input], Callable[[State, Any, float], Step]] = {
    **history.PARTS,
    **files.PARTS,
    **record_keys.PARTS,
    **checks.PARTS,
    **longer.PARTS,
    **standing.PARTS,
    **switching.PARTS,
    **palette.PARTS,
    **rules.PARTS,
    **verbs_queue.INPUTS,
}
"""What only one part of the room tells: each part merges its own table."""


def step(state: State, event: Happening, now: float) -> Step:
    """What ``event`` at ``now`` makes of ``state``. For a key, ``now`` is when it was pressed."""
    match event:
        case Pressed():
            result = press(state, event, now)
        case Pasted(text):
            prompt = state.prompt
            result = changed(state, insert(prompt, text), now) if prompt else Step(state)
        case Drawn(subject):
            result = Step(_drawn(state, event, now) if subject == state.subject else state)
        case Clicked():
            result = Step(_click(state, event))
        case Asked(ask):
            board = state.board.plus(ask)
            waiting = agents.waits(state.agents, ask.agent, 1)
            result = Step(replace(state, agents=waiting, asks=board.asks, board=board))
        case Settled(ask, answer):
            result = Step(_remove(_note_pace(state, ask, answer, now), ask, event, now))
        case Withdrawn(ask):
            result = Step(_remove(state, ask, event, now))
        case Decided(records):
            denied = sum(record.answer.verdict is Verdict.DENY for record in records)
            scene = state.scene.met(reached(records))
            decided = state.decided + len(records)
            return Step(replace(state, decided=decided, denied=state.denied + denied, scene=scene))
        case _ if isinstance(event, Input) and type(event) in _PARTS:
            result = _PARTS[type(event)](state, event, now)
        case _:
            result = Step(_note(state, event, now))
    ended = isinstance(event, AgentEnded | AgentClosed | Settled | Withdrawn | EditorClosed)
    return _settle_subject(result, now, ended)


def _note_pace(state: State, ask: Ask, answer: Answer, now: float) -> State:
    subject, since = state.subject, state.drawn_at
    here = subject is not None and subject.number == ask.number and since is not None
    return replace(state, pace=state.pace.noted(ask, answer, now - (since or now) if here else None, now))


def _offer(state: State, subject: Subject, now: float) -> State:
    """Offer a rule for what was allowed often, once when it is shown."""
    ask = state.ask(subject.number)
    if ask is None or subject.sheet or (state.hint is not None and state.hint.urgent):
        return state
    keys = state.keys.key_of(Context.CONTROL, "always")
    if state.mode is Mode.AGENT:
        keys = f"{state.keys.lead} {state.keys.key_of(Context.LEADER, 'control')} {keys}"
    text = offer(state.pace, ask, keys)
    return replace(state, hint=Hint(text, now)) if text else state


def _drawn(state: State, event: Drawn, now: float) -> State:
    """What is on the screen now may be less than what is known by now: then that is drawn next."""
    upto = event.upto
    if state.drawn_at is None:
        state = replace(state, drawn_at=now, upto=min(upto, state.upto) if upto else state.upto)
        return _offer(state, event.subject, now)
    joined = state.joined
    if joined is not None and joined.drawn_at is None and state.upto < upto:
        return replace(state, joined=Joined(min(upto, joined.upto), now))
    return state


def _settle_subject(result: Step, now: float, ended: bool) -> Step:
    """Keep selection and subject true to the rest, and leave when there is nothing left to do."""
    state, effects = result.state, result.effects
    row = None
    if state.mode is Mode.CONTROL:
        row = state.board.row_of(state.selected)
        selected = row.first.number if row else state.board.at(0)
        if selected != state.selected:
            state = replace(state, selected=selected)
            row = state.board.row_of(selected)
    subject = None
    if state.prompt is not None:
        pass  # letters are letters; what is shown counts anew when the text is taken
    elif state.cover is Cover.SHEET and state.sheet is not None:
        subject = Subject(state.sheet.number, sheet=True, choice=state.sheet.choice)
    elif state.cover is Cover.END and state.targets:
        subject = Subject(state.targets[0], end=True)
    elif state.cover is Cover.NONE and state.current is not None and state.plan.shows_ask:
        marks = state.marks if state.mode is Mode.CONTROL else frozenset()
        subject = Subject(state.current, whole=isinstance(row, Tree), marks=marks)
    newest = 0
    if subject is not None:
        about = row or state.board.card(subject.number)
        newest = about.newest if about else 0
    if subject != state.subject:
        state = replace(state, subject=subject, drawn_at=None, upto=newest, joined=None)
    elif newest > state.upto and state.drawn_at is None:
        state = replace(state, upto=newest)
    elif newest > state.upto:
        upto, joined = joins(state.upto, state.joined, newest, now, state.arm)
        if (upto, joined) != (state.upto, state.joined):
            state = replace(state, upto=upto, joined=joined)
    writing = state.cover in EDITORS  # what is typed there is not dropped for that
    if ended and state.status is not None and not state.asks and not state.lost and not writing:
        effects = (*effects, Leave())
    return Step(state, effects)


def _note(state: State, event: Happening, now: float) -> State:
    """The events that only set a field or two."""
    match event:
        case Resized(width, height):
            return replace(state, width=width, height=height)
        case AlwaysRefused(why):
            return replace(state, hint=Hint(f"not always: {why}", now))
        case HintOver(at) if state.hint and state.hint.at == at:
            return replace(state, hint=None)
        case AgentStarted() | AgentEnded() | AgentLeft() | GateLost():
            return heard(state, event, now)
        case PolicyChanged(label, error):
            text = "policy refused, the old one stays in force" if error else f"policy in force: {label}"
            return replace(state, policy_error=error, hint=Hint(text, now, urgent=bool(error)))
        case Notice(text, urgent):
            return replace(state, hint=Hint(text, now, urgent))
    return state


def _remove(state: State, ask: Ask, event: Settled | Withdrawn, now: float) -> State:
    """``ask`` waits no more: take it out, move a selection that stood on it to the neighbour."""
    if state.ask(ask.number) is None:
        return state
    said = state.hint
    state = replace(without(state, ask, now), agents=agents.waits(state.agents, ask.agent, -1))
    if state.sheet and state.sheet.number == ask.number:
        gone = Hint("it no longer waits; no rule was written", now)
        state = longer.closed(state)
        if isinstance(event, Withdrawn):
            state = replace(state, hint=gone)
    elif isinstance(event, Withdrawn) and state.hint is said:
        state = replace(state, hint=Hint(f"action {ask.number} is gone: its process waits no more", now))
    return state


def _click(state: State, click: Clicked) -> State:
    if state.cover is not Cover.NONE:
        return state
    if click.panel is None:
        return to_agent(state)
    state = to_panel(to_control(state), click.panel)
    if click.number is not None and state.board.row_of(click.number):
        state = replace(state, selected=click.number)
    return state
