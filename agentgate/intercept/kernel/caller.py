"""The thread that waits for its answer: its memory, its descriptors, its view of /proc."""

from __future__ import annotations

import errno
import os
import struct

from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.directories import DIRECTORY, Directory, link_of
from agentgate.intercept.kernel.procs import Proc, read_umask

__all__ = ["Caller"]

_PATH_MAX = 4096
_PAGE = 4096
_ARG_MAX = 1 << 21  # what execve(2) takes in all, by default
_OWN = ((b"/proc/self", b"/proc/%d"), (b"/proc/thread-self", b"/proc/%d"), (b"/dev/fd", b"/proc/%d/fd"))
_STDIO = {b"/dev/stdin": 0, b"/dev/stdout": 1, b"/dev/stderr": 2}


class Caller:
    """Thread ``tid`` of process ``proc`` during one held call. Strings are read once and never again:
    what was decided is what is done, whatever the caller writes into its memory meanwhile."""

    __slots__ = ("proc", "tid")

    def __init__(self, tid: int, proc: Proc) -> None:
        self.tid = tid
        self.proc = proc

    def memory(self, address: int, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises OSError (EFAULT)."""
        out = b""
        while len(out) < size:
            part = libc.read_memory(self.tid, address + len(out), size - len(out))
            if not part:
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
            out += part
        return out

    def string(self, address: int, limit: int = _PATH_MAX, too_long: int = errno.ENAMETOOLONG) -> bytes:
        """The bytes up to NUL. Raises OSError: EFAULT, or ``too_long`` when ``limit`` bytes hold no NUL."""
        out = self.proc.peek(address)
        end = out.find(b"\0")
        if 0 <= end < limit:
            return out[:end]
        out = b""
        while len(out) < limit:
            at = address + len(out)
            part = libc.read_memory(self.tid, at, min(_PAGE - at % _PAGE, limit - len(out)))
            end = part.find(b"\0")
            if end >= 0:
                return out + part[:end]
            if not part:
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
            out += part
        raise OSError(too_long, os.strerror(too_long))

    def strings(self, address: int) -> list[bytes]:
        """A NULL-terminated array of strings, as execve(2) takes it. Raises OSError (EFAULT, E2BIG)."""
        if not address:
            return []
        out: list[bytes] = []
        total, base, block = 0, 0, b""
        for pointer in self._pointers(address):
            start = pointer - base
            end = block.find(b"\0", start) if 0 <= start < len(block) else -1
            if end < 0:  # argument strings mostly lie one behind the other: read a page's worth
                base, start = pointer, 0
                block = libc.read_memory(self.tid, pointer, _PAGE - pointer % _PAGE or _PAGE)
                end = block.find(b"\0")
            text = block[start:end] if end >= 0 else self.string(pointer, _ARG_MAX - total, errno.E2BIG)
            total += len(text) + 9
            if total > _ARG_MAX:
                raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
            out.append(text)
        return out

    def _pointers(self, address: int) -> list[int]:
        out: list[int] = []
        while len(out) * 8 < _ARG_MAX:
            at = address + 8 * len(out)
            part = libc.read_memory(self.tid, at, _PAGE - at % _PAGE if at % 8 == 0 else 8)
            for (pointer,) in struct.iter_unpack("=Q", part[: len(part) // 8 * 8]):
                if not pointer:
                    return out
                out.append(pointer)
            if len(part) < 8:
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))

    def path(self, directory: int, path: bytes) -> bytes:
        """``path``, given with directory descriptor ``directory``, as the warden can open it.

        Names that mean the caller itself (/proc/self, /dev/stdout...) are spelled out, because the kernel
        would take them for the warden's. Raises OSError (ENOENT) for "". Whether ``directory`` is open at
        all, ``check_base`` tells.
        """
        if not path:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        if path[:1] == b"/":
            if path.startswith((b"/proc/", b"/dev/", b"//", b"/./")):
                return self.own_view(path)
            return path
        directory = directory & 0xFFFFFFFF
        if directory == libc.AT_FDCWD & 0xFFFFFFFF:
            return b"/proc/%d/cwd/%s" % (self.tid, path)
        return b"/proc/%d/fd/%d/%s" % (self.tid, directory, path)

    def check_root(self) -> None:
        """Paths are looked up as the warden sees them, so there are none for who has another root: neither
        would they lead where they should, nor would they stay in there. Raises OSError (EACCES)."""
        root = b"/proc/%d/root" % self.tid
        if os.readlink(root) != b"/" or not os.path.samestat(os.stat(root), os.stat("/")):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    def check_base(self, path: bytes) -> None:
        """Raises OSError (EBADF) when ``path`` (as made by ``path``) begins at a descriptor that is none."""
        own = b"/proc/%d/fd/" % self.tid
        if path.startswith(own) and not os.path.lexists(own + path[len(own) :].partition(b"/")[0]):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def own_view(self, path: bytes) -> bytes:
        """An absolute path with the names that mean "the caller" replaced by its thread id."""
        parts = b"/" + b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
        number = _STDIO.get(parts)
        if number is not None:
            return b"/proc/%d/fd/%d" % (self.tid, number)
        for prefix, own in _OWN:
            if parts == prefix or parts.startswith(prefix + b"/"):
                tail = b"/" if path.endswith(b"/") else b""
                return own % self.tid + parts[len(prefix) :] + tail
        return path

    def holds(self, status: os.stat_result, *, writing: bool = False) -> bool:
        """Whether one of the caller's descriptors is of the file that has this ``status``; with ``writing``
        one that is open for writing."""
        folder = f"/proc/{self.tid}/fd"
        for name in os.listdir(folder):
            try:
                held = os.stat(f"{folder}/{name}")
            except OSError:
                continue
            if (held.st_dev, held.st_ino) == (status.st_dev, status.st_ino) and (
                not writing or self._writes(name)
            ):
                return True
        return False

    def here(self) -> Directory | None:
        """The working directory, held open; None when it is not one to keep (deleted, below /proc) and is
        to be looked at anew. It stays the right one until the process' next chdir, wherever it is moved."""
        proc = self.proc
        if proc.loose:
            return None
        known = proc.here
        if known is not None:
            if link_of(known.fd) == known.path:
                return known
            proc.here = None
        if proc.moving:
            proc.moving.discard(self.tid)  # who makes another call has finished its chdir
        descriptor = os.open(b"/proc/%d/cwd" % self.tid, DIRECTORY)
        found = Directory(descriptor, link_of(descriptor))
        if found.path.startswith(b"/proc") or found.path.endswith(b" (deleted)"):
            return None
        if not proc.moving:
            proc.here = found
        return found

    def _writes(self, number: str) -> bool:
        """Whether descriptor ``number`` is open for writing (proc_pid_fdinfo(5))."""
        try:
            with open(f"/proc/{self.tid}/fdinfo/{number}", "rb") as lines:
                flags = next(int(line.split()[1], 8) for line in lines if line.startswith(b"flags:"))
        except (OSError, StopIteration):
            return False
        return bool(flags & os.O_ACCMODE) and not flags & os.O_PATH

    def cwd(self) -> str:
        """The working directory, as of the process' last chdir; empty when it cannot be read."""
        proc = self.proc
        if proc.cwd is None or proc.moving or proc.loose:
            proc.moving.discard(self.tid)
            try:
                cwd = os.fsdecode(os.readlink(b"/proc/%d/cwd" % self.tid))
            except OSError:
                return ""
            if proc.moving or proc.loose:
                return cwd
            proc.cwd = cwd
        return proc.cwd

    def umask(self) -> int:
        """The file mode creation mask."""
        if self.proc.umask is None or self.proc.loose:
            self.proc.umask = read_umask(self.tid)
        return self.proc.umask
