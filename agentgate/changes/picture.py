"""What a journal says, put together: of each path as it is called now, what was there before. Pure.

A directory that was renamed takes what is known of its contents along to the new name. What was known of the
new name itself is *covered* as long as the directory is there, and counts again once it is moved back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from agentgate.changes.entries import Entry, Item, Move, Note, Stamp, Was

__all__ = ["Numbered", "Picture", "Renamed", "beneath", "parents"]

_T = TypeVar("_T")

Numbered = tuple[int, Entry]
"""An entry with its place in the journal."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """What was at ``origin`` before the session, and has another name now, since item ``number``."""

    number: int
    origin: str


class Picture:
    """``places``: by its present path, what the journal says of it, oldest first. ``renamed``: by its present
    path, what was there before the session under another name. ``stamps``: what the session left.
    ``full``: there were more changes; ``sealed``: the session ended in order."""

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self.places: dict[str, list[Numbered]] = {}
        self.renamed: dict[str, Renamed] = {}
        self.stamps: dict[str, Stamp] = {}
        self.full = self.sealed = False
        self._covered: dict[str, list[Numbered]] = {}
        self.count = 0
        for item in items:
            self.add(item)

    def add(self, item: Item) -> None:
        """The next item of the journal."""
        number = self.count
        self.count += 1
        if isinstance(item, Entry):
            self.places.setdefault(item.path, []).append((number, item))
        elif isinstance(item, Move):
            self._move(number, item)
        elif isinstance(item, Stamp):
            self.stamps[item.path] = item
        elif isinstance(item, Note):
            self.full = self.full or item.word == "full"
            self.sealed = self.sealed or item.word == "sealed"

    def created(self, path: str) -> bool:
        """Whether the session made what is at ``path``, by itself or with a directory above it."""
        for each in (path, *parents(path)):
            if each in self.renamed:
                return False
            known = self.places.get(each)
            if known and known[0][1].was is Was.NONE:
                return True
        return False

    def _move(self, number: int, move: Move) -> None:
        pairs = [(move.before, move.after)]
        if move.swapped:
            pairs.append((move.after, move.before))
        own = {old: self.created(old) for old, _ in pairs}
        going = {old: self.renamed.pop(old, Renamed(number, old)) for old, _ in pairs}
        taken = {old: self._take(old) for old, _ in pairs}
        for old, new in pairs:
            home = self._covered.pop(old, None)
            if home:
                self.places[old] = home
            if not own[old]:
                covered = self.places.pop(new, None)
                if covered:
                    self._covered[new] = covered
                if going[old].origin != new:
                    self.renamed[new] = Renamed(number, going[old].origin)
            places, renamed, stamps = taken[old]
            for tail, known in places.items():
                self.places[new + tail] = sorted(self.places.get(new + tail, []) + known)
            for tail, each in renamed.items():
                self.renamed[new + tail] = each
            for tail, stamp in stamps.items():
                self.stamps[new + tail] = stamp

    def _take(self, path: str) -> tuple[dict[str, list[Numbered]], dict[str, Renamed], dict[str, Stamp]]:
        """Everything about ``path`` and what is below it, taken out, by the rest of the path."""
        return _cut(self.places, path), _cut(self.renamed, path), _cut(self.stamps, path)


def _cut(known: dict[str, _T], path: str) -> dict[str, _T]:
    return {each[len(path) :]: known.pop(each) for each in [each for each in known if beneath(each, path)]}


def beneath(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or below it."""
    return path == folder or path.startswith(folder + "/")


def parents(path: str) -> list[str]:
    """The directories above ``path``, the nearest first, without the root."""
    found = []
    while (path := path.rpartition("/")[0]) != "":
        found.append(path)
    return found
