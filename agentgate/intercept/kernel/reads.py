"""Opens that only read: given through at once, unless what they lead to is a secret.

This runs for every file that any program opens, so the common case is made of as few system calls as can
be: the file is opened here, the kernel is asked what it is called, and that name is looked up; a name that
is nobody's concern leaves no trace. It is never the path that decides - the caller may rewrite it, or swap
a link in it, while it is looked at - but the file that is open by then, and what is open is what is given.

Not held are opens that yield no content (``filter.py``): with O_PATH, and of directories only. Another name
for a secret is a way to read it, so links to it and renames of it are decided as reads too; so is an open
for writing that can read as well.

A file that was given away once is given again without a look at its name, as long as its change time says
that nothing was done to it since: its content is known to the session then, whatever it is called by now.

What means something else to each caller (/proc/self, /dev/tty, /dev/fd/N), and what is no plain file, is
resolved step by step from the caller's point of view. Files below /proc that describe processes outside
the session are refused where the kernel would refuse them to the agent, not where it would to the warden.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable

from agentgate.actions import Kind
from agentgate.intercept.kernel import devices, libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.directories import link_of
from agentgate.intercept.kernel.effect import Descriptor, Effect, Held, LetGo, NotYet, Reply
from agentgate.intercept.kernel.fifos import Fifos
from agentgate.intercept.kernel.filter import WRITING
from agentgate.intercept.kernel.handler import Args, Handler, fail
from agentgate.intercept.kernel.judge import Judge
from agentgate.intercept.kernel.places import Object, Place, find, follow, reach_at
from agentgate.intercept.kernel.terminal import controlling

__all__ = ["Reads"]

_CWD = libc.AT_FDCWD & 0xFFFFFFFF
_OURS = os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # so that nothing waits here, or becomes the warden's
_VIEWED = (b"/proc/", b"/dev/", b"//", b"/./")  # may mean another thing to the caller
_DELETED = b" (deleted)"
_SETTLED = 1_000_000_000  # nanoseconds
_GIVEN = 32_768  # files remembered
_EXCHANGE = 2  # renameat2(2)
_RAW_DISK = "a raw disk holds the content of every file"
# Landlock looks at who opens a device, and the warden is not in its domain (LANDLOCK_ACCESS_FS_IOCTL_DEV).
_COMMANDS = "a device that is opened by the gate would take every command (ioctl)"
_OF_PROCESS = re.compile(rb"/proc/([0-9]+)(?:/task/[0-9]+)?/(.+)", re.DOTALL)
_NAMESPACE = re.compile(rb"ns/[a-z_]+")
# What the kernel shows of any process to everybody; the rest is for who may trace it.
_PUBLIC = re.compile(
    rb"stat|statm|status|cmdline|comm|cgroup|cpuset|sched|schedstat|limits|wchan|loginuid|sessionid|mounts"
    rb"|mountinfo|mountstats|oom_score|oom_score_adj|oom_adj|uid_map|gid_map|setgroups|autogroup|net/.*"
    rb"|attr(?:/.*)?|arch_status|cpu_resctrl_groups|projid_map|children|task(?:/[0-9]+)?|net"
)
# What the kernel shows only to capabilities that the agent does not have, but a warden of root's may.
_PRIVILEGED = re.compile(
    rb"/dev/(?:k?mem|port|kmsg)|/proc/(?:kcore|kmsg|kallsyms|vmallocinfo|[0-9]+/(?:task/[0-9]+/)?pagemap)"
)


class _Read:
    """A file that is open for reading, on its way to the caller."""

    __slots__ = ("fd", "link")

    def __init__(self, fd: int, link: bytes) -> None:
        self.fd = fd
        self.link = link

    def moved(self) -> bool:
        return link_of(self.fd) != self.link

    def take(self) -> int:
        fd, self.fd = self.fd, -1
        return fd

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Reads:
    """The handlers of opens, renames and links while reads are held. ``ordinary`` are those that know of
    writes only."""

    def __init__(self, judge: Judge, ordinary: dict[str, Handler]) -> None:
        self._judge = judge
        self._proc = os.stat("/proc").st_dev
        self._given: set[tuple[int, int, int]] = set()
        self._fifos = Fifos()
        self._ordinary = ordinary
        self.handlers: dict[str, Handler] = {"open": self._open, "openat": self._openat}
        for name in ("rename", "renameat", "renameat2", "link", "linkat"):
            self.handlers[name] = self._naming(ordinary[name])

    def _open(self, caller: Caller, args: Args) -> Effect | LetGo | Descriptor:
        if args[1] & WRITING:
            return self._also_read(self._ordinary["open"](caller, args), args[1])
        return self._read(caller, _CWD, args[0], args[1])

    def _openat(self, caller: Caller, args: Args) -> Effect | LetGo | Descriptor:
        if args[2] & WRITING:
            return self._also_read(self._ordinary["openat"](caller, args), args[2])
        return self._read(caller, args[0] & 0xFFFFFFFF, args[1], args[2])

    # -- the common case

    def _read(self, caller: Caller, directory: int, address: int, flags: int) -> Effect | Descriptor:
        flags &= 0x7FFFFFFF
        path = caller.string(address)
        try:
            if path[:1] == b"/":
                if path.startswith(_VIEWED) and not path.startswith(b"/dev/shm/"):
                    return self._slowly(caller, directory, path, flags)
                plain = path
                fd = os.open(path, flags | _OURS)
            elif not path:
                raise fail(errno.ENOENT)
            elif directory != _CWD:
                plain = b""
                fd = os.open(b"/proc/%d/fd/%d/%s" % (caller.tid, directory, path), flags | _OURS)
            else:
                here = caller.proc.here or caller.here()
                if here is None:
                    return self._slowly(caller, directory, path, flags)
                plain = here.path + (path[1:] if path[:2] == b"./" else b"/" + path)
                fd = os.open(path, flags | _OURS, dir_fd=here.fd)
        except FileNotFoundError:
            if path[:1] != b"/" and directory != _CWD:
                caller.check_base(caller.path(directory, path))
            raise
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.EAGAIN, errno.ENAMETOOLONG):
                return self._slowly(caller, directory, path, flags)
            raise
        try:
            status = os.fstat(fd)
            mode = status.st_mode
            regular = stat.S_ISREG(mode)
            if status.st_dev == self._proc or not (regular or stat.S_ISDIR(mode) or stat.S_ISFIFO(mode)):
                odd = True
            elif regular and (file := (status.st_ino, status.st_ctime_ns, status.st_dev)) in self._given:
                odd = False
            elif regular or stat.S_ISFIFO(mode):
                name = link_of(fd)
                odd = name != plain and not self._is(name, status)
                if not odd and self._judge.concerned(name):
                    return self._secret(caller, _Read(fd, name), mode, flags)
                if not odd and not regular:  # open from now on: a writer may have waited for a reader
                    return Effect("open", self._giving(held := _Read(fd, name), mode, flags), keeps=[held])
                if not odd:
                    self._note(file)
            else:
                odd = False
            if not odd and not flags & os.O_NONBLOCK:
                fcntl.fcntl(fd, fcntl.F_SETFL, flags)
        except BaseException:
            os.close(fd)
            raise
        if odd:
            os.close(fd)
            return self._slowly(caller, directory, path, flags)
        return Descriptor(fd, bool(flags & os.O_CLOEXEC))

    def _note(self, file: tuple[int, int, int]) -> None:
        if time.time_ns() - file[1] < _SETTLED:
            return  # the clock of change times is coarse: the next change could look the same
        if len(self._given) >= _GIVEN:
            self._given.clear()
        self._given.add(file)

    def forget(self) -> None:
        """Other rules are in force: look at every name again."""
        self._given.clear()

    @staticmethod
    def _is(name: bytes, status: os.stat_result) -> bool:
        """Whether ``name`` leads to the file that has this ``status``. A link can lead into /proc, and from
        there to files of other mount namespaces, or to none that has a name."""
        if name[:1] != b"/" or name.endswith(_DELETED):
            return False
        try:
            return os.path.samestat(os.stat(name, follow_symlinks=False), status)
        except OSError:
            return False

    def _giving(self, held: _Read, mode: int, flags: int) -> Callable[[], Reply]:
        def perform() -> Reply:
            if stat.S_ISFIFO(mode) and not flags & os.O_NONBLOCK and not self._fifos.written(held.fd):
                raise NotYet
            if not flags & os.O_NONBLOCK:
                fcntl.fcntl(held.fd, fcntl.F_SETFL, flags)
            return Descriptor(held.take(), bool(flags & os.O_CLOEXEC))

        return perform

    def _secret(self, caller: Caller, held: _Read, mode: int, flags: int) -> Effect:
        return Effect(
            "open", self._giving(held, mode, flags), Kind.FS_READ, os.fsdecode(held.link),
            argv=caller.proc.reader(), keeps=[held],
        )  # fmt: skip

    # -- all the rest

    def _slowly(self, caller: Caller, directory: int, path: bytes, flags: int) -> Effect:
        terminal = path == b"/dev/tty"
        found = controlling(caller) if terminal else _find(caller, directory, path, flags)
        try:
            mode = found.status.st_mode
            if stat.S_ISSOCK(mode):
                raise fail(errno.ENXIO)
            if flags & os.O_DIRECTORY and not stat.S_ISDIR(mode):
                raise fail(errno.ENOTDIR)
            keeps: list[Held] = [found]
            effect = Effect("open", lambda: self._opened(caller, keeps, flags), keeps=keeps)
            if stat.S_ISBLK(mode):
                effect.kind, effect.target, effect.refused = Kind.FS_READ, os.fsdecode(found.path), _RAW_DISK
            elif not terminal and self._decided(caller, found):
                effect.kind, effect.target = Kind.FS_READ, os.fsdecode(found.path)
                effect.argv = caller.proc.reader()
                effect.check = lambda: _readable(found)
            elif stat.S_ISCHR(mode) and not terminal and not devices.harmless(found.status, caller.proc):
                effect.kind, effect.target, effect.refused = Kind.FS_READ, os.fsdecode(found.path), _COMMANDS
        except BaseException:
            found.close()
            raise
        return effect

    def _decided(self, caller: Caller, found: Object) -> bool:
        mode = found.status.st_mode
        if not found.path or stat.S_ISDIR(mode):
            return False
        if stat.S_ISCHR(mode) and devices.harmless(found.status, caller.proc):
            return False
        return self._judge.concerned(found.path)

    def _opened(self, caller: Caller, keeps: list[Held], flags: int) -> Reply:
        """Open what is kept, and keep that too: a fifo may have to wait for its writer."""
        found = keeps[0]
        assert isinstance(found, Object)
        mode = found.status.st_mode
        if len(keeps) == 1:
            try:
                fd = os.open(found.again, flags & ~os.O_NOFOLLOW | _OURS)
            except BlockingIOError:
                raise NotYet from None  # somebody holds a lease on it (fcntl(2))
            keeps.append(_Read(fd, link_of(fd)))
            if stat.S_ISCHR(mode):
                caller.proc.ptys.note(fd, found.status.st_rdev)
        held = keeps[1]
        assert isinstance(held, _Read)
        return self._giving(held, mode, flags)()

    # -- other ways to content

    def _also_read(self, effect: Effect | LetGo | Descriptor, flags: int) -> Effect | LetGo | Descriptor:
        """An open for writing that can read what is there already."""
        if not isinstance(effect, Effect) or effect.kind is not Kind.FS_WRITE or effect.refused:
            return effect
        if flags & os.O_ACCMODE == os.O_WRONLY or flags & os.O_TRUNC:
            return effect
        if not self._judge.concerned(os.fsencode(effect.target)):
            return effect
        place = effect.keeps[0]
        if isinstance(place, Place) and place.status() is None:
            return effect
        return _first(effect, effect.target)

    def _naming(self, ordinary: Handler) -> Handler:
        """A call that gives something another name, by which it could be read freely."""

        def handler(caller: Caller, args: Args) -> Effect | LetGo | Descriptor:
            effect = ordinary(caller, args)
            if not isinstance(effect, Effect) or not effect.origin or effect.refused:
                return effect
            if self._judge.moves_secrets(effect.origin, effect.target):
                return _first(effect, effect.origin)
            swapped = ordinary is self._ordinary["renameat2"] and args[4] & _EXCHANGE
            if swapped and self._judge.moves_secrets(effect.target, effect.origin):
                return _first(effect, effect.target)
            return effect

        return handler


def _first(effect: Effect, secret: str) -> Effect:
    """``effect``, once the reading of ``secret`` was allowed."""

    def never() -> Reply:
        raise fail(errno.EPERM)

    return Effect(
        effect.syscall, never, Kind.FS_READ, secret, check=effect.check, keeps=[effect], then=effect
    )  # fmt: skip


def _readable(found: Object) -> None:
    if not os.access(found.again, os.R_OK, effective_ids=True):
        raise fail(errno.EACCES)


def _find(caller: Caller, directory: int, path: bytes, flags: int) -> Object:
    """What the caller means by ``path``. Raises OSError as the kernel would."""
    if path[:1] == b"/":
        path = _spelled(caller, path)
        _may_see(caller, path)  # before a number that is the warden's is taken for "self"
    place = find(caller, directory, path)
    try:
        slashes = place.slashes
        if flags & os.O_NOFOLLOW and not slashes:
            status = place.status()
            if status is not None and stat.S_ISLNK(status.st_mode):
                raise fail(errno.ELOOP)
        else:
            place = follow(caller, place)
        if place.status() is None:
            raise fail(errno.ENOENT)
        found = _reach(caller, place)
    finally:
        place.close()
    try:
        if slashes and not stat.S_ISDIR(found.status.st_mode):
            raise fail(errno.ENOTDIR)
        _may_see(caller, found.path)
    except BaseException:
        found.close()
        raise
    return found


def _spelled(caller: Caller, path: bytes) -> bytes:
    """An absolute path without empty names. /proc/self is the process, whichever thread asks."""
    plain = b"/" + b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
    if plain == b"/proc/self" or plain.startswith(b"/proc/self/"):
        plain = b"/proc/%d" % caller.proc.pid + plain[len(b"/proc/self") :]
    return plain + b"/" if path.endswith((b"/", b"/.")) and plain != b"/" else plain


def _reach(caller: Caller, place: Place) -> Object:
    _may_see(caller, place.path)
    of = _OF_PROCESS.fullmatch(place.path)
    if of and _NAMESPACE.fullmatch(of[2]):  # has no name, and nothing in it
        return Object(os.open(place.name, os.O_PATH | os.O_CLOEXEC, dir_fd=place.fd))
    return reach_at(caller, place)


def _may_see(caller: Caller, path: bytes) -> None:
    """EACCES for what the kernel would not let the agent open below /proc."""
    of = _OF_PROCESS.fullmatch(path)
    if of and not _PUBLIC.fullmatch(of[2]) and not caller.proc.family(int(of[1])):
        raise fail(errno.EACCES)
    if os.geteuid() == 0 and _PRIVILEGED.fullmatch(path):
        raise fail(errno.EPERM)
