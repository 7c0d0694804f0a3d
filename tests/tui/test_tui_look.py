"""What is said of the files that an action is about, and what is never done to find out."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from room_kit import process

from agentgate.actions import Action, Kind
from agentgate.tui.queue.look import LINES, TEXT, Look, look


def at(path: Path, syscall: str = "openat", kind: Kind = Kind.FS_WRITE, origin: Path | str = "") -> Look:
    return look(Action(kind, str(path), chain=(process(7, "x"),), syscall=syscall, origin=str(origin)))


def test_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    found = at(tmp_path / "new")
    assert found.there == "nothing: it does not exist yet"
    assert found.note == "what will be written is not known before the file is opened"
    assert at(tmp_path / "new", "unlinkat").note == ""


def test_size_and_what_is_odd(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x" * 12_345)
    file.chmod(0o644)
    assert at(file).there == "a file, 12,345 bytes"
    file.chmod(0o4757)
    os.link(file, tmp_path / "other")
    found = at(file).there
    assert found == "a file, 12,345 bytes, executable, mode 4757 (setuid, anybody may write it), 2 names"
    (tmp_path / "link").symlink_to("file")
    assert at(tmp_path / "link").there == "a symbolic link to file"
    assert at(tmp_path).there == "a directory"
    assert "owned by root" in at(Path("/etc/passwd")).there or os.geteuid() == 0


def test_a_rename_shows_what_it_changes(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text("one\ntwo\nthree\n")
    new.write_text("one\n2\nthree\n")
    found = at(old, "renameat2", origin=new)
    assert found.diff == ("@@ -1,3 +1,3 @@", " one", "-two", "+2", " three")
    assert (found.there, found.comes) == ("a file, 14 bytes", "a file, 12 bytes")
    assert at(tmp_path / "none", "rename", origin=new).diff == ("@@ -0,0 +1,3 @@", "+one", "+2", "+three")
    old.write_text(new.read_text())
    assert at(old, "rename", origin=new) == Look(
        "a file, 12 bytes", "a file, 12 bytes", note="both are the same text"
    )


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"a\0b", "what comes is no text"),
        (b"\xff\xfe", "what comes is no text"),
        (b"x" * (TEXT + 1), "what comes has more than 64 KiB"),
        (b"\n" * 3000, "0 lines there, 3,000 come"),
    ],
)
def test_what_is_no_small_text_is_not_compared(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "new").write_bytes(content)
    found = at(tmp_path / "old", "rename", origin=tmp_path / "new")
    assert found.diff == () and found.note == f"no difference is shown: {why}"


def test_a_long_difference_is_cut_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("".join(f"{n}\n" for n in range(1500)))
    found = at(tmp_path / "old", "rename", origin=tmp_path / "new")
    assert (len(found.diff), found.note) == (LINES, "the rest is left out")


def test_no_fifo_and_no_device_is_ever_opened(tmp_path: Path) -> None:
    """A reader of a fifo would wait for its writer, and wake one that waits."""
    os.mkfifo(tmp_path / "fifo")
    writer = os.fork()
    if not writer:
        signal.alarm(20)
        os.open(tmp_path / "fifo", os.O_WRONLY)  # waits for a reader
        os._exit(3)
    try:
        assert at(tmp_path / "fifo", "rename", origin=tmp_path / "fifo").note.endswith("is no regular file")
        assert at(tmp_path / "fifo").there == "a fifo"
        assert at(Path("/dev/null"), "rename", origin="/dev/zero").note.endswith("is no regular file")
        assert os.waitpid(writer, os.WNOHANG) == (0, 0)
    finally:
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)


def test_the_content_of_a_secret_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("key")
    assert at(tmp_path / "id", kind=Kind.FS_READ) == Look("a file, 3 bytes")


def test_what_cannot_be_looked_at_is_said(tmp_path: Path) -> None:
    assert at(tmp_path / ("x" * 300)).there == "cannot be looked at: File name too long"
    assert at(Path("/a\0b")).there.startswith("cannot be looked at")
    (tmp_path / "file").touch()
    assert at(tmp_path / "file" / "x").there.startswith("cannot be looked at: Not a directory")
    assert look(Action(Kind.EXEC, "ls")) == Look()
