"""Held execve: what would run, in the words of the policy, and afterwards whether it is what runs.

A notification shows the arguments as they are at that moment; another thread may change them before the
kernel reads them again, and the call cannot be made on behalf. So (a) nothing rests on an exec verdict
alone - every write and connection of the new program is decided on its own - and (b) before the first
held call of the new image is answered, the image that runs is compared with the one that was approved.
libc's own first call, set_tid_address(2), is held for just that; a program without libc is compared at
its first other held call.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from functools import lru_cache

from agentgate.actions import Kind
from agentgate.gate.command import Places
from agentgate.gate.secrets import OWNERS
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.directories import DIRECTORY, link_of
from agentgate.intercept.kernel.effect import LET_GO, Effect, LetGo
from agentgate.intercept.kernel.environment import slipped
from agentgate.intercept.kernel.handler import Args, Handler, fail
from agentgate.intercept.kernel.loader import is_loader, launched
from agentgate.intercept.kernel.places import Object, reach
from agentgate.intercept.kernel.procs import Approved, Image, Proc, image

__all__ = ["Execs"]

_SCRIPT_DEPTH = 5  # binfmt_script nests that deep (BINPRM_MAX_RECURSION)
_LINE = 256  # BINPRM_BUF_SIZE
# What these lead to (/bin is /usr/bin nowadays) changes only when the system itself is set up anew.
_SYSTEM = {
    os.fsencode(path): os.path.realpath(path)
    for path in ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin")
    if os.path.isdir(path)
}
_HEADS = 512  # of programs, that are remembered
_SETTLED = 1_000_000_000  # ns: a file that was changed later than this may be changed again unseen


class Execs:
    """``places`` says whose programs go by a bare name; ``writable`` whether a rule lets the agent write
    at a path: programs there are named by their full path, so that ``./npm`` is never taken for ``npm``."""

    def __init__(self, places: Places, writable: Callable[[str], bool]) -> None:
        self._places = places
        self._writable = writable
        self._vouch = lru_cache(maxsize=_HEADS)(places.vouch)
        self._heads: dict[tuple[int, int, int, int], bytes] = {}
        self.handlers: dict[str, Handler] = {
            "execve": lambda c, a: self._exec(c, libc.AT_FDCWD, a[0], a[1], 0),
            "execveat": lambda c, a: self._exec(c, a[0], a[1], a[2], a[4]),
            "set_tid_address": self._started,
        }

    @staticmethod
    def _started(caller: Caller, args: Args) -> LetGo:
        return LET_GO  # the comparison was made before any handler was called

    def _exec(self, caller: Caller, directory: int, address: int, argv_at: int, flags: int) -> Effect:
        path = caller.string(address)
        if not path and flags & libc.AT_EMPTY_PATH:
            found = Object(caller.proc.descriptor(directory & 0x7FFFFFFF))
        else:
            found = reach(caller, directory, path, follow=not flags & libc.AT_SYMLINK_NOFOLLOW)
        try:
            if not stat.S_ISREG(found.status.st_mode) or not os.access(
                found.again, os.X_OK, effective_ids=True
            ):
                raise fail(errno.EACCES)
            argv = caller.strings(argv_at) or [b""]
            script = path if path[:1] == b"/" or not flags & libc.AT_EMPTY_PATH else b""
            if not path or (path[:1] != b"/" and directory & 0xFFFFFFFF != libc.AT_FDCWD & 0xFFFFFFFF):
                script = b"/dev/fd/%d" % (directory & 0xFFFFFFFF) + (b"/" + path if path else b"")
            name = self._name(caller, directory, path, found)
            words = (name, *map(os.fsdecode, argv[1:]))
            if words == caller.proc.denied:  # the search of PATH goes on to another name of it
                raise fail(errno.EACCES)
            goes_on = self._exec_on(caller.proc, name, words)
            command = caller.proc.running.command if goes_on and caller.proc.running else words
            approved, interpreters = self._approved(caller, found, script, argv, words, command)
        except BaseException:
            found.close()
            raise

        def perform() -> LetGo:
            caller.proc.pending = (*caller.proc.pending, approved)
            return LET_GO

        effect = Effect(
            "execve", perform, Kind.EXEC, " ".join(words), argv=words, keeps=[found]
        )  # fmt: skip
        effect.goes_on = goes_on
        effect.interpreters = interpreters
        return effect

    def _name(self, caller: Caller, directory: int, path: bytes, found: Object) -> str:
        """The first word of the target: the bare name only where neither the name nor the file behind it
        lies in a place that the agent can write. argv[0] never counts: anybody can claim to be anything."""
        real = os.fsdecode(found.path or link_of(found.fd))
        if not found.path:
            return real  # a memfd or a deleted file: has no name
        head, _, tail = path.rpartition(b"/")
        where = self._directory(caller, directory, head) if tail else ""
        if not where or where.startswith("/proc/"):  # by descriptor, or /proc/self/exe
            named = real
        else:
            named = f"{where.rstrip('/')}/{os.fsdecode(tail)}"
        if not self._vouch(named, real):
            return named
        for path_ in {named, real}:
            if not self._places.system(path_) and self._writable(path_):
                return named
        return os.path.basename(named)

    @staticmethod
    def _directory(caller: Caller, directory: int, head: bytes) -> str:
        """The real path of the directory in which a program was named."""
        if not head and directory & 0xFFFFFFFF == libc.AT_FDCWD & 0xFFFFFFFF:
            return os.fsdecode(os.readlink(b"/proc/%d/cwd" % caller.tid))  # not as it was noted
        known = _SYSTEM.get(head)
        if known:
            return known
        place = os.open(caller.path(directory, head or b"."), DIRECTORY)
        try:
            return os.fsdecode(link_of(place))
        finally:
            os.close(place)

    # -- one command is one question

    @staticmethod
    def _exec_on(proc: Proc, name: str, words: tuple[str, ...]) -> bool:
        """``npm install`` is a script: the kernel runs ``env node /usr/bin/npm install``, and env goes on
        to ``node /usr/bin/npm install`` in the same process. That is the command that was approved."""
        running = proc.running
        if running is None or not running.script or len(running.interpreter) < 2:
            return False
        rest = (running.script, *running.argv[1:])
        given = running.interpreter[1:]
        while given and (given[0].startswith("-") or "=" in given[0]):
            given = given[1:]
        return bool(given) and name == given[0] and words[1:] == (*given[1:], *rest)

    # -- what may run

    def _approved(
        self, caller: Caller, found: Object, path: bytes, argv: list[bytes], words: tuple[str, ...],
        command: tuple[str, ...],
    ) -> tuple[Approved, tuple[tuple[str, ...], ...]]:  # fmt: skip
        """And the command lines that the kernel makes of a script, as words of the policy."""
        before = image(caller.tid)
        text = tuple(map(os.fsdecode, argv))
        script = ""
        interpreter: tuple[str, ...] = ()
        images: tuple[Image, ...] = ()
        made: list[tuple[str, ...]] = []
        current, line, spelled = found, list(argv), path
        try:
            for _ in range(_SCRIPT_DEPTH):
                try:
                    head = self._head(current)
                except PermissionError:  # may be run, not read: no script then
                    images = (_image(current, line),)
                    break
                if head[:2] != b"#!":
                    if head[:4] == b"\x7fELF":
                        images = (_image(current, line),)
                        made += self._launched(caller, current, line)
                    break
                first = _shebang(head)
                if not first:
                    break
                if not script:
                    script, interpreter = (
                        os.fsdecode(spelled),
                        tuple(map(os.fsdecode, b" ".join(first).split())),
                    )
                line = [*first, spelled, *line[1:]]
                spelled = first[0]
                following = reach(caller, libc.AT_FDCWD, spelled)
                if current is not found:
                    current.close()
                current = following
                name = self._name(caller, libc.AT_FDCWD, spelled, following)
                made.append((name, *map(os.fsdecode, line[1:])))
        except OSError:
            images = ()  # the kernel will fail in its own way
        finally:
            if current is not found:
                current.close()
        approved = Approved(words, command, text, images, before, caller.tid, script, interpreter)
        return approved, tuple(made)

    def _launched(self, caller: Caller, found: Object, line: list[bytes]) -> list[tuple[str, ...]]:
        """What the dynamic loader, if ``found`` is that, is to run, as words of the policy."""
        command = launched(line[1:]) if is_loader(found.path) else []
        if not command:
            return []
        try:
            program = reach(caller, libc.AT_FDCWD, command[0])
        except OSError:  # a name that it looks for among the libraries, or one that is not there
            return []
        try:
            name = self._name(caller, libc.AT_FDCWD, command[0], program)
        finally:
            program.close()
        return [(name, *map(os.fsdecode, command[1:]))]

    def _head(self, found: Object) -> bytes:
        """The same, remembered for as long as the file's inode says that nothing was changed. Its clock can
        be coarse (some ms), so a file that was changed just now is read each time."""
        status = found.status
        key = (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_size)
        head = self._heads.get(key)
        if head is None:
            head = _head(found)
            if time.time_ns() - status.st_ctime_ns > _SETTLED:
                if len(self._heads) >= _HEADS:
                    self._heads.clear()
                self._heads[key] = head
        return head

    # -- what does run

    def compare(self, caller: Caller, syscall: str, alive: Callable[[], bool]) -> str:
        """Empty when the caller runs what was approved, else what it runs instead. Call before any held
        call of a process with a pending approval is answered. ``alive``: whether the call still waits."""
        proc = caller.proc
        proc.forget()
        now = image(proc.pid)
        before = proc.pending[0].before
        under_way = tuple(approved for approved in proc.pending if not _over(caller, approved))
        if not alive():  # a thread that the execve of another has ended meanwhile: tells nothing
            raise fail(errno.ESRCH)
        if now == before and under_way:  # a thread beside the one that runs something else
            proc.pending = under_way
            return ""
        for approved in proc.pending:
            if now in approved.images or (not approved.images and _foreign(proc.pid, now, approved)):
                proc.running, proc.pending, proc.denied = approved, (), None
                proc.owner.ran(proc, approved.command)
                proc.slipped = approved.command[0] in OWNERS and slipped(proc.pid, proc.process.exe)
                return ""
        if now == before and syscall != "set_tid_address":
            proc.pending = ()  # the execve failed, and its caller went on
            return ""
        return " ".join(now.argv) or "an unknown program"


def _foreign(pid: int, now: Image, approved: Approved) -> bool:
    """Whether ``now`` is what the kernel runs for a file of a format that somebody registered (binfmt_misc):
    an interpreter with the file and its arguments behind it."""
    kept = len(approved.argv) - 1
    if now.argv[len(now.argv) - kept :] != approved.argv[1:]:
        return False
    try:
        running = os.stat(f"/proc/{pid}/exe")
        return any(os.path.samestat(running, os.stat(path)) for path in _interpreters())
    except OSError:
        return False


def _interpreters() -> list[bytes]:
    found = []
    for entry in os.scandir("/proc/sys/fs/binfmt_misc"):
        if entry.name not in ("register", "status"):
            with open(entry.path, "rb") as lines:
                found += [line[12:].strip() for line in lines if line.startswith(b"interpreter ")]
    return found


def _over(caller: Caller, approved: Approved) -> bool:
    """Whether that execve has succeeded or failed. What runs may look the same before and after, so only
    its thread can tell: it makes another call, or it is gone, because it took its leader's place."""
    return caller.tid == approved.tid or not os.path.exists(f"/proc/{caller.proc.pid}/task/{approved.tid}")


def _head(found: Object) -> bytes:
    """The file's first bytes. Raises OSError (EACCES: it may be run and not read)."""
    descriptor = os.open(found.again, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(descriptor, _LINE)
    finally:
        os.close(descriptor)


def _shebang(head: bytes) -> list[bytes]:
    """The interpreter and its one optional argument (execve(2)); empty when the line is none."""
    line = head[2:].split(b"\n", 1)[0].split(b"\0", 1)[0].strip(b" \t")
    parts = line.split(None, 1)
    return [part.strip(b" \t") for part in parts]


def _image(found: Object, argv: list[bytes]) -> Image:
    status = found.status
    return Image(status.st_dev, status.st_ino, status.st_ctime_ns, tuple(map(os.fsdecode, argv)))
