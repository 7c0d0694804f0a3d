"""What the panel of the action is told of the question that the screen is about."""

from __future__ import annotations

import os
import time

from agentgate.gate.events import Ask
from agentgate.gate.risk import risk
from agentgate.gate.timeout import Timeout
from agentgate.intent.patience import Patience
from agentgate.tui import words
from agentgate.tui.keys.commands import Context
from agentgate.tui.modes import Mode
from agentgate.tui.queue import waves
from agentgate.tui.state import State
from agentgate.tui.widgets.detail import About

__all__ = ["about"]

_TICKS = os.sysconf("SC_CLK_TCK")


def about(state: State, ask: Ask, now: float, patience: Patience | None, timeout: Timeout | None) -> About:
    card = state.board.card(ask.number)
    newest = waves.upto(state.upto, state.joined, now, state.arm)
    looked = state.looked
    return About(
        len(card.asks) if card else 1,
        card.asks.count_upto(newest) if card else 1,
        len(state.subject.marks) if state.subject else 0,
        risk(ask.action, ask.ruling, state.scene),
        looked.look if looked is not None and looked.number == ask.number else None,
        _patience(state, ask, patience),
        state.named(ask.agent),
        _due(ask, timeout),
        _verdicts(state),
    )


def _due(ask: Ask, timeout: Timeout | None) -> str:
    if timeout is None:
        return ""
    still = " (stopped while you look)" if timeout.stopped(ask.number) else ""
    return f"; {words.age(timeout.left(ask))} left{still}"


def _verdicts(state: State) -> tuple[str, str, str]:
    """The keys that the operator has given to the verdicts."""
    context = Context.CONTROL if state.mode is Mode.CONTROL else Context.LEADER
    allow, deny = (state.keys.key_of(context, command) for command in ("allow", "deny"))
    return allow, deny, state.keys.key_of(Context.CONTROL, "always")


def _patience(state: State, ask: Ask, patience: Patience | None) -> str:
    first = state.agents[0].name if state.agents else ""
    if patience is None or ask.agent not in ("", first) or not hasattr(time, "CLOCK_BOOTTIME"):
        return ""
    left = patience.left(ask.action.chain, time.clock_gettime(time.CLOCK_BOOTTIME), _TICKS)
    if left is None:
        return ""
    given = f"{patience.agent} gives a command {_minutes(patience.seconds)} if it asks for no more"
    # in steps of five seconds, so that it does not ask for a look each second
    return f"{given}; {_minutes(left // 5 * 5)} of it left" if left > 0 else f"{given}; that is over"


def _minutes(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02}"
