"""Has files looked at without the room waiting for a disk: in a thread, the newest question first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

from agentgate.actions import Kind
from agentgate.gate.events import Ask
from agentgate.tui.inputs import Input
from agentgate.tui.queue.look import Look, look

__all__ = ["Looked", "Looker"]

_AT_ONCE = 2  # threads: a file system that does not answer keeps one for good


@dataclass(frozen=True, slots=True)
class Looked(Input):
    """What lies where question ``number`` would act."""

    number: int
    look: Look


class Looker:
    """``told`` gets a `Looked` on the loop's own thread."""

    def __init__(self, told: Callable[[Looked], None]) -> None:
        self._told = told
        self._number: int | None = None
        self._busy = 0

    def follow(self, ask: Ask | None) -> None:
        """``ask`` is the question that the screen is about: look once, when it becomes that."""
        number = ask.number if ask else None
        if number == self._number:
            return
        self._number = number
        if ask is None or ask.action.kind not in (Kind.FS_WRITE, Kind.FS_READ):
            return
        if self._busy >= _AT_ONCE:
            self._told(Looked(ask.number, Look(note="not looked at: the file system does not answer")))
            return
        self._busy += 1
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._look, args=(loop, ask), daemon=True, name="look").start()

    def _look(self, loop: asyncio.AbstractEventLoop, ask: Ask) -> None:
        try:
            found = look(ask.action)
        except Exception as error:  # whatever a file can be, the room goes on
            found = Look(note=f"not looked at: {type(error).__name__}")
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._done, Looked(ask.number, found))

    def _done(self, looked: Looked) -> None:
        self._busy -= 1
        self._told(looked)
