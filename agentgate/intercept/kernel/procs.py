"""Who calls: facts about the agent's processes from /proc (proc_pid_stat(5), proc_pid_status(5)).

A process is looked at once, when its first call is held, and again when it runs a new program. Its place
in the family is kept as first seen, so a daemon that lets itself be orphaned still shows who started it.

Entries are dropped by ``sweep`` once the process is gone. It must be called more often than the kernel
can hand out all its process ids (32,768 forks take many seconds); then an entry never speaks of another
process that got the same number.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from agentgate.actions import Process
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.devices import Ptys
from agentgate.intercept.kernel.directories import Directories, Directory

__all__ = ["Approved", "Image", "Proc", "Procs", "children", "descendants", "image", "read_umask"]

_PAGE = 4096
_PEEK = 256
_WORTH = 16
_SHOWN = 4096


@dataclass(frozen=True, slots=True)
class Image:
    """A program as the kernel runs it: the file's identity and the command line."""

    device: int
    inode: int
    changed: int
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Approved:
    """An execve that was let go. ``words``: its target, word by word. ``images``: what may run then
    (empty: nothing is known of it, a format that the kernel hands to somebody else). ``before``: what
    the process ran when it asked; ``tid`` the thread that asked. ``script`` and ``interpreter``: how the
    kernel spells a script, and the words of its first line. ``command``: what it is called from then on,
    which for a script that goes on in its interpreter is still the script."""

    words: tuple[str, ...]
    command: tuple[str, ...]
    argv: tuple[str, ...]
    images: tuple[Image, ...]
    before: Image
    tid: int
    script: str = ""
    interpreter: tuple[str, ...] = ()


@dataclass(slots=True)
class Proc:
    """One process. ``chain`` starts with itself."""

    pid: int
    process: Process
    chain: tuple[Process, ...]
    owner: Procs
    pidfd: int = -1
    running: Approved | None = None  # what its last held execve was approved for
    pending: tuple[Approved, ...] = ()  # the same, of each thread, until one is seen to run
    denied: tuple[str, ...] | None = None  # the command that it was last refused to run
    cwd: str | None = None  # until its next chdir, and
    here: Directory | None = None  # the same, held open
    moving: set[int] = field(default_factory=set)  # threads whose chdir may not be over
    umask: int | None = None
    loose: bool = False  # its threads, or it and another process, may differ in these: nothing is kept
    notes: set[str] = field(default_factory=set)  # refusals already told on its stderr
    memory: int = -1  # /proc/PID/mem of the program that it runs, once that was worth while
    peeks: int = 0
    slipped: bool = False  # something was put into its program from outside: see environment.py

    @property
    def ptys(self) -> Ptys:
        return self.owner.ptys

    def reader(self) -> tuple[str, ...]:
        """Its command, for what only a certain program may read: under that program's bare name only as
        long as nothing else runs in it, or reaches into it."""
        argv = self.process.argv
        if self.slipped or traced(self.pid):
            return (self.process.exe or "/", *argv[1:])
        return argv

    def family(self, pid: int) -> bool:
        """Whether ``pid`` belongs to the agent's tree too."""
        return self.owner.known(pid)

    def descriptor(self, number: int) -> int:
        """A duplicate of the process' descriptor. Close it. Raises OSError (EBADF)."""
        if self.pidfd < 0:
            self.pidfd = libc.pidfd_open(self.pid)
        return libc.pidfd_getfd(self.pidfd, number)

    def peek(self, address: int) -> bytes:
        """The beginning of what its memory holds at ``address``, as much as a path mostly has; empty where
        that cannot be had so. Half the time of process_vm_readv(2), which has to find the process first, but
        only the process that opens much is worth it, one at a time."""
        try:
            if self.memory < 0:
                self.peeks += 1
                if self.peeks < _WORTH:
                    return b""
                if self.owner.peeked:
                    self.owner.peeked.forget()
                self.owner.peeked = self
                self.memory = os.open(f"/proc/{self.pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
            return os.pread(self.memory, _PEEK, address)
        except (OSError, OverflowError):
            return b""

    def forget(self) -> None:
        """It may run another program now, which has other memory."""
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1
            self.owner.peeked = None
        self.peeks = 0

    def close(self) -> None:
        self.forget()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def _read(path: str, size: int = 4096) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def command_line(pid: int) -> tuple[str, ...]:
    """The process' whole argv as the kernel holds it now; empty when it cannot be read."""
    try:
        descriptor = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        data = part = os.read(descriptor, _PAGE)
        while len(part) >= _PAGE:
            part = os.read(descriptor, 64 * _PAGE)
            data += part
    except OSError:
        return ()
    finally:
        os.close(descriptor)
    parts = data.split(b"\0")
    if parts and not parts[-1]:
        parts.pop()
    return tuple(map(os.fsdecode, parts))


def _shown(argv: tuple[str, ...]) -> tuple[str, ...]:
    """An argv for the chain, which stands in every record: cut to a few thousand characters."""
    room, out = _SHOWN, []
    for number, word in enumerate(argv):
        if len(word) > room:
            out.append(f"{word[:room]}… ({len(argv) - number - 1} more arguments)")
            break
        room -= len(word)
        out.append(word)
    return tuple(out)


def executable(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def image(pid: int) -> Image:
    """What ``pid`` runs now. Raises OSError when it cannot be told."""
    status = os.stat(f"/proc/{pid}/exe")
    return Image(status.st_dev, status.st_ino, status.st_ctime_ns, command_line(pid))


def traced(pid: int) -> bool:
    """Whether another process debugs ``pid``, or it cannot be told."""
    try:
        status = _read(f"/proc/{pid}/status", 1024)
    except OSError:
        return True
    return b"\nTracerPid:\t0\n" not in status


def read_umask(tid: int) -> int:
    """The thread's file mode creation mask."""
    head = _read(f"/proc/{tid}/status", 128)
    at = head.index(b"Umask:\t") + 7
    return int(head[at : at + 4], 8)


class Procs:
    """The processes of one session, by thread id."""

    def __init__(self, root: int = 0) -> None:
        self.root = root  # the agent's first process; chains end there
        self.outside: set[int] = set()  # children of the warden that are not of the agent's tree
        self.rooted = False  # whether any of them ever called chroot(2)
        self.ptys = Ptys()
        self.directories = Directories()
        self.peeked: Proc | None = None  # the one process whose memory is held open
        self._by_thread: dict[int, Proc] = {}
        self._by_pid: dict[int, Proc] = {}

    def of(self, tid: int) -> Proc:
        """The process of thread ``tid``. Raises OSError when it is gone."""
        known = self._by_thread.get(tid)
        if known is not None:
            return known
        pid = self._group(tid)
        proc = self._by_pid.get(pid) or self._look(pid)
        self._by_thread[tid] = proc
        return proc

    @staticmethod
    def _group(tid: int) -> int:
        """The process of thread ``tid``. Most first calls are of the thread that leads it, which the kernel
        tells ten times as fast: pidfd_open(2) takes no other."""
        if libc.leads(tid):
            return tid
        status = _read(f"/proc/{tid}/status", 256)
        at = status.index(b"\nTgid:\t") + 7
        return int(status[at : status.index(b"\n", at)])

    def _look(self, pid: int) -> Proc:
        """A process seen for the first time. It has run no program of its own yet - that would have been
        held - so it is a fork, and goes under its parent's command. What /proc says of a command line is
        only what the process chose to write there."""
        parent, start = self._facts(pid)
        above = self._above(parent) if pid != self.root else None
        if above is not None:
            process = Process(pid, above.process.argv, above.process.exe, start)
            chain = (process, *above.chain)
        else:
            argv = _shown(command_line(pid)) if pid != self.root else ("agentgate",)
            process = Process(pid, argv, executable(pid), start)
            chain = (process,)
        loose = above.loose if above else pid != self.root
        proc = Proc(pid, process, chain, self, loose=loose)
        proc.slipped = above is not None and above.slipped
        self._by_pid[pid] = proc
        return proc

    def _above(self, pid: int) -> Proc | None:
        """The parent, unless it is the warden: who was orphaned before it was ever seen has none."""
        if pid <= 1 or pid == os.getpid():
            return None
        try:
            return self._by_pid.get(pid) or self._look(pid)
        except OSError:
            return None

    @staticmethod
    def _facts(pid: int) -> tuple[int, int]:
        """Parent and start time."""
        data = _read(f"/proc/{pid}/stat", 1024)
        fields = data[data.rindex(b")") + 2 :].split()
        return int(fields[1]), int(fields[19])

    def ran(self, proc: Proc, words: tuple[str, ...]) -> None:
        """``proc`` now runs what was approved as ``words``."""
        process = Process(proc.pid, _shown(words), executable(proc.pid), proc.process.start)
        proc.process = process
        proc.chain = (process, *proc.chain[1:])

    def known(self, pid: int) -> bool:
        """Whether ``pid`` (a process or thread id) belongs to the agent's tree."""
        if pid in self._by_thread or pid in self._by_pid:
            return True
        seen = 0
        try:
            pid = self._group(pid)
            while pid > 1 and seen < 4096 and pid not in self.outside:
                if pid in (self.root, os.getpid()):
                    return pid == self.root or seen > 0
                data = _read(f"/proc/{pid}/stat", 1024)
                pid = int(data[data.rindex(b")") + 2 :].split()[1])
                seen += 1
        except (OSError, ValueError):
            return False
        return False

    def sweep(self) -> None:
        """Forget processes and threads that are gone."""
        for tid in [tid for tid in self._by_thread if not os.path.exists(f"/proc/{tid}")]:
            del self._by_thread[tid]
        gone = {pid for pid, proc in self._by_pid.items() if not _same(pid, proc)}
        for pid in gone:
            self._by_pid.pop(pid).close()
        for tid in [tid for tid, proc in self._by_thread.items() if proc.pid in gone] if gone else ():
            del self._by_thread[tid]

    def has(self, proc: Proc) -> bool:
        """Whether ``proc`` was there at the last sweep."""
        return self._by_pid.get(proc.pid) is proc

    def __len__(self) -> int:
        return len(self._by_pid)


def _same(pid: int, proc: Proc) -> bool:
    try:
        data = _read(f"/proc/{pid}/stat", 1024)
    except OSError:
        return False
    return int(data[data.rindex(b")") + 2 :].split()[19]) == proc.process.start


def _parents() -> dict[int, int]:
    """The parent of every live process."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                data = _read(f"/proc/{name}/stat", 1024)
            except OSError:
                continue
            fields = data[data.rindex(b")") + 2 :].split()
            if fields[0] not in (b"Z", b"X"):
                parents[int(name)] = int(fields[1])
    return parents


def children(pid: int) -> set[int]:
    """The live children of ``pid``."""
    return {child for child, parent in _parents().items() if parent == pid}


def descendants(root: int) -> set[int]:
    """Every live process below ``root`` in the tree of parents (without ``root`` itself)."""
    parents = _parents()
    found: set[int] = set()
    grew = True
    while grew:
        new = {pid for pid, parent in parents.items() if pid not in found and parent in (found | {root})}
        grew = bool(new)
        found |= new
    return found
