"""What lies where a file action would act: size, mode, owner, and for a rename the difference of the texts.

`look` blocks and belongs into a thread. It opens nothing but regular files, and those only to read at most
`TEXT` bytes: the name is opened with O_PATH first, which neither waits for a fifo nor wakes a device, and
what is read is then what that found (open(2)). The content of what is only to be read is never looked at.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import pwd
import stat
from dataclasses import dataclass
from itertools import islice

from agentgate.actions import Action, Kind

__all__ = ["LINES", "TEXT", "Look", "look"]

TEXT = 64 << 10
"""Bytes of a file that are read for a difference; of a larger one there is none."""

LINES = 400
"""Lines of a difference that are kept."""

_COMPARED = 2000  # lines that are held against each other: difflib takes the square of it
_SORTS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True, slots=True)
class Look:
    """``there`` is what lies at the target, ``comes`` at the other end of a rename or link; empty where
    there is none. ``diff`` are lines that begin with ``+``, ``-`` or a blank, not yet escaped; ``note`` says
    why there are none, or of what they are."""

    there: str = ""
    comes: str = ""
    diff: tuple[str, ...] = ()
    note: str = ""


def look(action: Action) -> Look:
    """What is to be seen of the objects of ``action`` now. Never raises OSError."""
    if action.kind is Kind.FS_READ:
        return Look(_there(action.target))
    if action.kind is not Kind.FS_WRITE:
        return Look()
    there = _there(action.target)
    if action.origin:
        diff, note = _difference(action.target, action.origin)
        return Look(there, _there(action.origin), diff, note)
    note = ""
    if action.syscall.startswith(("open", "creat")):
        note = "what will be written is not known before the file is opened"
    return Look(there, note=note)


def _there(path: str) -> str:
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return "nothing: it does not exist yet"
    except (OSError, ValueError) as error:
        return f"cannot be looked at: {getattr(error, 'strerror', None) or error}"
    said = [_sort(path, found)]
    mode = found.st_mode
    if stat.S_ISREG(mode):
        said.append(f"{found.st_size:,} bytes")
        if mode & 0o111:
            said.append("executable")
    odd = [
        name
        for bit, name in (
            (stat.S_ISUID, "setuid"),
            (stat.S_ISGID, "setgid"),
            (stat.S_IWOTH, "anybody may write it"),
        )
        if mode & bit and not stat.S_ISLNK(mode) and not (mode & stat.S_ISVTX)
    ]
    if odd:
        said.append(f"mode {stat.S_IMODE(mode):04o} ({', '.join(odd)})")
    if found.st_uid != os.geteuid():
        said.append(f"owned by {_user(found.st_uid)}")
    if stat.S_ISREG(mode) and found.st_nlink > 1:
        said.append(f"{found.st_nlink} names")
    return ", ".join(said)


def _sort(path: str, found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        with contextlib.suppress(OSError):
            return f"a symbolic link to {os.readlink(path)}"
        return "a symbolic link"
    return _SORTS.get(stat.S_IFMT(found.st_mode), "a file")


def _user(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return f"user {uid}"


def _difference(target: str, origin: str) -> tuple[tuple[str, ...], str]:
    """What the file ``origin`` changes where ``target`` is now, and what is to be said of that."""
    new = _text(origin)
    if isinstance(new, str):
        return (), f"no difference is shown: what comes {new}"
    old = _text(target)
    if isinstance(old, str):
        if old != _MISSING:
            return (), f"no difference is shown: what is there {old}"
        old = []
    if old == new:
        return (), "both are the same text"
    if max(len(old), len(new)) > _COMPARED:
        return (), f"no difference is shown: {len(old):,} lines there, {len(new):,} come"
    lines = difflib.unified_diff(old, new, n=2, lineterm="")
    kept = tuple(islice((line for line in lines if not line.startswith(("---", "+++"))), LINES + 1))
    return kept[:LINES], "the rest is left out" if len(kept) > LINES else ""


_MISSING = "does not exist"


def _text(path: str) -> list[str] | str:
    """The lines of a small text file, or why there are none."""
    try:
        named = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return _MISSING
    except (OSError, ValueError):
        return "cannot be looked at"
    try:
        if not stat.S_ISREG(os.fstat(named).st_mode):
            return "is no regular file"
        with open(f"/proc/self/fd/{named}", "rb") as file:
            data = file.read(TEXT + 1)
    except OSError:
        return "cannot be read"
    finally:
        os.close(named)
    if len(data) > TEXT:
        return f"has more than {TEXT >> 10} KiB"
    if b"\0" in data:
        return "is no text"
    try:
        return data.decode().splitlines()
    except UnicodeDecodeError:
        return "is no text"
