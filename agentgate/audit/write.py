"""The audit log, written: append-only JSONL, one decision a line, never in the way of one.

The writer follows the hub's queue. Whatever is queued goes out in one write (batches grow by themselves
when decisions come fast), in a thread, so neither a slow disk nor a full one holds up the loop. What
cannot be written is kept and tried again, and ``failed`` says why.

It knows of the events only that some carry ``records``: the audit room lies below the gate.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO

from agentgate.audit.lines import Lines
from agentgate.audit.record import Record
from agentgate.escape import printable

__all__ = ["AuditWriter"]

BATCH = 200  # records turned into lines before the loop gets its turn again: about 4 ms
RETRY = 1.0  # seconds between attempts while the disk refuses
LAST_TRIES = 3  # attempts at close, before the lines are given up


class AuditWriter:
    """One session's record. ``path`` is absolute; ``complain`` gets one line when writing begins to fail
    and when it works again. ``written`` counts the records on disk, ``failed`` is empty or the reason why
    the last write did not succeed."""

    def __init__(
        self,
        path: Path,
        *,
        session: str,
        agent: str,
        complain: Callable[[str], None] | None = None,
        retry: float = RETRY,
    ) -> None:
        self.path = path
        self.failed = ""
        self.written = 0
        self._complain = complain or (lambda _text: None)
        self._retry = retry
        self._file: AsyncFileIO | None = None
        self._queue: asyncio.Queue[Any] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._number = 0
        self._form = Lines(session, agent)
        self._lines = bytearray()  # not on disk yet; may begin in the middle of a line (short write)

    async def start(self) -> None:
        """Open the log for appending. Raises OSError with a clear text when it cannot be written to:
        without a record there is no session."""
        opening = asyncio.create_task(self._open())
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:  # the thread opens the file all the same: have it to close it
            await asyncio.wait([opening])
            raise

    async def _open(self) -> None:
        descriptor = await asyncio.to_thread(_open, self.path)
        self._file = await aiofiles.open(descriptor, "ab", buffering=0)

    def follow(self, queue: asyncio.Queue[Any]) -> Coroutine[Any, Any, None]:
        """Write the decisions of ``queue`` until cancelled. From this call on, not from the first step
        of the coroutine, ``close`` writes what is left in ``queue``."""
        self._queue = queue
        return self._follow(queue)

    async def _follow(self, queue: asyncio.Queue[Any]) -> None:
        while True:
            if self.failed:
                await asyncio.sleep(self._retry)
            elif not self._lines:
                self._take(getattr(await queue.get(), "records", ()))
            self._gather()
            if self._lines:
                # Cancelled in the middle, the write goes on in its thread; close() waits for it.
                self._writing = asyncio.create_task(self._write())
                await asyncio.shield(self._writing)

    async def close(self) -> None:
        """Write what is queued, make it durable, close. Safe to call twice, and without ``start``."""
        if self._writing:
            await self._writing
        if self._file is None:
            return
        for attempt in range(LAST_TRIES):
            if attempt:
                await asyncio.sleep(self._retry)
            while self._gather() or self._lines:
                await self._write()
                if self.failed:
                    break
            if not self.failed:
                break
        file, self._file = self._file, None
        if self.failed:
            while self._gather():
                pass
            missing = self._lines.count(b"\n")
            self._complain(f"{missing} decisions could not be written to the audit log: {self.failed}")
        try:
            await asyncio.to_thread(os.fsync, file.fileno())
        except OSError as error:
            self.failed = self.failed or _why(self.path, error)
        await file.close()

    def _gather(self) -> bool:
        """Turn at most BATCH queued records into lines; True when there were any."""
        before = self._number
        while self._queue and not self._queue.empty() and self._number - before < BATCH:
            self._take(getattr(self._queue.get_nowait(), "records", ()))
        return self._number > before

    def _take(self, records: Iterable[Record]) -> None:
        for record in records:
            self._number += 1
            self._lines += self._form.line(record, self._number)

    async def _write(self) -> None:
        assert self._file is not None
        try:
            while self._lines:
                done = await self._file.write(bytes(self._lines))
                self.written += self._lines.count(b"\n", 0, done)
                del self._lines[:done]
        except OSError as error:
            if not self.failed:
                self._complain(
                    f"the audit log cannot be written, decisions are kept in memory: {_why(self.path, error)}"
                )
            self.failed = _why(self.path, error)
            return
        if self.failed:
            self.failed = ""
            self._complain("the audit log is written again; nothing is missing")


def _why(path: Path, error: OSError) -> str:
    return f"{printable(str(path))}: {error.strerror or error}"


def _open(path: Path) -> int:
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
