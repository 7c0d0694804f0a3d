"""Does what a step asks to be done: one small handler for each kind of effect.

A part of the room with effects of its own puts their handlers into a module of its own, as one table that is
merged into `HANDLERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from agentgate.actions import Verdict
from agentgate.doctor.remote import examine
from agentgate.gate.ending import end_process
from agentgate.gate.events import Notice
from agentgate.session import Session
from agentgate.tui import hearing
from agentgate.tui.agents import panes
from agentgate.tui.agents.panes import Panes
from agentgate.tui.answers import remembering
from agentgate.tui.changes import filing
from agentgate.tui.inputs import (
    Effect,
    Examine,
    Give,
    Happening,
    Leave,
    Move,
    Quit,
    SendLeader,
    SetTheme,
)
from agentgate.tui.overlay import Overlay
from agentgate.tui.policy import editing, editors
from agentgate.tui.queue.verbs import EndProcesses
from agentgate.tui.record import recounting
from agentgate.tui.room import Room
from agentgate.tui.state import State
from agentgate.tui.widgets.health import Health

__all__ = ["HANDLERS", "Desk", "Handler", "Performing"]


class Desk(Protocol):
    """What handlers use of the app."""

    def choose_theme(self, name: str) -> None: ...

    @property
    def state(self) -> State: ...

    def tell(self, *happenings: Happening, at: float | None = None) -> None: ...

    def spawn(self, work: Coroutine[object, object, None]) -> None: ...

    def show(self) -> None: ...

    async def leave(self, status: int | None = None) -> None: ...

    async def leave_after_output(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Performing:
    """What there is to do things with."""

    desk: Desk
    session: Session
    room: Room
    overlay: Overlay
    panes: Panes

    def do(self, effect: Effect) -> None:
        HANDLERS[type(effect)](self, effect)


Handler = Callable[[Performing, Any], None]


def _give(to: Performing, effect: Give) -> None:
    to.session.gate.answer(effect.number, effect.verdict, note=effect.note)


def _move(to: Performing, effect: Move) -> None:
    (to.overlay if effect.panel is None else to.room.panels[effect.panel]).move(effect.how)


def _send_leader(to: Performing, effect: SendLeader) -> None:
    to.room.pane.leader = effect.key
    to.room.pane.send_leader()


def _examine(to: Performing, effect: Examine) -> None:
    if not to.overlay.health.trying:
        to.overlay.health = Health(trying=True)
        to.desk.spawn(_find_out(to))


async def _find_out(to: Performing) -> None:
    """Find out, in a process of its own, what holds on this machine; the cover shows it."""
    try:
        to.overlay.health = Health(await examine())
    except OSError as error:
        to.overlay.health = Health(error=error.strerror or str(error))
    to.desk.show()


def _end_processes(to: Performing, effect: EndProcesses) -> None:
    """Deny first, so that the record says who decided; the processes end before they can learn of it."""
    ended = 0
    why = ""
    for number in effect.numbers:
        ask = to.desk.state.ask(number)
        if ask is None or not to.session.gate.answer(number, Verdict.DENY, note="its process was ended"):
            continue
        try:
            ended += bool(ask.action.chain) and end_process(ask.action.chain[0])
            why = why or ("" if ask.action.chain else "it is not known which process that was")
        except OSError as error:
            why = error.strerror or str(error)
    what = "1 process" if ended == 1 else f"{ended} processes"
    text = f"denied; ended {what}" + (f"; not ended: {why}" if why else "")
    to.desk.tell(Notice(text, urgent=bool(why)))


HANDLERS: dict[type[Effect], Handler] = {
    Give: _give,
    EndProcesses: _end_processes,
    SendLeader: _send_leader,
    Move: _move,
    Leave: lambda to, effect: to.desk.spawn(to.desk.leave_after_output()),
    Quit: lambda to, effect: to.desk.spawn(to.desk.leave()),
    Examine: _examine,
    **hearing.HANDLERS,
    **panes.HANDLERS,
    **filing.HANDLERS,
    **remembering.HANDLERS,
    **recounting.HANDLERS,
    SetTheme: lambda to, effect: to.desk.choose_theme(effect.name),
    **editing.HANDLERS,
    **editors.HANDLERS,
}
