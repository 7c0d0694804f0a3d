"""Held calls that wait for the operator, and which of them nobody waits for any more."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from agentgate.actions import Action
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import Effect
from agentgate.intercept.kernel.notify import Call
from agentgate.intercept.kernel.procs import Procs

__all__ = ["Asked", "Held"]

_LOOK = 0.01  # seconds for one look at who still waits


@dataclass(slots=True)
class Held:
    """A call that waits, for the operator or for its turn."""

    call: Call
    name: str
    caller: Caller
    effect: Effect
    action: Action


class Asked:
    """The questions of one session, by the number of the held call. ``alive`` tells whether a call still
    waits."""

    def __init__(self, procs: Procs, alive: Callable[[int], bool]) -> None:
        self._procs = procs
        self._alive = alive
        self._held: OrderedDict[int, Held] = OrderedDict()

    def add(self, held: Held) -> None:
        self._held[held.call.id] = held

    def take(self, number: int) -> Held | None:
        """The held call, which is no question any more; None where it was none."""
        return self._held.pop(number, None)

    def unawaited(self) -> list[int]:
        """Questions whose process is gone, or whose thread no longer waits. To say the latter of one call the
        kernel looks through all that are held (find_notification in kernel/seccomp.c): with thousands of
        them only those that `_LOOK` has time for are looked at, and the others at the next calls."""
        gone = [number for number, held in self._held.items() if not self._procs.has(held.caller.proc)]
        end = time.monotonic() + _LOOK
        for number in list(self._held):
            self._held.move_to_end(number)
            if not self._alive(number) and self._procs.has(self._held[number].caller.proc):
                gone.append(number)
            if time.monotonic() > end:
                break
        return gone
