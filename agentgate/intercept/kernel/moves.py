"""What a rename takes along and what a link puts in place, decided for the whole.

A rule names files by their paths. Who renames a directory, writes into it and renames it back has written
under the first name, though no single call said so; a symbolic link in a directory's place does the same.
So a renamed directory is decided for all that is really in it, under the names before and after, and a link
for the rules whose directory it stands in for.

The look and the deed are one for the agent: names change only by calls that the warden makes itself, one
after the other. It is taken only where the rules leave room for another decision below, and has a limit:
a tree that is too big to be looked at is asked about.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agentgate.actions import Action, Decision, Ruling, Source
from agentgate.gate.decide import Decider
from agentgate.gate.guards import Guards
from agentgate.intercept.kernel.places import Place
from agentgate.policy.beneath import Beneath
from agentgate.policy.match import STRICTNESS

__all__ = ["Moved", "Moves"]

_LOOK_MAX = 20_000  # entries: about 0.2 s
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_UNSEEN = Ruling(Decision.ASK, Source.GATE, reason="it holds more than the gate can look at")


@dataclass(frozen=True, slots=True)
class Moved:
    """What gets the name ``after``: what is at ``place``, or a symbolic link that is only made (None)."""

    after: str
    place: Place | None = None

    def mode(self) -> int:
        """What it is. 0: nothing, or what cannot be looked at; then it cannot be renamed either."""
        if self.place is None:
            return stat.S_IFLNK
        try:
            status = self.place.status()
        except OSError:
            return 0
        return status.st_mode if status else 0


class Moves:
    """The rulings on whole trees, by one policy."""

    def __init__(self, decider: Decider, guards: Guards, beneath: Beneath) -> None:
        self._decider = decider
        self._guards = guards
        self._beneath = beneath

    def rule(self, action: Action, moved: Sequence[Moved], ruling: Ruling) -> Ruling:
        """``ruling``, which holds for the names in ``action`` themselves, or a stricter one."""
        for each in moved:
            mode = each.mode()
            if stat.S_ISDIR(mode) and each.place:
                ruling = self._tree(action, each.place, each.after, ruling)
            elif stat.S_ISLNK(mode):
                ruling = _stricter(ruling, self._link(action, each.after))
        return self._decider.final(ruling)

    def _link(self, action: Action, path: str) -> Ruling | None:
        found = self._beneath.through(path, action)
        return found and _because(found, f"a link at {path} stands in for a directory of this rule")

    def _tree(self, action: Action, place: Place, after: str, ruling: Ruling) -> Ruling:
        before = os.fsdecode(place.path)
        worst = max(map(self._beneath.strictest, (before, after)), key=STRICTNESS.__getitem__)
        if self._guards.gains(before, after):
            worst = max(worst, Decision.ASK, key=STRICTNESS.__getitem__)
        try:
            for count, (name, link) in enumerate(_contents(place)):
                if STRICTNESS[ruling.decision] >= STRICTNESS[worst]:
                    break
                if count >= _LOOK_MAX:
                    return _stricter(ruling, _UNSEEN)
                old, new = f"{before}/{name}", f"{after}/{name}"
                found = self._decider.along(action, old, new)
                ruling = _stricter(ruling, _because(found, f"it holds {old}"))
                if link:
                    ruling = _stricter(ruling, self._link(action, new))
        except OSError:
            return _stricter(ruling, _UNSEEN)
        return ruling


def _stricter(one: Ruling, other: Ruling | None) -> Ruling:
    return other if other and STRICTNESS[other.decision] > STRICTNESS[one.decision] else one


def _because(ruling: Ruling, what: str) -> Ruling:
    return replace(ruling, reason=f"{what}: {ruling.reason}" if ruling.reason else what)


def _contents(place: Place) -> Iterator[tuple[str, bool]]:
    """Everything below ``place``, by its path from there, and whether it is a symbolic link. Raises OSError
    where one may not look."""
    top = os.open(place.name, _FOLDER, dir_fd=place.fd)
    try:
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            descriptor = os.open(folder or ".", _FOLDER, dir_fd=top)
            try:
                with os.scandir(descriptor) as entries:
                    for entry in entries:
                        path = folder + entry.name
                        yield path, entry.is_symlink()
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(path + "/")
            finally:
                os.close(descriptor)
    finally:
        os.close(top)
