"""The questions that wait, as a value: oldest first, found by number, cheap to change at any size.

Nothing bounds how many there are but the agent's threads, and each arrival makes a new state of the room.
With one tuple of them, a hundred thousand arrivals would copy forty gigabytes. Here the questions stand in
short runs; a change copies one run and the list of runs, and shares all the others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from agentgate.gate.events import Ask

__all__ = ["Asks"]

_RUN = 512
"""Questions in a run. Two hundred runs of that hold a hundred thousand."""


class Asks(Sequence[Ask]):
    """Immutable, in the order of the numbers, which grow (`Ask`). Compares by what is in it."""

    __slots__ = ("_length", "_runs")

    def __init__(self, asks: Iterable[Ask] = ()) -> None:
        """``asks`` with growing numbers."""
        given = tuple(asks)
        self._runs = tuple(given[start : start + _RUN] for start in range(0, len(given), _RUN))
        self._length = len(given)

    @classmethod
    def _of(cls, runs: tuple[tuple[Ask, ...], ...], length: int) -> Asks:
        made = cls.__new__(cls)
        made._runs, made._length = runs, length
        return made

    def plus(self, ask: Ask) -> Asks:
        """With ``ask`` at its place: the end, because the newest has the highest number."""
        runs = self._runs
        if runs and runs[-1][-1].number > ask.number:
            return Asks(sorted((*self, ask), key=lambda known: known.number))
        if runs and len(runs[-1]) < _RUN:
            return self._of((*runs[:-1], (*runs[-1], ask)), self._length + 1)
        return self._of((*runs, (ask,)), self._length + 1)

    def minus(self, number: int) -> Asks:
        """Without question ``number``; itself when that is not here."""
        place = self._place(number)
        if place is None:
            return self
        at, inside = place
        run = self._runs[at]
        left = (*run[:inside], *run[inside + 1 :])
        middle = (left,) if left else ()
        return self._of((*self._runs[:at], *middle, *self._runs[at + 1 :]), self._length - 1)

    def get(self, number: int | None) -> Ask | None:
        """Question ``number``, if it waits."""
        place = None if number is None else self._place(number)
        return self._runs[place[0]][place[1]] if place else None

    def index_of(self, number: int | None) -> int | None:
        """How many are older than question ``number``; None when it does not wait."""
        place = None if number is None else self._place(number)
        return sum(map(len, self._runs[: place[0]])) + place[1] if place else None

    def count_upto(self, number: int) -> int:
        """How many have ``number`` or a lower one."""
        at = bisect_right(self._runs, number, key=lambda run: run[0].number)
        if not at:
            return 0
        last = bisect_right(self._runs[at - 1], number, key=lambda ask: ask.number)
        return sum(map(len, self._runs[: at - 1])) + last

    def _place(self, number: int) -> tuple[int, int] | None:
        """The run, and the place in it."""
        at = bisect_right(self._runs, number, key=lambda run: run[0].number) - 1
        if at < 0:
            return None
        run = self._runs[at]
        inside = bisect_left(run, number, key=lambda ask: ask.number)
        return (at, inside) if inside < len(run) and run[inside].number == number else None

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Ask]:
        for run in self._runs:
            yield from run

    @overload
    def __getitem__(self, index: int) -> Ask: ...
    @overload
    def __getitem__(self, index: slice) -> Asks: ...
    def __getitem__(self, index: int | slice) -> Ask | Asks:
        if isinstance(index, slice):
            return Asks(tuple(self)[index])
        left = index + self._length if index < 0 else index
        for run in self._runs if left >= 0 else ():
            if left < len(run):
                return run[left]
            left -= len(run)
        raise IndexError(index)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Asks) and len(self) == len(other) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(ask.number for ask in self))

    def __repr__(self) -> str:
        return f"Asks({self._length})"
