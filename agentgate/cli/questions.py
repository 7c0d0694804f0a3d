"""The questions of one run, one after the other: which is shown, and what a key does to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from agentgate.actions import Source, Verdict
from agentgate.cli import box, keys
from agentgate.escape import printable
from agentgate.gate.events import AgentLeft, Ask, Asked, Event, GateLost, Notice, Settled, Withdrawn
from agentgate.policy.errors import PolicyError
from agentgate.policy.suggest import Draft
from agentgate.session import Session

__all__ = ["HOLD", "Questions", "Screen"]

HOLD = 0.5  # seconds a question is on the screen before a key counts


class Screen(Protocol):
    """Where questions are put. Calls come as open, draw (once or more), close."""

    @property
    def can_ask(self) -> bool:
        """Whether a person is there to be asked, now."""

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""

    async def open(self) -> None:
        """Make the screen ours; what was typed until now is the agent's."""

    def draw(self, lines: list[str]) -> None:
        """Show these lines, instead of those shown before."""

    def close(self, outcome: str) -> None:
        """Give the screen back to the agent."""

    def say(self, text: str) -> None:
        """One line to the person, now or when the agent has ended."""

    def outlived(self, text: str) -> None:
        """The agent has ended and what it started goes on: say so, and let an interrupt end the session."""


class Questions:
    """Follows the session's events and puts each question on ``screen``, oldest first.

    A key counts only when the question has stood there for HOLD seconds *and* nothing was typed for as
    long: who is in the middle of typing to the agent has not read the question. ``lost`` is set with the
    reason when the gate broke down, ``left`` when the agent ended before what it started.
    """

    def __init__(self, session: Session, screen: Screen, clock: Callable[[], float] = time.monotonic) -> None:
        self._session = session
        self._screen = screen
        self._pending: dict[int, Ask] = {}
        self._shown: Ask | None = None
        self._outcome = ""
        self._draft: Draft | None = None
        self._note = ""
        self._counts_from = 0.0
        self._clock = clock
        self.left: AgentLeft | None = None
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def follow(self, queue: asyncio.Queue[Event]) -> None:
        """Run until cancelled."""
        while True:
            event = await queue.get()
            if isinstance(event, Asked):
                self._ask(event.ask)
            elif isinstance(event, Settled):
                self._pending.pop(event.ask.number, None)
                self._outcome = "allowed" if event.answer.verdict is Verdict.ALLOW else "denied"
            elif isinstance(event, Withdrawn):
                self._pending.pop(event.ask.number, None)
                self._outcome = "withdrawn: nobody waits for the answer any more"
            elif isinstance(event, Notice):
                if event.urgent:
                    self._screen.say(printable(event.text, 1000))
            elif isinstance(event, AgentLeft):
                self.left = event
                self._screen.outlived(f"{event.words} (^C ends the session)")
            elif isinstance(event, GateLost) and not self.lost.done():
                self.lost.set_result(event.reason)
            await self._turn()

    def _ask(self, ask: Ask) -> None:
        if self._screen.can_ask:
            self._pending[ask.number] = ask
        else:
            gate = self._session.gate
            gate.answer(ask.number, Verdict.DENY, Source.ENFORCE, "no terminal to ask on")

    async def _turn(self) -> None:
        """Show the oldest question, if it is not the one shown."""
        head = next(iter(self._pending.values()), None)
        if head is self._shown:
            return
        if head is None:
            self._screen.close(self._outcome)
            self._shown = None
            return
        if self._shown is None:
            await self._screen.open()
        self._shown = head
        self._draft, self._note = None, ""
        self.redraw()
        self._hold()

    def _hold(self) -> None:
        self._counts_from = self._clock() + HOLD

    def redraw(self) -> None:
        """Draw the question again: something in it changed, or the terminal's size."""
        if self._shown is None:
            return
        self._screen.draw(
            box.lines(
                self._shown,
                mark=self._session.mark,
                waiting=len(self._pending),
                size=self._screen.size,
                rule=self._draft.to_yaml() if self._draft else (),
                note=self._note,
                always=self._session.settings.always,
            )
        )

    def typed(self, data: bytes) -> None:
        """All that one read gave while a question was shown."""
        ask = self._shown
        key = keys.name(data)
        if ask is None or ask.number not in self._pending:
            return
        strange = not key and data.startswith(b"\x1b")  # an arrow, the mouse: no answer, and no typing
        if strange:
            return
        if key == "interrupt":
            # The agent gets it too, but a held call answers to no signal that its process catches.
            self._session.gate.answer(ask.number, Verdict.DENY, note="interrupted")
        elif not key or self._clock() < self._counts_from:
            self._hold()
        elif self._draft is None:
            self._decide(ask, key)
        elif key == "enter":
            self._write(ask, self._draft)
        elif key == "escape":
            self._draft = None
            self.redraw()

    def _decide(self, ask: Ask, key: str) -> None:
        if key == "a":
            self._session.gate.answer(ask.number, Verdict.ALLOW)
        elif key == "d":
            self._session.gate.answer(ask.number, Verdict.DENY)
        elif key == "A":
            self._note = self._session.may_always(ask)
            if not self._note:
                self._draft = self._session.draft(ask)
                self._hold()
            self.redraw()

    def _write(self, ask: Ask, draft: Draft) -> None:
        try:
            self._session.allow_always(ask, draft)
        except (PolicyError, OSError) as error:
            self._note, self._draft = str(error), None
            self.redraw()
