"""Taking back: paths become again what they were before the session, all of them or some.

Undone is in the reverse order of what was done. A path that was changed after the session ended is left
alone, and so is what lies in a directory that the session made but was put there by somebody else; ``force``
takes that back as well. While the session runs that cannot be told: then everything there counts as its own.
Every path that was taken back is noted in the journal.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from agentgate.changes.entries import Entry, Move, Note
from agentgate.changes.look import Change, Look, Sort, contents
from agentgate.changes.picture import Picture, beneath, parents
from agentgate.changes.restore import Refused, exchange, remove, restore, settle
from agentgate.changes.seal import stamp
from agentgate.changes.store import Store
from agentgate.changes.walk import Walk

__all__ = ["Outcome", "forgotten", "take_back"]

FORCE = "--force takes it back all the same"
_DONE = {
    Sort.CREATED: "removed", Sort.CHANGED: "restored", Sort.REMOVED: "brought back",
    Sort.RENAMED: "moved back", Sort.MODE: "mode restored",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one path: ``done`` in a word or two, or else ``error``."""

    path: str
    done: str = ""
    error: str = ""
    moved: tuple[str, ...] = ()
    later: bool = False  # it may be possible once others are taken back


def take_back(
    store: Store, wanted: Sequence[str] | None = None, *,
    dry: bool = False, force: bool = False, told: bool = False,
) -> list[Outcome]:  # fmt: skip
    """Take back ``wanted`` and what is below them, or everything. ``dry``: only say what would become of
    each. ``told``: the warden of a session that still runs will hear of the outcome, see ``forgotten``; else
    nothing is moved back while it runs. Raises OSError when the journal cannot be read."""
    alive = store.alive()
    return list(_Taking(store, wanted, dry, force or alive, moves=told or not alive).run())


class _Later(Refused):
    """Not before something else was taken back."""


class _Taking:
    def __init__(
        self, store: Store, wanted: Sequence[str] | None, dry: bool, free: bool, moves: bool
    ) -> None:
        self._store = store
        self._wanted = wanted
        self._dry = dry
        self._moves = moves
        self._free = free  # whatever is there now is taken for the session's
        self._picture = Picture(store.items())
        self._look = Look(store)
        self._walk = Walk()
        self._shared: set[int] = set()  # inodes
        self._unlocked: list[tuple[str, int]] = []
        self._later: list[tuple[str, Entry]] = []

    def run(self) -> Iterator[Outcome]:
        tried: set[tuple[str, int]] = set()
        with self._walk:
            changes = self._chosen()
            for path in self._wanted or ():
                if not any(beneath(change.path, path) for change in changes):
                    yield Outcome(path, error="this session did not change it, or it was taken back")
            waiting: list[tuple[Change, Outcome]] = []
            while changes:
                change = changes.pop()
                if (change.path, change.number) in tried:
                    continue
                tried.add((change.path, change.number))
                self._walk.trim()
                outcome = self._one(change)
                if outcome.later:
                    waiting.append((change, outcome))
                    continue
                yield outcome
                if outcome.done and not self._dry:
                    if change.sort is Sort.RENAMED:
                        changes = self._chosen()  # other paths are known now
                    tried -= {(each.path, each.number) for each, _ in waiting}
                    changes += [each for each, _ in reversed(waiting)]
                    waiting.clear()
            yield from (outcome for _, outcome in waiting)
            self._lock()
            for path, entry in reversed(self._later):
                self._walk.trim()
                try:
                    settle(self._walk, path, entry)
                except OSError as error:
                    yield Outcome(path, error=f"its mode or times: {error.strerror}")

    def _chosen(self) -> list[Change]:
        """What is to be taken back, the first to be last."""
        changes = self._look.changes(self._picture)
        if self._wanted is not None:
            chosen = [change for change in changes if any(beneath(change.path, p) for p in self._wanted)]
            known = {change.path for change in chosen}
            chosen += [change for path in self._wanted if path not in known and (change := self._made(path))]
            needed = {parent for change in chosen for parent in (*parents(change.path),)}
            chosen += [
                change for change in changes
                if change.sort is Sort.REMOVED and change.folder and change.path in needed - known
            ]  # fmt: skip
            changes = chosen
        return sorted(changes, key=lambda change: (self._last(change), change.path))

    def _made(self, path: str) -> Change | None:
        """The change that made ``path``, which lies in a directory that the session made."""
        if path in self._picture.places or not self._picture.created(path):
            return None
        status = self._walk.status(path)
        return Change(path, Sort.CREATED, -1, folder=stat.S_ISDIR(status.st_mode)) if status else None

    def _last(self, change: Change) -> int:
        """When the path was changed last: then it became what it is."""
        if change.sort is Sort.RENAMED:
            return change.number
        known = self._picture.places.get(change.path)
        return known[-1][0] if known else change.number

    def _one(self, change: Change) -> Outcome:
        path = change.path
        try:
            said = _DONE[change.sort]
            self._check(change)
            if not self._dry:
                self._unlock(path)
            if change.sort is Sort.RENAMED:
                self._move(path, self._picture.renamed[path].origin)
                return Outcome(path, said, moved=(path, change.origin))
            if self._dry:
                return Outcome(path, said)
            self._note_links(self._walk.status(path))
            if change.sort is Sort.CREATED and change.folder:
                self._remove_tree(path)
            else:
                for _, entry in reversed(self._picture.places.get(path, [])):
                    restore(self._walk, self._store, path, entry)
                    if stat.S_ISDIR(entry.mode):
                        self._later.append((path, entry))
                if change.number < 0:
                    remove(self._walk, path)
            self._store.add(Note("back", path, time.time()))
            return Outcome(path, said)
        except Refused as refused:
            return Outcome(path, error=str(refused), later=isinstance(refused, _Later))
        except OSError as error:
            where = f" ({error.filename})" if isinstance(error.filename, str) else ""
            return Outcome(path, error=f"{error.strerror or error}{where}")

    def _check(self, change: Change) -> None:
        """Raises Refused when it cannot, or should not, be taken back."""
        path = change.path
        if change.sort is Sort.CREATED:
            held = next((moved for moved in self._picture.renamed if beneath(moved, path)), None)
            if held:
                raise _Later(f"{held} was moved there: take that back first")
        if change.sort is Sort.RENAMED and not self._moves:
            raise Refused("what was renamed is moved back in the session's room (5, r), or when it has ended")
        if change.sort in (Sort.CHANGED, Sort.REMOVED) and change.why:
            raise Refused(f"its content was not kept ({change.why})")
        if self._free:
            self._walk.parent(path)
            return
        if not self._picture.sealed:
            raise Refused(f"the session did not end in order: what was changed since is not known; {FORCE}")
        self._walk.parent(path)  # first: a link on the way there is a better reason
        if not (change.sort is Sort.CREATED and change.folder) and not self._left(path):
            raise Refused(f"it was changed after the session ended; {FORCE}")

    def _left(self, path: str) -> bool:
        """Whether what is at ``path`` is what the session left there."""
        left, status = self._picture.stamps.get(path), self._walk.status(path)
        if left is None:
            return False
        return left == stamp(path, status) or (
            status is not None and left.inode == status.st_ino in self._shared
        )

    def _move(self, path: str, origin: str) -> None:
        to, name = self._walk.parent(origin)
        other = self._picture.renamed.get(origin)
        swapped = other is not None and other.origin == path
        if self._walk.status(origin) is not None and not swapped:
            raise _Later(f"there is something at {origin} again")
        if self._dry:
            return
        parent, old = self._walk.parent(path)
        if swapped:
            exchange(parent, old, to, name)
        else:
            os.rename(old, name, src_dir_fd=parent, dst_dir_fd=to)
        self._walk.forget(path)
        self._walk.forget(origin)
        move = Move(path, origin, swapped)
        for item in (move, Note("back", path, time.time())):
            self._picture.add(item)
            self._store.add(item)

    def _unlock(self, path: str) -> None:
        """Have the user's own directory that holds ``path`` let its owner in, until ``_lock``."""
        parent, _ = self._walk.parent(path)
        status = os.fstat(parent)
        mode = stat.S_IMODE(status.st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU and status.st_uid == os.geteuid():
            os.fchmod(parent, mode | stat.S_IRWXU)
            self._unlocked.append((path.rpartition("/")[0], mode))

    def _lock(self) -> None:
        for path, mode in self._unlocked:
            with contextlib.suppress(OSError):  # it was taken back itself
                os.fchmod(self._walk.folder(path), mode)

    def _note_links(self, status: os.stat_result | None) -> None:
        """A file with other names is about to be changed: its change time tells no more of those."""
        if status is not None and status.st_nlink > 1:
            self._shared.add(status.st_ino)

    def _remove_tree(self, path: str) -> None:
        """Remove a directory that the session made: what the session left in it, and then what is empty."""
        left = 0
        for below, status in (*reversed(contents(self._walk, path)), (path, self._walk.status(path))):
            mine = self._free or self._left(below)
            try:
                if mine:
                    self._note_links(status)
                    remove(self._walk, below)
            except OSError:
                mine = False
            left += not mine
        if left:
            raise Refused(
                f"{left} things in it, and itself, stay: changed or put there since; {FORCE}"
                if left > 1 else f"it is not empty, or another one now; {FORCE}"
            )  # fmt: skip


def forgotten(outcomes: Iterable[Outcome]) -> list[str]:
    """The paths of which a warden that still runs knows something that is no longer so."""
    return [path for outcome in outcomes for path in outcome.moved]
