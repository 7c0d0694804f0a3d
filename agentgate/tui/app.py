"""The control room: one Textual app around one session.

This is the only place where the session's events, the operator's keys and the screen meet:

    hub ──► _pump ──► Happened ──┐
    keys, clicks, sizes ─────────┼─► tell ──► step (pure) ──► effects ──► session
    drawn, hint over ────────────┘              └──► show ──► widgets

Keys are taken here before any widget sees them, because only the state knows whose they are: the
operator's, or the agent's, and then they go on to the terminal pane.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import events, on
from textual.app import App
from textual.binding import BindingType
from textual.message import Message

from agentgate.gate import build
from agentgate.gate.events import Asked, Decided, Event, Notice, Settled, Withdrawn
from agentgate.gate.hosts import recorded_hosts
from agentgate.intent.patience import patience
from agentgate.session import Session
from agentgate.tui import attention, bars, hearing, pointing
from agentgate.tui.agents.panes import Panes
from agentgate.tui.agents.roster import Agent
from agentgate.tui.agents.switching import suggested
from agentgate.tui.config import Config
from agentgate.tui.inputs import (
    Clicked,
    Drawn,
    Happening,
    HintOver,
    Pasted,
    Pressed,
    Resized,
    Subject,
)
from agentgate.tui.keys.palette import Chosen
from agentgate.tui.launch import pane_environment, terminal_is_gone
from agentgate.tui.modes import Cover, Panel
from agentgate.tui.overlay import Overlay
from agentgate.tui.performing import Performing
from agentgate.tui.policy import editors
from agentgate.tui.queue.looking import Looker
from agentgate.tui.queue.showing import about
from agentgate.tui.queue.verbs import Fold, Met
from agentgate.tui.record.browse import Place
from agentgate.tui.record.verbs import OpenRecord
from agentgate.tui.room import Room
from agentgate.tui.state import HINT_SECONDS, State
from agentgate.tui.step import step
from agentgate.tui.terminal.messages import PaneMessage
from agentgate.tui.theme import VARIABLES, theme
from agentgate.tui.widgets import covers
from agentgate.tui.widgets.audit import AuditPanel
from agentgate.tui.widgets.detail import About
from agentgate.tui.widgets.program import Program
from agentgate.tui.widgets.queue import QueuePanel

__all__ = ["GATE_LOST", "ControlRoom"]

GATE_LOST = 70
"""Exit status when the gate was lost and the agent's own status is not known (EX_SOFTWARE, sysexits.h)."""

BATCH = 1000
"""Events taken in before keys get their turn again: about 30 ms of them."""


class ControlRoom(App[int], inherit_bindings=False):
    """Runs the agent of ``session`` in a pane; ``return_value`` is the agent's exit status."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = []  # no ctrl+q, no ctrl+c: those keys are the agent's
    CSS = "Screen { overflow: hidden; }"

    class Happened(Message):
        """Events of the session, in order."""

        def __init__(self, happened: list[Event]) -> None:
            super().__init__()
            self.happened = happened

    def __init__(self, session: Session, config: Config | None = None) -> None:
        config = config or Config()
        super().__init__()
        self.choose_theme(config.theme)
        self.session = session
        name, command = session.settings.agent, session.settings.command
        self.state = State(
            keys=config.keys,
            arm=config.arm_seconds,
            agents=(Agent(name),),
            shown=name,
            command=suggested(command),
            agent_clipboard=config.agent_clipboard,
            scene=build.scene(session.settings),
        )
        self.start_error: Exception | None = None
        self.failure: Exception | None = None
        self._room = Room(name)
        if session.timeout:
            self._room.queue.left = session.timeout.left
        self._room.pane.leader = config.keys.leaders[0]
        self._room.files.agents = lambda: [*session.agents, *session.closed]
        self._queue = session.hub.subscribe()
        self._room.policy.begin(session.context(), session.policy_file)
        self._overlay = Overlay(self, self._room, session)
        self._looker = Looker(self.tell)
        self._panes = Panes(self, session, self._room)
        self._performing = Performing(self, session, self._room, self._overlay, self._panes)
        self._leaving = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._attention = attention.Attention(session.settings.agent, config.notifications)
        session.settings = replace(session.settings, env=pane_environment(session.settings.env))

    # Start and end

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    def choose_theme(self, name: str) -> None:
        """Show everything in the theme of that name, one of ``theme.NAMES``."""
        # (what stands for a terminal where there is none, in pictures, has all colours)
        on_terminal = self._driver is not None and not self.is_headless
        made = theme(name, sixteen=on_terminal and self.console.color_system == "standard")
        self.register_theme(made)
        self.theme = made.name

    def get_default_screen(self) -> Room:
        return self._room

    def on_mount(self) -> None:
        self._attention.begin(self)
        self.choose_theme(self.theme)  # once more: now it is known for what terminal
        self.set_interval(1.0, self._every_second)
        self.tell(Resized(*self.size))
        self.call_after_refresh(self._start)

    async def _start(self) -> None:
        """Run the agent in its pane. When that cannot be, leave with the reason."""
        try:
            await self._panes.start_first()
        except Exception as error:
            self.start_error = error
            self.exit(1)
            return
        log = self.session.audit
        self._room.audit.open(Place(log.path, self.session.id, log.begin))
        self.spawn(self._pump())
        self.spawn(self._remember())
        self.show()

    async def _pump(self) -> None:
        """Carry what the session says into the app's own queue of messages, in batches."""
        while True:
            batch = [await self._queue.get()]
            while not self._queue.empty() and len(batch) < BATCH:
                batch.append(self._queue.get_nowait())
            self.post_message(self.Happened(batch))
            await asyncio.sleep(1 / 60)  # what comes faster than it can be drawn comes together

    async def _remember(self) -> None:
        """Find out what an action is told by: hosts that were reached before, how long the agent waits."""
        settings = self.session.settings
        home = build.context(settings).home
        found = await asyncio.to_thread(patience, settings.command, settings.env, str(settings.project), home)
        self._overlay.patience = found
        self.tell(Met(await asyncio.to_thread(recorded_hosts, settings.audit)))

    async def leave_after_output(self) -> None:
        await self._panes.drained()
        await asyncio.sleep(0.05)  # the last lines are painted
        if not self.state.asks and not self.state.running:
            await self.leave()

    def end_by_signal(self, number: int) -> None:
        """End the agent, then the app, with the status of a program that signal ``number`` ended."""
        self.spawn(self.leave(128 + number))

    async def leave(self, status: int | None = None) -> None:
        """End the agent if it still runs, and exit with ``status``, else with the agent's."""
        if self._leaving:
            return
        self.tell(Notice("ending the agents" if self.state.running > 1 else "ending the agent", urgent=True))
        self._leaving = True
        try:
            await self.session.close()
            self._take_rest()
            if status is None:
                status = await asyncio.wait_for(self.session.wait(), 2.0)
        finally:
            self.exit(status if status is not None else GATE_LOST if self.state.lost else 1)

    def _take_rest(self) -> None:
        """What the end of the session had to say: the last denies count too."""
        rest: list[Event] = []
        while not self._queue.empty():
            rest.append(self._queue.get_nowait())
        # a hundred thousand questions that end here are not taken off the screen one by one
        self.tell(*(event for event in rest if not isinstance(event, Asked | Settled | Withdrawn)))

    def on_unmount(self) -> None:
        self._attention.end(self)
        for task in list(self._tasks):
            task.cancel()
        self._panes.close_all()

    def spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._handle_exception(error)

    def _handle_exception(self, error: Exception) -> None:
        """Textual calls this with whatever a handler raised. Close, and leave what is said to `running`: no
        traceback on the screen, its words may be the agent's."""
        self.failure = self.failure or error
        self.session.gate.close("the control room failed")
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    # The one place where things happen

    def tell(self, *happenings: Happening, at: float | None = None) -> None:
        """Take in what happened, do what follows from it, and show the outcome. ``at`` is the moment of
        a key press on the clock of ``time.monotonic``."""
        before = self.state
        for happening in happenings:
            if isinstance(happening, Decided):
                self._room.audit.wake()
                self._room.policy.count(happening.records)
            result = step(self.state, happening, time.monotonic() if at is None else at)
            self.state = result.state
            for effect in result.effects:
                self._performing.do(effect)
        if not all(isinstance(happening, Decided) for happening in happenings):
            self._after(before)
            self.show()

    def _after(self, before: State) -> None:
        """The timers and signals that follow a change of the state."""
        state = self.state
        if state.subject is not None and state.drawn_at is None:
            self.call_after_refresh(self._drawn, state.subject, state.upto)
        elif state.subject is not None and state.joined is not None and state.joined.drawn_at is None:
            self.call_after_refresh(self._drawn, state.subject, state.joined.upto)
        elif state.subject is not None and state.joined is not None and state.joined != before.joined:
            # once these count, the next wave begins
            self.set_timer(state.arm + 0.01, partial(self._drawn, state.subject, state.joined.upto))
        if state.drawn_at is not None and before.drawn_at is None:
            self.set_timer(state.arm + 0.01, self.show)
        if state.hint is not None and state.hint != before.hint and not state.hint.urgent:
            at = state.hint.at
            self.set_timer(HINT_SECONDS, lambda: self.tell(HintOver(at)))
        if len(state.asks) != len(before.asks):
            self._attention.waiting(self, len(state.asks), state.waiting)

    def _drawn(self, subject: Subject, upto: int) -> None:
        self.tell(Drawn(subject, upto))

    # Showing

    def facts(self) -> bars.Facts:
        session = self.session
        return bars.Facts(
            self.state.shown, session.gate_kind, session.policy_file.label, session.mark,
            denies=bool(session.audit.failed),
            reads=session.holds_reads,
        )  # fmt: skip

    def show(self) -> None:
        if not self._room.is_mounted or self._leaving:
            return
        state, now = self.state, time.monotonic()
        if self.session.timeout:
            self.session.timeout.look(state.looked_at if self.app_focus else ())
        ask = state.ask(state.current)
        refusal = self.session.may_always(ask) if ask else ""
        self._looker.follow(ask)
        more = about(state, ask, now, self._overlay.patience, self.session.timeout) if ask else About()
        self._room.show(state, self.facts(), self.session.policy, refusal, more, now)
        self._overlay.show(state, now)

    def _every_second(self) -> None:
        self._attention.waiting(self, len(self.state.asks), self.state.waiting)
        if self.state.asks:
            self.show()
        if not self.is_headless and terminal_is_gone():
            self.end_by_signal(signal.SIGHUP)

    def save_svg(self, path: str | os.PathLike[str]) -> None:
        """Write a picture of the screen as it is now."""
        Path(path).write_text(self.export_screenshot(title="agentgate"), encoding="utf-8")

    # What Textual tells

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not event.is_forwarded and self.state.takes(event.key):
            self.app_focus = True
            self.tell(Pressed(event.key, event.character), at=event.time)
            return
        if isinstance(event, events.Paste) and not event.is_forwarded and self.state.prompt is not None:
            self.tell(Pasted(event.text))
            return
        await super().on_event(event)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """A press of the button that no widget kept for itself: it may change the mode."""
        ask = self.state.ask(self.state.current)
        always = ask is not None and not self.session.may_always(ask)
        for happening in pointing.pointed(event, self._room, self.state, always):
            self.tell(happening, at=event.time)

    def on_cover_picked(self, message: covers.Cover.Picked) -> None:
        if message.row is None:
            self.tell(Pressed("escape"), at=message.time)
        elif self.state.cover is Cover.PALETTE:
            self.tell(Chosen(message.row), at=message.time)

    def on_control_room_happened(self, message: Happened) -> None:
        self.tell(*message.happened)

    def on_resize(self, event: events.Resize) -> None:
        self.tell(Resized(event.size.width, event.size.height))

    def on_program_ended(self, message: Program.Ended) -> None:
        editors.program_ended(self._performing, message.status)

    def on_queue_panel_picked(self, message: QueuePanel.Picked) -> None:
        self.tell(Clicked(Panel.QUEUE, message.number))

    def on_queue_panel_folded(self, message: QueuePanel.Folded) -> None:
        self.tell(Clicked(Panel.QUEUE), Fold(message.number))

    def on_audit_panel_opened(self, message: AuditPanel.Opened) -> None:
        self._performing.do(OpenRecord())

    def on_terminal_pane_closed(self, message: PaneMessage) -> None:
        self._panes.output_ended(message.pane)

    def on_terminal_pane_input_dropped(self, message: PaneMessage) -> None:
        name = self._panes.called(message.pane)
        self.tell(Notice(f"{name} does not read its terminal: what was typed is lost", urgent=True))

    @on(PaneMessage)
    def _hear(self, message: PaneMessage) -> None:
        hearing.hear(self, self._performing, message)

    def on_terminal_pane_bell(self, message: PaneMessage) -> None:
        self._attention.ring(self)
        if message.pane is not self._room.pane:
            self.tell(Notice(f"{self._panes.called(message.pane)} rang its bell"))
