"""Every way to change a file, each in a directory of its own: ``mutate.py DIRECTORY PROJECT [LABEL...]``.

DIRECTORY/LABEL holds: f ("content", mode 640, attribute user.a), d (an empty directory), s (a link to f),
n (a link to nothing). PROJECT/LABEL holds p ("mine"). Prints what each call said.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from raw import CWD, EMPTY, FOLLOW, NOFOLLOW, REMOVEDIR, TMPFILE, call, has, outcome, report

TIMES = struct.pack("=4q", 1000, 0, 2000, 0)
UTIME = struct.pack("=2q", 1000, 2000)
RD, WR, RW = os.O_RDONLY, os.O_WRONLY, os.O_RDWR
NEW = os.O_CREAT | os.O_WRONLY


class Spot:
    """One label's places, as bytes."""

    def __init__(self, directory: Path, project: Path) -> None:
        self.path = directory
        self.project = project
        self.f, self.d, self.s, self.n = (os.fsencode(directory / name) for name in "fdsn")
        self.new = os.fsencode(directory / "new")
        self.mine = os.fsencode(project / "p")
        self.mine_new = os.fsencode(project / "new")

    def dir(self) -> int:
        return os.open(self.path, RD)

    def dirpath(self) -> int:
        return os.open(self.path, os.O_PATH)

    def read(self) -> int:
        return os.open(self.f, RD)

    def at(self, where: str) -> bytes:
        return os.fsencode(self.path / where)


def write(descriptor: int) -> None:
    os.write(descriptor, b"CHANGED")
    os.close(descriptor)


def unnamed(spot: Spot, *, by_proc: bool) -> None:
    descriptor = call("openat", CWD, os.fsencode(spot.path), TMPFILE | RW, 0o600)
    os.write(descriptor, b"CHANGED")
    if by_proc:
        call("linkat", CWD, b"/proc/self/fd/%d" % descriptor, CWD, spot.new, FOLLOW)
    else:  # needs CAP_DAC_READ_SEARCH, or the same credentials on newer kernels
        call("linkat", descriptor, b"", CWD, spot.new, EMPTY)


def own_unnamed(spot: Spot) -> None:
    """Made in the project, then given a name outside."""
    descriptor = call("openat", CWD, os.fsencode(spot.project), TMPFILE | RW, 0o600)
    os.write(descriptor, b"CHANGED")
    call("linkat", CWD, b"/proc/self/fd/%d" % descriptor, CWD, spot.new, FOLLOW)


def standing_there(spot: Spot, then: Callable[[], object]) -> None:
    os.chdir(spot.path)
    try:
        then()
    finally:
        os.chdir(spot.project)


def bound(spot: Spot) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(os.fsdecode(spot.new))


def by_link_in_project(spot: Spot) -> None:
    os.symlink(spot.f, spot.mine_new)
    write(call("openat", CWD, spot.mine_new, WR))


def through_hard_link(spot: Spot) -> None:
    call("linkat", CWD, spot.f, CWD, spot.mine_new, 0)
    write(call("openat", CWD, spot.mine_new, WR))


def bound_by_proc(spot: Spot) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"/proc/self/fd/{spot.dir()}/new")


def elsewhere(spot: Spot, way: str, then: Callable[[bytes], object]) -> None:
    """``then`` with the directory as /proc shows it for a child that stands there."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.chdir(spot.path)
        os.write(write, b"x")
        signal.pause()
    os.read(read, 1)
    try:
        then(b"/proc/%d/%s" % (child, way.encode()))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


# acl(5), linux/posix_acl_xattr.h: user::rw- user:12345:rwx group::r-- mask::rwx other::---
ACL = struct.pack("=I", 2) + b"".join(
    struct.pack("=HHI", *entry)
    for entry in (
        (1, 6, 0xFFFFFFFF),
        (2, 7, 12345),
        (4, 4, 0xFFFFFFFF),
        (16, 7, 0xFFFFFFFF),
        (32, 0, 0xFFFFFFFF),
    )
)
ACL_NAME = b"system.posix_acl_access"

CASES: dict[str, Callable[[Spot], object]] = {
    "openat-write": lambda x: write(call("openat", CWD, x.f, WR)),
    "openat-rdwr": lambda x: write(call("openat", CWD, x.f, RW)),
    "openat-append": lambda x: write(call("openat", CWD, x.f, WR | os.O_APPEND)),
    "openat-trunc-readonly": lambda x: call("openat", CWD, x.f, RD | os.O_TRUNC),
    "openat-create": lambda x: write(call("openat", CWD, x.new, NEW, 0o644)),
    "openat-create-readonly": lambda x: call("openat", CWD, x.new, RD | os.O_CREAT, 0o644),
    "openat-excl": lambda x: write(call("openat", CWD, x.new, NEW | os.O_EXCL, 0o600)),
    "openat-dirfd": lambda x: write(call("openat", x.dir(), b"f", WR)),
    "openat-opath-dirfd": lambda x: write(call("openat", x.dirpath(), b"f", WR)),
    "openat-dotdot": lambda x: write(call("openat", CWD, x.at("d/../f"), WR)),
    "openat-from-project-dotdot": lambda x: write(
        call("openat", CWD, os.fsencode(os.path.relpath(os.fsdecode(x.f), os.getcwd())), WR)
    ),
    "openat-symlink": lambda x: write(call("openat", CWD, x.s, WR)),
    "openat-symlink-in-project": by_link_in_project,
    "openat-dangling": lambda x: write(call("openat", CWD, x.n, NEW, 0o644)),
    "openat-relative": lambda x: standing_there(x, lambda: write(call("openat", CWD, b"f", WR))),
    "openat-proc-fd": lambda x: write(call("openat", CWD, b"/proc/self/fd/%d" % x.read(), WR)),
    "openat-proc-thread-fd": lambda x: write(call("openat", CWD, b"/proc/thread-self/fd/%d" % x.read(), WR)),
    "openat-proc-pid-fd": lambda x: write(
        call("openat", CWD, b"/proc/%d/fd/%d" % (os.getpid(), x.read()), WR)
    ),
    "openat-proc-task-fd": lambda x: write(
        call("openat", CWD, b"/proc/%d/task/%d/fd/%d" % (os.getpid(), os.getpid(), x.read()), WR)
    ),
    "openat-dev-fd": lambda x: write(call("openat", CWD, b"/dev/fd/%d" % x.read(), WR)),
    "openat-proc-dirfd": lambda x: write(call("openat", CWD, b"/proc/self/fd/%d/f" % x.dir(), WR)),
    "openat-proc-thread-dirfd": lambda x: write(
        call("openat", CWD, b"/proc/thread-self/fd/%d/f" % x.dir(), WR)
    ),
    "openat-proc-dirfd-create": lambda x: write(
        call("openat", CWD, b"/proc/self/fd/%d/new" % x.dir(), NEW, 0o644)
    ),
    "openat-proc-dirfd-dotdot": lambda x: write(
        call("openat", CWD, b"/proc/self/fd/%d/d/../f" % x.dirpath(), WR)
    ),
    "openat-proc-child-cwd": lambda x: elsewhere(
        x, "cwd", lambda base: write(call("openat", CWD, base + b"/f", WR))
    ),
    "openat-proc-child-root": lambda x: elsewhere(
        x, "root", lambda base: write(call("openat", CWD, base + x.f, WR))
    ),
    "unlinkat-proc-child-cwd": lambda x: elsewhere(
        x, "cwd", lambda base: call("unlinkat", CWD, base + b"/f", 0)
    ),
    "renameat-proc-child-root": lambda x: elsewhere(
        x, "root", lambda base: call("renameat2", CWD, base + x.f, CWD, base + x.new, 0)
    ),
    "openat-proc-opath": lambda x: write(
        call("openat", CWD, b"/proc/self/fd/%d" % os.open(x.f, os.O_PATH), WR)
    ),
    "openat-proc-cwd": lambda x: standing_there(
        x, lambda: write(call("openat", CWD, b"/proc/self/cwd/f", WR))
    ),
    "openat-proc-root": lambda x: write(call("openat", CWD, b"/proc/self/root" + x.f, WR)),
    "openat-slashes": lambda x: write(call("openat", CWD, b"//./" + x.f.replace(b"/", b"//"), WR)),
    "tmpfile-linked": lambda x: unnamed(x, by_proc=True),
    "tmpfile-linked-empty-path": lambda x: unnamed(x, by_proc=False),
    "tmpfile-of-project": own_unnamed,
    "mkdirat": lambda x: call("mkdirat", CWD, x.new, 0o755),
    "mkdirat-dirfd": lambda x: call("mkdirat", x.dir(), b"new", 0o755),
    "mkdirat-proc-dirfd": lambda x: call("mkdirat", CWD, b"/proc/self/fd/%d/new" % x.dir(), 0o755),
    "mkdirat-proc-thread-cwd": lambda x: standing_there(
        x, lambda: call("mkdirat", CWD, b"/proc/thread-self/cwd/new", 0o755)
    ),
    "mkdirat-slash": lambda x: call("mkdirat", CWD, x.new + b"/", 0o755),
    "unlinkat": lambda x: call("unlinkat", CWD, x.f, 0),
    "unlinkat-dirfd": lambda x: call("unlinkat", x.dirpath(), b"f", 0),
    "unlinkat-proc-dirfd": lambda x: call("unlinkat", CWD, b"/proc/thread-self/fd/%d/f" % x.dir(), 0),
    "unlinkat-symlink": lambda x: call("unlinkat", CWD, x.s, 0),
    "unlinkat-dir": lambda x: call("unlinkat", CWD, x.d, REMOVEDIR),
    "renameat": lambda x: call("renameat", x.dir(), b"f", x.dir(), b"g"),
    "renameat2": lambda x: call("renameat2", CWD, x.f, CWD, x.new, 0),
    "renameat2-noreplace": lambda x: call("renameat2", CWD, x.f, CWD, x.new, 1),
    "renameat2-exchange": lambda x: call("renameat2", CWD, x.f, CWD, x.d, 2),
    "renameat2-dir": lambda x: call("renameat2", CWD, x.d, CWD, x.new, 0),
    "renameat2-proc-dirfd": lambda x: call(
        "renameat2", CWD, b"/proc/self/fd/%d/f" % x.dir(), CWD, b"/proc/thread-self/fd/%d/new" % x.dir(), 0
    ),
    "renameat2-exchange-dirs": lambda x: call("renameat2", CWD, x.d, CWD, os.fsencode(x.project), 2),
    "renameat2-whiteout": lambda x: call("renameat2", CWD, x.f, CWD, x.new, 4),
    "renameat2-out-to-project": lambda x: call("renameat2", CWD, x.f, CWD, x.mine_new, 0),
    "renameat2-project-to-out": lambda x: call("renameat2", CWD, x.mine, CWD, x.new, 0),
    "renameat2-over": lambda x: call("renameat2", CWD, x.mine, CWD, x.f, 0),
    "renameat2-exchange-out": lambda x: call("renameat2", CWD, x.mine, CWD, x.f, 2),
    "renameat2-exchange-in": lambda x: call("renameat2", CWD, x.f, CWD, x.mine, 2),
    "linkat": lambda x: call("linkat", CWD, x.f, CWD, x.new, 0),
    "linkat-dirfd": lambda x: call("linkat", x.dir(), b"f", x.dir(), b"new", 0),
    "linkat-proc-fd": lambda x: call("linkat", CWD, b"/proc/self/fd/%d" % x.read(), CWD, x.mine_new, FOLLOW),
    "linkat-proc-dirfd": lambda x: call("linkat", CWD, x.mine, CWD, b"/proc/self/fd/%d/new" % x.dir(), 0),
    "linkat-symlink": lambda x: call("linkat", CWD, x.s, CWD, x.new, 0),
    "linkat-symlink-follow": lambda x: call("linkat", CWD, x.s, CWD, x.new, FOLLOW),
    "linkat-into-project": lambda x: call("linkat", CWD, x.f, CWD, x.mine_new, 0),
    "linkat-from-project": lambda x: call("linkat", CWD, x.mine, CWD, x.new, 0),
    "linkat-then-write": through_hard_link,
    "symlinkat": lambda x: call("symlinkat", b"anywhere", CWD, x.new),
    "symlinkat-dirfd": lambda x: call("symlinkat", b"anywhere", x.dir(), b"new"),
    "symlinkat-proc-dirfd": lambda x: call("symlinkat", b"anywhere", CWD, b"/proc/self/fd/%d/new" % x.dir()),
    "mknodat-fifo": lambda x: call("mknodat", CWD, x.new, 0o010644, 0),
    "mknodat-file": lambda x: call("mknodat", CWD, x.new, 0o100644, 0),
    "mknodat-socket": lambda x: call("mknodat", x.dir(), b"new", 0o140644, 0),
    "bind-unix": bound,
    "bind-unix-proc-dirfd": bound_by_proc,
    "truncate-proc-fd": lambda x: call("truncate", b"/proc/self/fd/%d" % x.read(), 3),
    "truncate-proc-dirfd": lambda x: call("truncate", b"/proc/self/fd/%d/f" % x.dir(), 3),
    "truncate": lambda x: call("truncate", x.f, 3),
    "truncate-symlink": lambda x: call("truncate", x.s, 3),
    "ftruncate": lambda x: os.ftruncate(call("openat", CWD, x.f, WR), 3),
    "fchmodat": lambda x: call("fchmodat", CWD, x.f, 0o600),
    "fchmodat-symlink": lambda x: call("fchmodat", CWD, x.s, 0o600),
    "fchmodat-dirfd": lambda x: call("fchmodat", x.dir(), b"f", 0o600),
    "fchmodat-proc-fd": lambda x: call("fchmodat", CWD, b"/proc/self/fd/%d" % x.read(), 0o600),
    "fchmodat-proc-opath": lambda x: call(
        "fchmodat", CWD, b"/proc/self/fd/%d" % os.open(x.f, os.O_PATH), 0o600
    ),
    "fchmod-readonly": lambda x: call("fchmod", x.read(), 0o600),
    "fchmodat2": lambda x: call("fchmodat2", CWD, x.f, 0o600, 0),
    "fchmodat2-empty": lambda x: call("fchmodat2", os.open(x.f, os.O_PATH), b"", 0o600, EMPTY),
    "fchownat": lambda x: call("fchownat", CWD, x.f, os.getuid(), os.getgid(), 0),
    "fchownat-symlink": lambda x: call("fchownat", CWD, x.s, os.getuid(), os.getgid(), 0),
    "fchownat-nofollow": lambda x: call("fchownat", CWD, x.s, os.getuid(), os.getgid(), NOFOLLOW),
    "fchownat-empty": lambda x: call(
        "fchownat", os.open(x.f, os.O_PATH), b"", os.getuid(), os.getgid(), EMPTY
    ),
    "fchown-readonly": lambda x: call("fchown", x.read(), os.getuid(), os.getgid()),
    "utimensat": lambda x: call("utimensat", CWD, x.f, TIMES, 0),
    "utimensat-now": lambda x: call("utimensat", CWD, x.f, None, 0),
    "utimensat-nofollow": lambda x: call("utimensat", CWD, x.s, TIMES, NOFOLLOW),
    "utimensat-fd-readonly": lambda x: call("utimensat", x.read(), None, TIMES, 0),
    "utimensat-proc-fd": lambda x: call("utimensat", CWD, b"/proc/self/fd/%d" % x.read(), TIMES, 0),
    "utimensat-dirfd": lambda x: call("utimensat", x.dir(), b"f", TIMES, 0),
    "setxattr": lambda x: call("setxattr", x.f, b"user.b", b"v", 1, 0),
    "setxattr-symlink": lambda x: call("setxattr", x.s, b"user.b", b"v", 1, 0),
    "lsetxattr": lambda x: call("lsetxattr", x.f, b"user.b", b"v", 1, 0),
    "fsetxattr-readonly": lambda x: call("fsetxattr", x.read(), b"user.b", b"v", 1, 0),
    "setxattr-proc-fd": lambda x: call("setxattr", b"/proc/self/fd/%d" % x.read(), b"user.b", b"v", 1, 0),
    "setxattr-acl": lambda x: call("setxattr", x.f, ACL_NAME, ACL, len(ACL), 0),
    "setxattr-acl-default": lambda x: call("setxattr", x.d, b"system.posix_acl_default", ACL, len(ACL), 0),
    "fsetxattr-acl-readonly": lambda x: call("fsetxattr", x.read(), ACL_NAME, ACL, len(ACL), 0),
    "removexattr": lambda x: call("removexattr", x.f, b"user.a"),
    "lremovexattr": lambda x: call("lremovexattr", x.f, b"user.a"),
    "fremovexattr-readonly": lambda x: call("fremovexattr", x.read(), b"user.a"),
}
if has("open"):  # the older calls, which newer architectures never had
    CASES |= {
        "open-write": lambda x: write(call("open", x.f, WR)),
        "open-create": lambda x: write(call("open", x.new, NEW, 0o644)),
        "open-trunc-readonly": lambda x: call("open", x.f, os.O_TRUNC),
        "creat": lambda x: write(call("creat", x.new, 0o644)),
        "creat-over": lambda x: write(call("creat", x.f, 0o644)),
        "mkdir": lambda x: call("mkdir", x.new, 0o755),
        "rmdir": lambda x: call("rmdir", x.d),
        "unlink": lambda x: call("unlink", x.f),
        "rename": lambda x: call("rename", x.f, x.new),
        "rename-over-from-project": lambda x: call("rename", x.mine, x.f),
        "link": lambda x: call("link", x.f, x.new),
        "symlink": lambda x: call("symlink", b"anywhere", x.new),
        "mknod-fifo": lambda x: call("mknod", x.new, 0o010644, 0),
        "chmod": lambda x: call("chmod", x.f, 0o600),
        "chown": lambda x: call("chown", x.f, os.getuid(), os.getgid()),
        "lchown": lambda x: call("lchown", x.s, os.getuid(), os.getgid()),
        "utime": lambda x: call("utime", x.f, UTIME),
        "utimes": lambda x: call("utimes", x.f, TIMES),
        "futimesat": lambda x: call("futimesat", x.dir(), b"f", TIMES),
        "futimesat-fd-readonly": lambda x: call("futimesat", x.read(), None, TIMES),
    }


def main() -> None:
    directory, project = Path(sys.argv[1]), Path(sys.argv[2])
    if directory.name == "labels":
        report(sorted(CASES))
        return
    found = {}
    for label in sys.argv[3:] or CASES:
        spot = Spot(directory / label, project / label)
        found[label] = outcome(lambda spot=spot, label=label: CASES[label](spot))
    report(found)


main()
