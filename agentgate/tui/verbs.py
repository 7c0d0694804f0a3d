"""What each command of the table does to the state: one small function a command."""

from __future__ import annotations

from dataclasses import replace

from agentgate.tui import checks, history
from agentgate.tui.agents import switching
from agentgate.tui.answers import standing
from agentgate.tui.answers import verbs as longer
from agentgate.tui.changes import verbs as files
from agentgate.tui.inputs import Examine, Move, Moves, Quit
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.policy import verbs as rules
from agentgate.tui.prompt import Prompt
from agentgate.tui.queue import verbs as verbs_queue
from agentgate.tui.record import verbs as record_keys
from agentgate.tui.state import State
from agentgate.tui.steps import Step, Verb, just, to_agent, to_control, to_panel

__all__ = ["VERBS"]


_FAR = 1 << 40  # rows: more than there can be


def _move(how: Moves) -> Verb:
    def move(state: State, now: float) -> Step:
        if state.cover is not Cover.NONE:
            return Step(state, (Move(None, how),))
        if state.panel is not Panel.QUEUE:
            return Step(state, (Move(state.panel, how),))
        by = {"next": 1, "previous": -1, "page-down": 5, "page-up": -5, "first": -_FAR, "last": _FAR}[how]
        return Step(replace(state, selected=state.board.moved(state.selected, by)))

    return move


def _turn(by: int) -> Verb:
    def turn(state: State, now: float) -> Step:
        return Step(to_panel(state, Panel((state.panel - 1 + by) % len(Panel) + 1)))

    return turn


def _quit(state: State, now: float) -> Step:
    """Ask first when leaving would end or deny something."""
    if state.gone or (state.status is not None and not state.asks):
        return Step(state, (Quit(),))
    return Step(replace(state, cover=Cover.QUIT))


def _full(state: State, now: float) -> Step:
    if state.panel is Panel.POLICY:
        return Step(replace(state, cover=Cover.RULE))
    if state.panel is Panel.FILES:
        return Step(state, (files.Differ(),))
    if state.panel is not Panel.AUDIT and state.selected is not None:
        return Step(replace(state, cover=Cover.ACTION))
    return Step(state)


def _zoom(state: State, now: float) -> Step:
    if state.mode is Mode.AGENT:
        return Step(replace(state, wide=not state.wide))
    return Step(replace(state, zoom=not state.zoom))


def _find_in_help(state: State, now: float) -> Step:
    if state.cover is not Cover.HELP:
        return Step(state)
    return Step(replace(state, prompt=Prompt("help", "find", state.sought)))


def _close(state: State, now: float) -> Step:
    return Step(replace(longer.closed(state), sought=""))


VERBS: dict[str, Verb] = {
    **longer.VERBS,
    **verbs_queue.VERBS,
    **standing.VERBS,
    "control": lambda state, now: Step(to_control(state)),
    "agent": lambda state, now: Step(to_agent(state)),
    "cancel": just(hint=None),
    "quit": _quit,
    "confirm": lambda state, now: Step(replace(state, cover=Cover.NONE), (Quit(),)),
    "close": _close,
    "full": _full,
    "zoom": _zoom,
    "help": just(cover=Cover.HELP),
    "find-in-help": _find_in_help,
    "palette": lambda state, now: Step(
        replace(
            state,
            cover=Cover.PALETTE,
            choice=0,
            prompt=Prompt("palette", ":", hint="letters of what it does"),
        )
    ),
    "health": lambda state, now: Step(replace(state, cover=Cover.HEALTH), (Examine(),)),
    "next-panel": _turn(1),
    "previous-panel": _turn(-1),
    **{how: _move(how) for how in ("next", "previous", "page-down", "page-up", "first", "last")},
    **{
        f"panel-{panel.value}": lambda state, now, panel=panel: Step(to_panel(state, panel))  # type: ignore[misc]
        for panel in Panel
    },
    **history.VERBS,
    **record_keys.VERBS,
    **checks.VERBS,
    **switching.VERBS,
    **rules.VERBS,
    **files.VERBS,
}
