"""What the panel of the action is told: how many ask the same, the risk, the agent's own time-out."""

from __future__ import annotations

import time

import pytest
from room_kit import INSTALL, process
from test_tui_board import by

from agentgate.actions import Action, Kind, Process
from agentgate.gate.events import Ask
from agentgate.gate.risk import Level
from agentgate.intent.patience import Patience
from agentgate.tui.agents.roster import Agent
from agentgate.tui.ink import plain
from agentgate.tui.queue.asks import Asks
from agentgate.tui.queue.look import Look
from agentgate.tui.queue.looking import Looked
from agentgate.tui.queue.showing import about
from agentgate.tui.queue.waves import Joined
from agentgate.tui.state import State
from agentgate.tui.widgets.detail import describe

CLAUDE = Patience("claude", 120.0)


def asked(agent: str = "claude", ran: float = 30.0) -> Ask:
    """A command that the agent's own shell has run for ``ran`` seconds."""
    ticks = 100
    start = int((time.clock_gettime(time.CLOCK_BOOTTIME) - ran) * ticks)
    shell = Process(200, ("/bin/bash", "-c", "npm install x"), "/bin/bash", start)
    action = Action(
        Kind.EXEC, "npm install x", ("npm", "install", "x"), chain=(shell, process(100, "claude"))
    )
    return Ask(1, action, INSTALL, 0.0, "kernel", agent)


def state(*asks: Ask, **changes: object) -> State:
    return State(asks=Asks(asks), agents=(Agent("claude"), Agent("other")), **changes)  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="no clock that counts from the boot")
def test_the_agents_time_out_is_said_where_it_is_known() -> None:
    ask = asked()
    assert about(state(ask), ask, 1.0, CLAUDE, None).patience.startswith(
        "claude gives a command 2:00 if it asks for no more; 1:"
    )
    assert about(state(ask), ask, 1.0, None, None).patience == ""
    late = asked(ran=130.0)
    assert about(state(late), late, 1.0, CLAUDE, None).patience.endswith("that is over")
    other = asked("other")
    assert about(state(other), other, 1.0, CLAUDE, None).patience == ""


def test_risk_and_what_was_found_of_its_files_are_those_of_the_question() -> None:
    ask = asked()
    found = Look("a file, 3 bytes")
    assert about(state(ask), ask, 1.0, None, None).risk.level is Level.MEDIUM  # type: ignore[union-attr]
    assert about(state(ask, looked=Looked(1, found)), ask, 1.0, None, None).look is found
    assert about(state(ask, looked=Looked(2, found)), ask, 1.0, None, None).look is None


def test_those_that_came_since_are_counted_apart() -> None:
    same = [by(n, Kind.EXEC, "make", number=n) for n in (1, 2, 3)]
    shown = state(*same, upto=1, joined=Joined(2, 10.0))
    early, later = about(shown, same[0], 10.1, None, None), about(shown, same[0], 10.6, None, None)
    assert (early.many, early.shown, later.shown) == (3, 1, 2)
    text = " ".join(plain(line).strip() for line in describe(same[0], "", 1.0, "", True, 80, later))
    assert "3 processes ask for the same; one answer is for all; 1 came since, and a key does not" in text
