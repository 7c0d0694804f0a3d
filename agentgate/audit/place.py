"""The audit log as a file: opened safely where anybody may have put things, noticed when it is taken away."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from agentgate.escape import printable

__all__ = ["is_there", "open_log", "parts", "replace", "rotate"]


def open_log(path: Path) -> int:
    """A descriptor that appends to ``path``; directory (0700) and file (0600) are made where missing.

    The log lies in a directory whose contents may come from anybody (a cloned repository), so a link in
    its place is refused: O_NOFOLLOW, open(2). A line torn by a crash is ended, so that it spoils no other.
    """
    descriptor = -1
    try:
        _make_directory(path.parent)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, 0o600)
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode):
            raise OSError(0, "not a regular file")
        if info.st_uid == os.geteuid() and info.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
        if info.st_size and os.pread(descriptor, 1, info.st_size - 1) != b"\n":
            os.write(descriptor, b"\n")
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        reason = "it is a symbolic link" if path.is_symlink() else error.strerror or str(error)
        raise OSError(
            f"cannot write the audit log {printable(str(path))}: {reason} (--audit names another place)"
        ) from None
    return descriptor


def _make_directory(directory: Path) -> None:
    ours = directory.name == ".agentgate"
    if ours and directory.is_symlink():
        raise OSError(0, f"{printable(str(directory))} is a symbolic link")
    if directory.is_dir():
        return
    if not directory.parent.is_dir():
        directory.parent.mkdir(parents=True)
    directory.mkdir(mode=0o700, exist_ok=True)
    if ours:
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(directory / ".gitignore", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write("*\n")


def parts(path: Path) -> list[Path]:
    """The log with what was rotated out of it, oldest first: ``audit.1.jsonl``, ``audit.2.jsonl``, and last
    ``audit.jsonl`` itself, whether that is there or not."""
    form = re.compile(rf"{re.escape(path.stem)}\.([1-9]\d{{0,8}}){re.escape(path.suffix)}")
    try:
        names = os.listdir(path.parent)
    except OSError:  # whoever opens the log says why
        names = []
    numbers = sorted(int(found[1]) for found in map(form.fullmatch, names) if found)
    return [*(path.with_name(f"{path.stem}.{number}{path.suffix}") for number in numbers), path]


def rotate(path: Path, descriptor: int, size: int) -> bool:
    """Put the log away under the next number, and have ``descriptor`` write to a new one, when it has
    ``size`` bytes or more; whether that was so. Another session that writes to it finds that it was moved.
    Raises OSError; then all is as before."""
    if os.fstat(descriptor).st_size < size:
        return False
    *_, last = ["", *(part.stem.rpartition(".")[2] for part in parts(path)[:-1])]
    away = path.with_name(f"{path.stem}.{int(last or 0) + 1}{path.suffix}")
    os.link(path, away, follow_symlinks=False)  # fails where somebody else was first: link(2), EEXIST
    os.unlink(path)
    replace(path, descriptor)
    return True


def is_there(path: Path, descriptor: int) -> bool:
    """Whether ``path`` still names the file that ``descriptor`` writes to."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def replace(path: Path, descriptor: int) -> bool:
    """Have ``descriptor`` write to ``path`` again, where its file is not any more. What it holds is copied
    there, if no name leads to it, and True returned; a file that was only moved keeps what it has. Raises
    OSError as ``open_log`` does, or when the copy has no room; then all is as before."""
    new = open_log(path)
    try:
        begin = os.fstat(new).st_size
        removed = not os.fstat(descriptor).st_nlink
        try:
            if removed:
                _copy(descriptor, new)
        except OSError:
            os.ftruncate(new, begin)
            raise
        os.dup2(new, descriptor, inheritable=False)
    finally:
        os.close(new)
    return removed


def _copy(old: int, new: int) -> None:
    done = 0
    while part := os.pread(old, 1 << 20, done):
        done += os.write(new, part)
