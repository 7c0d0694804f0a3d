"""The terminals of the room's agents: a pseudo-terminal and a pane for each, from its start to its end.

Which of them is in view is the state's business; nothing here changes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from textual.widget import AwaitMount

from agentgate.agent import AgentRun
from agentgate.escape import printable
from agentgate.intercept.backend import GateUnavailable
from agentgate.programs import cannot_run
from agentgate.pty import Pty
from agentgate.session import Session
from agentgate.tui.agents.switching import (
    AgentAdded,
    AgentClosed,
    AgentFailed,
    CloseAgent,
    CommandRefused,
    StartAgent,
)
from agentgate.tui.inputs import Effect
from agentgate.tui.room import Room
from agentgate.tui.terminal.pane import TerminalPane

if TYPE_CHECKING:
    from agentgate.tui.performing import Desk, Handler, Performing

__all__ = ["HANDLERS", "Panes"]

LAST_OUTPUT_SECONDS = 1.0
"""How long to wait for the end of an agent's output once it ended: a process that it left behind may hold the
terminal open."""

_NAME = 24  # characters of a command's name that are repeated beside its line


class Panes:
    def __init__(self, desk: Desk, session: Session, room: Room) -> None:
        self._desk = desk
        self._session = session
        self._room = room
        self._ptys: dict[str, Pty] = {}
        self._output_ended: dict[str, asyncio.Event] = {}

    def name_of(self, pane: TerminalPane) -> str:
        """Whose terminal ``pane`` is; empty for one that was closed."""
        return next((name for name, known in self._room.panes.items() if known is pane), "")

    def called(self, pane: TerminalPane) -> str:
        """What its agent is called in a sentence: by name where there are several. Safe to show."""
        name = self.name_of(pane)
        return printable(name, 40) if self._desk.state.several and name else "the agent"

    async def start_first(self) -> None:
        """Run the session's own agent in the pane that is there. Raises what ``Session.start`` raises."""
        name = self._session.settings.agent
        pty = self._open(name)
        await self._session.start((pty.slave, pty.slave, pty.slave), controlling=True)
        pty.close_slave()
        self._room.panes[name].attach(pty)

    def start(self, command: tuple[str, ...]) -> None:
        """Run one more agent. Its pane is there at once, and takes what is typed ahead."""
        run = self._session.prepare(command)
        mounted = self._room.add(run.name, self._desk.state.plan.agent)
        self._desk.tell(AgentAdded(run.name))
        self._desk.spawn(self._start(run, self._open(run.name), mounted))

    async def _start(self, run: AgentRun, pty: Pty, mounted: AwaitMount) -> None:
        try:
            await self._session.add(run, (pty.slave, pty.slave, pty.slave), controlling=True)
        except (GateUnavailable, OSError) as error:
            why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            self._output_ended[run.name].set()
            self._desk.tell(AgentFailed(run.name, printable(why, 400)))
            return
        finally:
            pty.close_slave()
        await mounted
        if self._ptys.get(run.name) is pty:
            self._room.panes[run.name].attach(pty)

    def _open(self, name: str) -> Pty:
        """A pseudo-terminal as large as the pane will be."""
        box = self._desk.state.plan.agent
        self._output_ended[name] = asyncio.Event()
        self._ptys[name] = pty = Pty.open(max(box.height, 1), max(box.width, 1))
        return pty

    def output_ended(self, pane: TerminalPane) -> None:
        """Nobody has the terminal of ``pane`` open any more."""
        event = self._output_ended.get(self.name_of(pane))
        if event is not None:
            event.set()

    async def drained(self) -> None:
        """Return when all that agents wrote was taken in, at the latest after `LAST_OUTPUT_SECONDS`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_OUTPUT_SECONDS):
                for event in list(self._output_ended.values()):
                    await event.wait()

    def close(self, name: str) -> None:
        """Take the terminal of agent ``name`` out of the room, and the agent out of the session."""
        self._close(name)
        self._desk.tell(AgentClosed(name))
        self._room.drop(name)
        self._desk.spawn(self._session.remove(name))

    def close_all(self) -> None:
        for name in list(self._ptys):
            self._close(name)

    def _close(self, name: str) -> None:
        pty = self._ptys.pop(name, None)
        self._output_ended.pop(name, None)
        pane = self._room.panes.get(name)
        if pty is not None:
            if pane is not None:
                pane.detach()
            pty.close()


def _start_agent(to: Performing, effect: StartAgent) -> None:
    name, *rest = effect.command
    command = (os.path.expanduser(name), *rest)
    settings = to.session.settings
    lacking = cannot_run(command[0], settings.env, settings.project)
    if lacking is not None:
        shown = name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"
        to.desk.tell(CommandRefused(effect.text, f"{shown}: {lacking.strerror}"))
    else:
        to.panes.start(command)


HANDLERS: dict[type[Effect], Handler] = {
    StartAgent: _start_agent,
    CloseAgent: lambda to, effect: to.panes.close(effect.name),
}
