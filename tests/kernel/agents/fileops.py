"""Runs sequences of file calls and tells what each said and what became of the tree.

``fileops.py DIRECTORY``: for N = 0, 1, ...: waits for DIRECTORY/N.json (a list of calls), runs it in the
directory DIRECTORY/N, a fresh one if there is none, prints a line of JSON. An empty list ends it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import stat
import struct
import sys
import time
from pathlib import Path
from typing import Any

from raw import CWD, call, has

TIMES = {
    "early": struct.pack("=4q", 1000, 5, 2000, 6),
    "omit": struct.pack("=4q", 0, (1 << 30) - 2, 3000, 0),
    "both omitted": struct.pack("=4q", 0, (1 << 30) - 2, 0, (1 << 30) - 2),
    "bad": struct.pack("=4q", 0, 2_000_000_000, 0, 0),
    "none": None,
}
ACCESS = os.O_ACCMODE
ACLS = {  # acl(5), linux/posix_acl_xattr.h
    "good": struct.pack("=I", 2) + b"".join(
        struct.pack("=HHi", *entry)
        for entry in ((1, 6, -1), (2, 7, 12345), (4, 4, -1), (16, 5, -1), (32, 0, -1))
    ),
    "short": struct.pack("=I", 2) + struct.pack("=HHi", 1, 6, -1),
    "bad": b"xyz",
}  # fmt: skip


class Machine:
    def __init__(self) -> None:
        self.slots: dict[int, int] = {}

    def at(self, slot: int | None) -> int:
        """A directory descriptor: None for the working directory."""
        return CWD if slot is None else self.slots.get(slot, 999)

    def run(self, name: str, args: list[Any]) -> Any:
        try:
            return getattr(self, name)(*[self.spelled(a) if isinstance(a, str) else a for a in args])
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error))

    def spelled(self, text: str) -> bytes:
        """``@N`` at the start is what slot N holds, by its name in /proc; ``%N`` likewise, by another."""
        if text[:1] in ("@", "%") and text[1:2].isdigit():
            base = "/proc/self/fd" if text[0] == "@" else "/proc/thread-self/fd"
            text = f"{base}/{self.slots.get(int(text[1]), 999)}{text[2:]}"
        return text.encode("utf-8", "surrogateescape")

    # -- the calls

    def open(self, slot: int | None, path: bytes, flags: int, mode: int, keep: int | None) -> Any:
        descriptor = call("openat", self.at(slot), path, flags | os.O_NONBLOCK, mode)
        status = os.fstat(descriptor)
        said: list[Any] = [oct(status.st_mode), status.st_size]
        if not flags & os.O_PATH:
            said.append(call("fcntl", descriptor, 3) & (ACCESS | os.O_APPEND | os.O_NONBLOCK))  # F_GETFL
            said.append(os.get_inheritable(descriptor))
            if flags & ACCESS and stat.S_ISREG(status.st_mode):
                os.write(descriptor, b"written")
        if keep is None:
            os.close(descriptor)
        else:
            self.close(keep)
            self.slots[keep] = descriptor
        return said

    def close(self, slot: int) -> Any:
        if slot in self.slots:
            os.close(self.slots.pop(slot))

    def mkdir(self, slot: int | None, path: bytes, mode: int) -> Any:
        return call("mkdirat", self.at(slot), path, mode)

    def unlink(self, slot: int | None, path: bytes, flags: int) -> Any:
        return call("unlinkat", self.at(slot), path, flags)

    def rename(self, one: int | None, path: bytes, two: int | None, new: bytes, flags: int) -> Any:
        return call("renameat2", self.at(one), path, self.at(two), new, flags)

    def link(self, one: int | None, path: bytes, two: int | None, new: bytes, flags: int) -> Any:
        return call("linkat", self.at(one), path, self.at(two), new, flags)

    def symlink(self, text: bytes, slot: int | None, path: bytes) -> Any:
        return call("symlinkat", text, self.at(slot), path)

    def mknod(self, slot: int | None, path: bytes, mode: int) -> Any:
        return call("mknodat", self.at(slot), path, mode, 0)

    def truncate(self, path: bytes, size: int) -> Any:
        return call("truncate", path, size)

    def chmod(self, slot: int | None, path: bytes, mode: int) -> Any:
        return call("fchmodat", self.at(slot), path, mode)

    def chmod2(self, slot: int | None, path: bytes, mode: int, flags: int) -> Any:
        return call("fchmodat2", self.at(slot), path, mode, flags)

    def chown(self, slot: int | None, path: bytes, own: bool, flags: int) -> Any:
        uid, gid = (os.getuid(), os.getgid()) if own else (-1, -1)
        return call("fchownat", self.at(slot), path, uid, gid, flags)

    def utimes(self, slot: int | None, path: bytes, times: bytes, flags: int) -> Any:
        return call("utimensat", self.at(slot), path, TIMES[times.decode()], flags)

    def setxattr(self, path: bytes, name: bytes, value: bytes, flags: int, follow: bool) -> Any:
        return call("setxattr" if follow else "lsetxattr", path, name, value, len(value), flags)

    def removexattr(self, path: bytes, name: bytes, follow: bool) -> Any:
        return call("removexattr" if follow else "lremovexattr", path, name)

    def fchmod(self, slot: int, mode: int) -> Any:
        return call("fchmod", self.slots.get(slot, CWD), mode)

    def fchown(self, slot: int) -> Any:
        return call("fchown", self.slots.get(slot, CWD), -1, -1)

    def futimes(self, slot: int, times: bytes) -> Any:
        return call("utimensat", self.slots.get(slot, CWD), None, TIMES[times.decode()], 0)

    def fsetxattr(self, slot: int, name: bytes, value: bytes) -> Any:
        return call("fsetxattr", self.slots.get(slot, CWD), name, value, len(value), 0)

    def fremovexattr(self, slot: int, name: bytes) -> Any:
        return call("fremovexattr", self.slots.get(slot, CWD), name)

    def ftruncate(self, slot: int, size: int) -> Any:
        return call("ftruncate", self.slots.get(slot, 999), size)

    def write(self, slot: int) -> Any:
        return os.write(self.slots.get(slot, 999), b"more")

    def fallocate(self, slot: int, mode: int, offset: int, size: int) -> Any:
        return call("fallocate", self.slots.get(slot, 999), mode, offset, size)

    def name(self, kept: int, slot: int | None, path: bytes, empty: bool) -> Any:
        """A name for what is held, which may have none yet."""
        held = self.slots.get(kept, 999)
        if empty:
            return call("linkat", held, b"", self.at(slot), path, 0x1000)
        return call("linkat", CWD, b"/proc/self/fd/%d" % held, self.at(slot), path, 0x400)

    def acl(self, path: bytes, kind: bytes, default: bool) -> Any:
        value = ACLS[kind.decode()]
        name = b"system.posix_acl_default" if default else b"system.posix_acl_access"
        return call("setxattr", path, name, value, len(value), 0)

    def old(self, name: bytes, path: bytes, other: bytes) -> Any:
        """The calls that newer architectures do not have."""
        if not has("open"):
            return None
        times, longs = struct.pack("=4q", 1000, 5, 2000, 6), struct.pack("=2q", 1000, 2000)
        given: dict[str, tuple[Any, ...]] = {
            "open": (path, os.O_CREAT | os.O_RDWR, 0o666), "creat": (path, 0o640), "mkdir": (path, 0o777),
            "rmdir": (path,), "unlink": (path,), "rename": (path, other), "link": (path, other),
            "symlink": (other, path), "mknod": (path, 0o010666, 0), "chmod": (path, 0o606),
            "chown": (path, -1, -1), "lchown": (path, -1, -1), "utime": (path, longs),
            "utimes": (path, times), "futimesat": (CWD, path, times),
        }  # fmt: skip
        result = call(name.decode(), *given[name.decode()])
        if name in (b"open", b"creat"):
            os.close(result)
            return 0
        return result

    def umask(self, mask: int) -> Any:
        return os.umask(mask)

    def chdir(self, path: bytes) -> Any:
        os.chdir(path)


def snapshot(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for folder, directories, files in os.walk(root):
        for name in sorted([*directories, *files, "."]):
            path = os.path.join(folder, name)
            try:
                status = os.lstat(path)
            except OSError as error:
                found[os.path.relpath(path, root)] = [str(error.errno)]
                continue
            entry: list[Any] = [oct(status.st_mode), status.st_uid, status.st_gid]
            if status.st_mtime < 10_000:
                entry.append(status.st_mtime_ns)  # set on purpose
            if stat.S_ISLNK(status.st_mode):
                entry.append(os.readlink(path))
            elif stat.S_ISREG(status.st_mode):
                entry += [status.st_nlink, status.st_size]
                try:
                    with open(path, "rb") as file:
                        entry.append(file.read(100).decode("latin-1"))
                except OSError:
                    entry.append("unreadable")
            try:
                entry.append({name: os.getxattr(path, name, follow_symlinks=False).decode("latin-1")
                              for name in os.listxattr(path, follow_symlinks=False)})  # fmt: skip
            except OSError:
                entry.append("unreadable")
            found[os.path.relpath(path, root)] = entry
    return found


def play(root: Path, steps: list[list[Any]]) -> dict[str, Any]:
    (root / "in").mkdir(parents=True, exist_ok=True)
    os.chdir(root / "in")
    os.umask(0o022)
    machine = Machine()
    said = [machine.run(name, args) for name, *args in steps]
    for slot in list(machine.slots):
        machine.close(slot)
    os.chdir("/")
    os.umask(0o022)
    tree = snapshot(root)
    return {"said": said, "tree": tree}


def main() -> None:
    base = Path(sys.argv[1])
    number = 0
    while True:
        job = base / f"{number}.json"
        while not job.exists():
            time.sleep(0.001)
        steps = json.loads(job.read_text())
        if not steps:
            return
        sys.stdout.write(json.dumps(play(base / str(number), steps)) + "\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    assert ctypes.sizeof(ctypes.c_long) == 8
    main()
