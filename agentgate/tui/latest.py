"""One piece of work at a time in a thread; of what is asked for meanwhile only the last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Latest"]

SETTLE_SECONDS = 0.2
"""So long is waited for more, so that no work is begun between two keys of a word."""

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Latest(Generic[_In, _Out]):
    """``work`` runs in a thread, ``then`` gets what was asked and what came of it, on the loop."""

    def __init__(self, work: Callable[[_In], _Out], then: Callable[[_In, _Out], None]) -> None:
        self._work = work
        self._then = then
        self._wanted: list[_In] = []
        self._asked = asyncio.Event()

    def ask(self, value: _In) -> None:
        self._wanted = [value]
        self._asked.set()

    @property
    def busy(self) -> bool:
        return self._asked.is_set()

    async def run(self) -> None:
        """Work for ever; to be cancelled."""
        while True:
            await self._asked.wait()
            await asyncio.sleep(SETTLE_SECONDS)
            value = self._wanted[-1]
            self._asked.clear()
            self._then(value, await asyncio.to_thread(self._work, value))
