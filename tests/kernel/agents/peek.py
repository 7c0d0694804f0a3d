"""Every way to a file's content, each on a copy of its own: ``peek.py SECRETS PLAIN [LABEL...]``.

SECRETS/LABEL/.env is the secret; SECRETS/LABEL/dir is an empty directory, PLAIN/LABEL/x a file of no
interest. Prints, by label, what was read or the errno's name.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from raw import CWD, FOLLOW, call, has, report

RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR


class Spot:
    def __init__(self, secrets: Path, plain: Path) -> None:
        self.folder, self.plain = secrets, plain
        self.secret = os.fsencode(secrets / ".env")
        self.other = os.fsencode(plain / "other")
        self.x = os.fsencode(plain / "x")


def content(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def by_path(path: bytes, flags: int = RD) -> bytes:
    return content(call("openat", CWD, path, flags, 0))


def through_link(spot: Spot) -> bytes:
    os.symlink(spot.secret, spot.other)
    return by_path(spot.other)


def through_links(spot: Spot) -> bytes:
    os.symlink(spot.folder, spot.other)
    os.symlink(b"other/.env", os.fsencode(spot.plain / "second"))
    return by_path(os.fsencode(spot.plain / "second"))


def beneath(spot: Spot, flags: int) -> bytes:
    folder = os.open(spot.folder, flags)
    return content(call("openat", folder, b".env", RD, 0))


def from_inside(spot: Spot) -> bytes:
    before = os.getcwd()
    os.chdir(spot.folder)
    try:
        return by_path(b".env") + by_path(b"./.env") + by_path(b"/proc/self/cwd/.env")
    finally:
        os.chdir(before)


def anew(spot: Spot, way: str) -> bytes:
    held = call("openat", CWD, spot.secret, os.O_PATH, 0)
    return by_path(os.fsencode(way) % held)


def linked(spot: Spot) -> bytes:
    call("linkat", CWD, spot.secret, CWD, spot.other, 0)
    return by_path(spot.other)


def linked_held(spot: Spot) -> bytes:
    held = call("openat", CWD, spot.secret, os.O_PATH, 0)
    call("linkat", CWD, b"/proc/self/fd/%d" % held, CWD, spot.other, FOLLOW)
    return by_path(spot.other)


def renamed(spot: Spot) -> bytes:
    call("renameat2", CWD, spot.secret, CWD, spot.other, 0)
    return by_path(spot.other)


def swapped(spot: Spot, *, back: bool) -> bytes:
    one, two = (spot.x, spot.secret) if back else (spot.secret, spot.x)
    call("renameat2", CWD, one, CWD, two, 2)
    return by_path(spot.x)


def exempt(spot: Spot) -> bytes:
    call("renameat2", CWD, spot.secret, CWD, spot.secret + b".example", 0)
    return by_path(spot.secret + b".example")


def in_thread(spot: Spot) -> bytes:
    found: list[bytes] = []

    def run() -> None:
        try:
            found.append(by_path(b"/proc/thread-self/root" + spot.secret))
        except OSError as error:
            found.append(errno.errorcode[error.errno or 0].encode())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


def forked(spot: Spot) -> bytes:
    reader, writer = os.pipe()
    if not os.fork():
        try:
            os.write(writer, by_path(spot.secret))
        finally:
            os._exit(0)
    os.close(writer)
    return content(reader)


def written_first(spot: Spot) -> bytes:
    """A descriptor for writing is no right to read."""
    held = call("openat", CWD, spot.secret, WR | os.O_APPEND, 0)
    return by_path(b"/proc/self/fd/%d" % held)


def mapped(spot: Spot) -> bytes:
    with open(spot.secret, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
        return view[:]


def by_handle(spot: Spot) -> bytes:
    handle = ctypes.create_string_buffer(struct.pack("=Ii", 128, 0) + bytes(128))
    mount = ctypes.create_string_buffer(8)
    call("name_to_handle_at", CWD, spot.secret, ctypes.addressof(handle), ctypes.addressof(mount), 0)
    return content(call("open_by_handle_at", os.open(spot.folder, RD), ctypes.addressof(handle), RD))


def by_openat2(spot: Spot) -> bytes:
    return content(call("openat2", CWD, spot.secret, struct.pack("=3Q", RD, 0, 0), 24))


def told(*command: str | bytes, **env: str) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False, env=dict(os.environ, **env))
    return done.stdout or done.stderr


def passed(spot: Spot) -> bytes:
    """From a child, over a socket."""
    ours, theirs = socket.socketpair()
    if not os.fork():
        try:
            socket.send_fds(theirs, [b"x"], [os.open(spot.secret, RD)])
        finally:
            os._exit(0)
    theirs.close()
    _, given, _, _ = socket.recv_fds(ours, 1, 1)
    if not given:
        raise OSError(errno.EACCES, "")
    return content(given[0])


WAYS: dict[str, Callable[[Spot], bytes]] = {
    "openat": lambda s: by_path(s.secret),
    "no follow": lambda s: by_path(s.secret, os.O_NOFOLLOW | os.O_CLOEXEC),
    "not waiting": lambda s: by_path(s.secret, os.O_NONBLOCK | os.O_NOCTTY | os.O_SYNC),
    "append": lambda s: by_path(s.secret, os.O_APPEND | os.O_NOATIME),
    "with unknown flags": lambda s: by_path(s.secret, 1 << 30),
    "to write too": lambda s: by_path(s.secret, RW),
    "to write or make": lambda s: by_path(s.secret, RW | os.O_CREAT),
    "to read or make": lambda s: by_path(s.secret, RD | os.O_CREAT),
    "dots": lambda s: by_path(os.fsencode(s.folder) + b"/dir/../.env"),
    "slashes": lambda s: by_path(b"//." + s.secret.replace(b"/", b"//")),
    "from the root's parent": lambda s: by_path(b"/.." + s.secret),
    "link": through_link,
    "links": through_links,
    "directory descriptor": lambda s: beneath(s, RD | os.O_DIRECTORY),
    "directory path descriptor": lambda s: beneath(s, os.O_PATH),
    "from inside": from_inside,
    "root of the process": lambda s: by_path(b"/proc/self/root" + s.secret),
    "root of this process": lambda s: by_path(b"/proc/%d/root%s" % (os.getpid(), s.secret)),
    "root of the thread": in_thread,
    "path descriptor": lambda s: anew(s, "/proc/self/fd/%d"),
    "path descriptor in dev": lambda s: anew(s, "/dev/fd/%d"),
    "path descriptor of the thread": lambda s: anew(s, "/proc/thread-self/fd/%d"),
    "hard link": linked,
    "hard link of what is held": linked_held,
    "rename": renamed,
    "exchange": lambda s: swapped(s, back=False),
    "exchange the other way": lambda s: swapped(s, back=True),
    "rename to an exempt name": exempt,
    "child": forked,
    "descriptor for writing": written_first,
    "mapping": mapped,
    "passed on": passed,
    "openat2": by_openat2,
    "cat": lambda s: told("cat", s.secret),
    "cp": lambda s: told("cp", s.secret, s.other) + by_path(s.other),
    "mv": lambda s: told("mv", s.secret, s.other) + by_path(s.other),
    "ln": lambda s: told("ln", s.secret, s.other) + by_path(s.other),
    "tar": lambda s: told("tar", "-cf", "-", s.secret),
    "dd": lambda s: told("dd", b"if=" + s.secret, "status=none"),
    "shell": lambda s: told("sh", "-c", f"read x < '{os.fsdecode(s.secret)}'; echo $x"),
    "grep": lambda s: told("grep", "-r", "canary", os.fsencode(s.folder)),
    "git": lambda s: (
        told("git", "hash-object", "--stdin-paths", s.secret)
        + told("git", "diff", "--no-index", s.x, s.secret)
    ),
    "python": lambda s: told(sys.executable, "-c", "import sys; print(open(sys.argv[1]).read())", s.secret),
    "stdin": lambda s: told("sh", "-c", f"cat /dev/stdin < '{os.fsdecode(s.secret)}'"),
    "script": lambda s: told("sh", s.secret),
    "awk": lambda s: told("awk", "{print}", s.secret),
}
if has("open"):
    WAYS["open"] = lambda s: content(call("open", s.secret, RD, 0))
    WAYS["link"] = lambda s: (call("link", s.secret, s.other), by_path(s.other))[1]
    WAYS["rename old"] = lambda s: (call("rename", s.secret, s.other), by_path(s.other))[1]
if os.geteuid() == 0:
    WAYS["handle"] = by_handle


def main() -> None:
    if sys.argv[1] == "labels":
        report(list(WAYS))
        return
    secrets, plain = Path(sys.argv[1]), Path(sys.argv[2])
    found = {}
    for label in sys.argv[3:] or WAYS:
        try:
            found[label] = WAYS[label](Spot(secrets / label, plain / label)).decode("utf-8", "replace")
        except OSError as error:
            found[label] = errno.errorcode.get(error.errno or 0, str(error))
    report(found)


if __name__ == "__main__":
    main()
