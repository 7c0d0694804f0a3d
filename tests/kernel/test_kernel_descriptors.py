"""Descriptors that were opened for one thing and are used for another: a file without a name has no place to
be decided on, so it is decided by the last name it had, unless who changes it may write to it already."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import World, allow, deny, only

CHANGES = [
    "reopen", "reopen for both", "reopen by its number", "reopen by /dev/fd", "empty by opening", "truncate",
    "mode", "mode by path", "times", "attribute",
]  # fmt: skip


def told(descriptor: int) -> tuple[bytes, int, float]:
    """What a change would change."""
    status = os.fstat(descriptor)
    try:
        attribute = os.getxattr(descriptor, "user.a")
    except OSError:
        attribute = b""
    return os.pread(descriptor, 100, 0) + attribute, status.st_mode, status.st_mtime


@pytest.mark.parametrize("way", CHANGES)
def test_a_file_that_lost_its_name(worlds: World, way: str) -> None:
    """Shared memory of others is made so: a file in /dev/shm, opened, then unlinked."""

    def attack(gated: bool) -> tuple[bool, list[str]]:
        path = worlds.file(worlds.outside / "shared", "content", 0o600)
        descriptor = os.open(path, os.O_RDWR)
        try:
            before = told(descriptor)
            command = worlds.python("again", way, path)
            if gated:
                with worlds.start(*command, operator=deny) as run:
                    run.says("open\n")
                    path.unlink()
                    result = run.finish()
            else:
                timer = threading.Timer(0.6, path.unlink)
                timer.start()
                result = worlds.bare(*command)
                timer.join()
            assert result.json == ("EACCES" if gated else "ok")
            return told(descriptor) != before, result.targets
        finally:
            os.close(descriptor)

    if way == "attribute" and "user.a" not in probe_attributes(worlds):
        pytest.skip("not here: extended attributes in the temporary directory")
    assert attack(gated=False) == (True, [])
    assert attack(gated=True) == (False, [f"fs_write {worlds.outside}/shared (deleted)"])


def probe_attributes(world: World) -> list[str]:
    path = world.file(world.outside / "probe")
    try:
        os.setxattr(path, "user.a", b"1")
        return os.listxattr(path)
    except OSError:
        return []
    finally:
        path.unlink()


@contextmanager
def passing(world: World, descriptor: int) -> Iterator[Path]:
    """A program outside that gives ``descriptor`` to whoever connects to it."""
    path = world.outside / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.listen()

        def serve() -> None:
            try:
                while True:
                    with server.accept()[0] as end:
                        socket.send_fds(end, [b"x"], [descriptor])
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield path
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()


@pytest.mark.parametrize("way", ["reopen", "reopen for both", "empty by opening", "truncate", "mode by path"])
def test_memory_that_others_gave_to_read(worlds: World, way: str) -> None:
    """A memfd given away read-only can be opened anew for writing, by its mode of 0777."""
    memory = os.memfd_create("theirs")
    os.write(memory, b"content")
    os.fchmod(memory, 0o666)
    if worlds.worker.uid is not None:
        os.fchown(memory, worlds.uid, worlds.uid)
    reader = os.open(f"/proc/self/fd/{memory}", os.O_RDONLY)
    try:
        with passing(worlds, reader) as path:
            before = told(memory)
            command = worlds.python("again", way, f"@{path}")
            result = worlds.run(*command, operator=only("net_egress *"))
            assert result.json == "EACCES" and told(memory) == before
            assert result.targets == [f"net_egress unix:{path}", "fs_write /memfd:theirs (deleted)"]
            assert worlds.bare(*command).json == "ok" and told(memory) != before
    finally:
        os.close(memory)
        os.close(reader)


def test_what_others_opened_for_writing_is_their_deed(worlds: World) -> None:
    """The connection was asked about. What is done with the descriptor, and not to it anew, is as given."""
    target = worlds.file(worlds.outside / "target", "content")
    descriptor = os.open(target, os.O_RDWR)
    try:
        with passing(worlds, descriptor) as path:
            connect = f"net_egress unix:{path}"
            refused = worlds.run(*worlds.python("again", "write", f"@{path}"), operator=deny)
            assert refused.targets == [connect] and target.read_text() == "content"
            result = worlds.run(*worlds.python("again", "write", f"@{path}"), operator=only(connect))
            assert result.json == "ok" and target.read_text() == "CHANGED"
            for way in ("reopen", "mode", "times", "truncate", "name"):
                before = told(descriptor)
                result = worlds.run(*worlds.python("again", way, f"@{path}"), operator=only(connect))
                assert result.json == "EACCES" and told(descriptor) == before
                made = f"{worlds.project}/made" if way == "name" else str(target)
                assert result.targets == [connect, f"fs_write {made}"]
    finally:
        os.close(descriptor)


OWN = """\
import os, tempfile
from raw import CWD, FOLLOW, TMPFILE, call
memory = os.memfd_create('own')
os.write(memory, b'x')
unnamed = call('openat', CWD, b'.', TMPFILE | os.O_WRONLY, 0o600)
named = os.open('f', os.O_RDWR | os.O_CREAT)
os.unlink('f')
for number in (memory, unnamed, named):
    again = os.open(f'/proc/self/fd/{number}', os.O_RDWR)
    os.write(again, b'more')
    os.truncate(f'/proc/self/fd/{number}', 2)
    os.fchmod(number, 0o640)
    os.utime(number)
reader = os.open(f'/proc/self/fd/{memory}', os.O_RDONLY)
os.fchmod(reader, 0o600)
call('linkat', CWD, b'/proc/self/fd/%d' % unnamed, CWD, b'named', FOLLOW)
print(os.path.getsize('named'))
"""


def test_what_one_made_is_ones_own(worlds: World) -> None:
    result = worlds.run("python3", "-c", OWN, operator=allow)
    assert (result.out, result.err, result.asks) == ("2\n", "", [])
