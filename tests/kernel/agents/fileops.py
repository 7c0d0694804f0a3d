"""Runs sequences of file calls and tells what each said and what became of the tree.

``fileops.py DIRECTORY``: for N = 0, 1, ...: waits for DIRECTORY/N.json (a list of calls), runs it in a fresh
directory, prints a line of JSON. An empty list ends it.
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

from raw import CWD, call

TIMES = {
    "early": struct.pack("=4q", 1000, 5, 2000, 6),
    "omit": struct.pack("=4q", 0, (1 << 30) - 2, 3000, 0),
    "both omitted": struct.pack("=4q", 0, (1 << 30) - 2, 0, (1 << 30) - 2),
    "bad": struct.pack("=4q", 0, 2_000_000_000, 0, 0),
    "none": None,
}
ACCESS = os.O_ACCMODE


class Machine:
    def __init__(self) -> None:
        self.slots: dict[int, int] = {}

    def at(self, slot: int | None) -> int:
        """A directory descriptor: None for the working directory."""
        return CWD if slot is None else self.slots.get(slot, 999)

    def run(self, name: str, args: list[Any]) -> Any:
        try:
            return getattr(self, name)(
                *[a.encode("utf-8", "surrogateescape") if isinstance(a, str) else a for a in args]
            )
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error))

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
    (root / "in").mkdir(parents=True)
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
