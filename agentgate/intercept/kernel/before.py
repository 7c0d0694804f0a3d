"""What was there before: kept just before the session's first change of a thing, so that it can be undone.

The warden makes every allowed change through `Before.perform`. It is the only one who changes names and opens
files for this session, and it does one thing after the other, so none of the session's calls can change a
file while that is being copied, nor come between the copy and the change. Programs outside may; then the copy
is what they were just writing.

What is kept, by the first change of each path (`Entry`): of a file its content (copies.py) with its mode,
owner, times and attributes; of a link where it leads; of a directory its mode; of what was not there, that.
What lies in a directory that the session made is not looked at one by one: it was not there either. A
directory that is renamed is not copied, only said to have another name now (`Move`), and so is a file that is
not kept.

Nothing here stops what was allowed: a disk that is full, a file that cannot be read are told once, and the
entry says that its content is not kept. Lines go out in batches, with the warden's records; no fsync(2): they
are for a session that went wrong, not for a machine that did.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable

from agentgate.actions import Kind
from agentgate.changes.copy import attributes
from agentgate.changes.entries import Entry, Move, Note, Was, absent, line
from agentgate.intercept.kernel.copies import Copies, Copy
from agentgate.intercept.kernel.effect import Effect, Reply
from agentgate.intercept.kernel.places import Object, Place

__all__ = ["Before"]

LINES_MAX = 100_000
_BATCH = 1 << 16  # bytes of lines
_DELAY = 0.1  # seconds that a line may wait while calls come in
_NO_FILES = (b"/proc/", b"/sys/")

_META, _WHOLE = 1, 2
_NONE: dict[str, str] = {}

# To be called once the change was made (True), or was not because of an error (False).
Done = Callable[[bool], None]


class Before:
    """``folder`` is the session's store, "" to keep nothing. ``tell`` says one line to the operator."""

    def __init__(self, folder: str, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()
        self._seen: dict[bytes, dict[bytes, int]] = {}  # by directory and name, how much is kept
        self._made: set[bytes] = set()  # directories that the session made, and what they hold with them
        self._linked: dict[tuple[int, int], bytes] = {}  # files that got another name, by device and inode
        self._lines = 0
        self._out = bytearray()
        self._since = 0.0
        self._journal = -1
        self._handlers: dict[str, Callable[[Effect], Done | None]] = {
            "open": self._opened, "truncate": self._written, "mkdir": self._made_new,
            "mknod": self._made_new, "symlink": self._made_new, "bind": self._made_new,
            "unlink": self._removed, "rmdir": self._removed, "rename": self._renamed, "link": self._link,
            "chmod": self._set, "chown": self._set, "utime": self._set,
            "setxattr": self._set, "removexattr": self._set,
        }  # fmt: skip
        if folder:
            try:
                flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
                self._journal = os.open(f"{folder}/journal.jsonl", flags)
                self._copies = Copies(f"{folder}/kept", self._not_kept)
            except OSError as error:
                self._journal = -1
                self._trouble("nothing is kept for undo", error)

    # -- what the warden calls

    def perform(self, effect: Effect) -> Reply:
        """Do ``effect``, with what it changes kept before. Raises only what ``effect.perform`` raises."""
        handler = self._handlers.get(effect.syscall) if effect.kind is Kind.FS_WRITE else None
        if handler is None or self._journal < 0:
            return effect.perform()
        done: Done | None = None
        try:
            done = handler(effect)
        except Exception as error:  # what was allowed happens, whatever becomes of this
            self._trouble("a change cannot be undone", error)
        if done is None:
            return effect.perform()
        made = False
        try:
            reply = effect.perform()
            made = True
            return reply
        finally:
            try:
                done(made)
            except Exception as error:
                self._trouble("a change cannot be undone", error)

    def flush(self) -> None:
        """Write the lines that wait."""
        while self._out:
            try:
                del self._out[: os.write(self._journal, self._out)]
            except OSError as error:
                self._trouble("the record of changes is not written", error)
                if len(self._out) > _BATCH << 4:
                    self._out.clear()
                return

    def forget(self, *paths: str) -> None:
        """What was at and below these paths was put elsewhere by the operator: look at it anew."""
        for path in paths:
            self._turn(os.fsencode(path), None)

    # -- by the sort of change

    def _opened(self, effect: Effect) -> Done | None:
        held = effect.keeps[0]
        if not isinstance(held, Place):
            return self._written(effect)
        names = self._seen.get(held.directory)
        if held.directory in self._made:
            if self._linked:
                self._through_link(held.status())
            return None
        if names is not None and names.get(held.name) == _WHOLE:
            if self._linked:
                self._through_link(held.status())
            return None
        status = held.status() if held.there() else None
        if status is None:
            return lambda made: self._absent(held) if made else None
        self._through_link(status)
        self._whole(held, status)
        return None

    def _written(self, effect: Effect) -> Done | None:
        held = effect.keeps[0]
        assert isinstance(held, Object)
        self._through_link(held.status)
        self._whole(held, held.status)
        return None

    def _made_new(self, effect: Effect) -> Done | None:
        place = effect.keeps[-1]  # of a bind(2) after its socket
        assert isinstance(place, Place)
        directory = effect.syscall == "mkdir"
        if place.directory in self._made:
            return (lambda made: self._made.add(place.path) if made else None) if directory else None
        if self._level(place.directory, place.name) or place.there():
            return None

        def done(made: bool) -> None:
            if made:
                self._absent(place)
                if directory:
                    self._made.add(place.path)

        return done

    def _removed(self, effect: Effect) -> Done | None:
        place = effect.keeps[0]
        assert isinstance(place, Place)
        status = None if self._own(place) else place.status()
        return self._going(place, status) if status is not None else None

    def _renamed(self, effect: Effect) -> Done | None:
        source, target = effect.keeps
        assert isinstance(source, Place) and isinstance(target, Place)
        old, new = source.status(), target.status()
        swapped = len(effect.renames) == 2
        if old is None or (new is not None and os.path.samestat(old, new)):
            return None
        there: Done | None = None
        if swapped and new is not None:
            whole = self._stays(target, new)
        else:
            whole = True
            if not self._own(target):
                there = (lambda made: self._absent(target) if made else None) if new is None else (
                    self._going(target, new)
                )  # fmt: skip
        whole = self._stays(source, old) and whole

        def done(made: bool) -> None:
            if there:
                there(made)
            if made and not whole:
                self._moved(source, target, swapped=swapped)

        return done

    def _stays(self, source: Place, status: os.stat_result) -> bool:
        """Whether the names alone tell what a rename of ``source`` changes: it is a file that is kept, or
        the session's own."""
        if stat.S_ISDIR(status.st_mode):
            return False
        if self._own(source):
            return True
        copy = self._whole(source, status, moves=True)
        return copy is None or bool(copy.name)

    def _link(self, effect: Effect) -> Done | None:
        """Who writes to the new name changes the file behind the old one: known by its inode from now on."""
        source, place = effect.keeps
        assert isinstance(source, Object) and isinstance(place, Place)

        def done(made: bool) -> None:
            if not made:
                return
            if source.path and not self._own_path(source.path):
                self._linked[source.status.st_dev, source.status.st_ino] = source.path
            if not self._own(place):
                self._absent(place)

        return done

    def _set(self, effect: Effect) -> Done | None:
        held = effect.keeps[0]
        assert isinstance(held, Object)
        if held.path and not self._own_path(held.path):
            folder, _, name = held.path.rpartition(b"/")
            if not self._level(folder or b"/", name):
                self._note(_entry(held.path, held.status, attributes(held.again)), _META)
        return None

    def _moved(self, source: Place, target: Place, *, swapped: bool = False) -> None:
        own = source.path in self._made
        if own and target.directory in self._made and not swapped:
            self._turn(source.path, target.path)
            return
        if self._count():
            self._say(line(Move(os.fsdecode(source.path), os.fsdecode(target.path), swapped)))
        self._turn(target.path, None)
        self._turn(source.path, target.path if own and not swapped else None)

    # -- what is known

    def _level(self, folder: bytes, name: bytes) -> int:
        names = self._seen.get(folder)
        return names.get(name, 0) if names else 0

    def _own(self, place: Place) -> bool:
        """Whether nothing more is to be known of ``place``."""
        return place.directory in self._made or self._level(place.directory, place.name) == _WHOLE

    def _own_path(self, path: bytes) -> bool:
        folder, _, name = path.rpartition(b"/")
        return folder in self._made or self._level(folder or b"/", name) == _WHOLE

    def _through_link(self, status: os.stat_result | None) -> None:
        """A file that got another name in this session is kept by the one that it had before."""
        if status is None or status.st_nlink < 2:
            return
        path = self._linked.pop((status.st_dev, status.st_ino), None)
        if path is not None and not self._own_path(path):
            try:
                found = Object(os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC))
            except OSError:
                return  # it is gone
            try:
                if os.path.samestat(found.status, status):
                    self._whole(found, found.status)
            finally:
                found.close()

    def _turn(self, path: bytes, after: bytes | None) -> None:
        """What is known at and below ``path`` is known no more, but directories that the session made, at
        and below ``after``."""
        folder, _, name = path.rpartition(b"/")
        self._seen.get(folder or b"/", {}).pop(name, None)
        below = path + b"/"
        for known in [known for known in self._seen if known == path or known.startswith(below)]:
            del self._seen[known]
        made = {known for known in self._made if known == path or known.startswith(below)}
        self._made -= made
        if after is not None:
            self._made |= {after + known[len(path) :] for known in made}

    # -- keeping

    def _going(self, place: Place, status: os.stat_result) -> Done | None:
        """Keep what loses its name by what is done now."""
        copy = self._whole(place, status, going=True)
        if copy is None or not copy.linked:
            return None
        return lambda made: None if made else self._copies.part(copy.name)

    def _absent(self, place: Place) -> None:
        names = self._seen.setdefault(place.directory, {})
        if place.name not in names and self._count():
            names[place.name] = _WHOLE
            self._say(absent(os.fsdecode(place.path)))

    def _whole(
        self, held: Place | Object, status: os.stat_result, *, going: bool = False, moves: bool = False
    ) -> Copy | None:
        """Keep all of it; the copy if one was tried. ``going``: see ``Copies.make``. ``moves``: it stays as
        it is under another name, so nothing is noted when it cannot be kept."""
        path = held.path
        if not path or path.startswith(_NO_FILES) or self._own_path(path):
            return None
        copy: Copy | None = None
        if stat.S_ISREG(status.st_mode):
            copy = self._copies.make(held, status, going=going)
            if moves and not copy.name:
                return copy
            entry = _entry(path, status, copy.attributes, kept=copy.name, why=copy.why)
        elif stat.S_ISLNK(status.st_mode) and isinstance(held, Place):
            entry = _entry(path, status, target=os.fsdecode(os.readlink(held.name, dir_fd=held.fd)))
        else:
            entry = _entry(path, status)
        self._note(entry, _WHOLE)
        return copy

    def _note(self, entry: Entry, level: int) -> None:
        path = os.fsencode(entry.path)
        folder, _, name = path.rpartition(b"/")
        names = self._seen.setdefault(folder or b"/", {})
        if names.get(name, 0) < level and self._count():
            names[name] = level
            self._say(line(entry))

    def _count(self) -> bool:
        self._lines += 1
        if self._lines == LINES_MAX:
            self._say(line(Note("full")))
            self._tell(f"undo keeps {LINES_MAX:,} changes; those from now on cannot be taken back")
        return self._lines < LINES_MAX

    def _say(self, text: bytes) -> None:
        now = time.monotonic()
        if not self._out:
            self._since = now
        self._out += text
        if len(self._out) > _BATCH or now - self._since > _DELAY:
            self.flush()

    def _not_kept(self, path: str, error: OSError) -> None:
        self._trouble(f"not kept for undo: {path}", error)

    def _trouble(self, what: str, error: Exception) -> None:
        """Say it, once for each sort of error."""
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if why not in self._told and len(self._told) < 8:
            self._told.add(why)
            self._tell(f"{what}: {why}")


def _entry(
    path: bytes, status: os.stat_result, attributes: dict[str, str] = _NONE, *,
    kept: str = "", why: str = "", target: str = "",
) -> Entry:  # fmt: skip
    mode = status.st_mode
    if stat.S_ISREG(mode):
        was = Was.FILE
    elif stat.S_ISLNK(mode):
        was = Was.LINK
    else:
        was = Was.DIR if stat.S_ISDIR(mode) else Was.OTHER
    return Entry(
        os.fsdecode(path), was, kept, why, mode, status.st_uid, status.st_gid, status.st_size,
        status.st_mtime_ns, status.st_atime_ns, status.st_ino, status.st_nlink, target, attributes,
    )  # fmt: skip
