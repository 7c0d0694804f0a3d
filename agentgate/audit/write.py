"""The audit log, written: append-only JSONL, one decision a line, never in the way of one.

The writer follows the hub's queue. Whatever is queued goes out in one write (batches grow by themselves
when decisions come fast), in a thread, so neither a slow disk nor a full one holds up the loop. What
cannot be written is kept and tried again, and ``failed`` says why; whoever is ``told`` allows nothing
meanwhile, so that what is kept are the few decisions that were on their way, and then refusals. When
these fill ``KEPT`` bytes too, nothing more should be decided at all. A log that is removed is put back, one
that is moved away goes on under its name.

Each line carries a hash of all before it (``chain.py``), and once in a second in which something was written
the last one is signed (``heads.py``), so that what is changed later can be told.

It knows of the events only that some carry ``records``: the audit room lies below the gate.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO

from agentgate.audit.chain import Chain
from agentgate.audit.heads import Head, Heads
from agentgate.audit.lines import Lines
from agentgate.audit.place import is_there, open_log, replace, rotate
from agentgate.audit.record import Record
from agentgate.escape import printable

__all__ = ["AuditWriter"]

BATCH = 200  # records turned into lines before the loop gets its turn again: about 4 ms
RETRY = 1.0  # seconds between attempts while the disk refuses
KEPT = 16 << 20  # bytes of lines that are kept while the disk refuses, before all has to wait
LOOK = 1.0  # seconds between looks whether the log is still there
ROTATE = 256 << 20  # bytes of a log, from which on it is put away and a new one begun
HEAD = 1.0  # seconds between two signed heads
LAST_TRIES = 3  # attempts at close, before the lines are given up


class AuditWriter:
    """One session's record. ``path`` is absolute; ``complain`` gets one line when writing begins to fail
    and when it works again, ``told`` then gets the reason ("" when it works), and whether as much is kept
    as may be. ``written`` counts the records on disk, none of them before byte ``begin``; ``failed`` is empty
    or the reason why the last write did not succeed. ``heads`` are where the last record is signed; at
    ``rotate`` bytes the log is put away."""

    def __init__(
        self,
        path: Path,
        *,
        session: str,
        agent: str,
        complain: Callable[[str], None] | None = None,
        told: Callable[[str, bool], None] | None = None,
        heads: Heads | None = None,
        rotate: int = ROTATE,
        retry: float = RETRY,
    ) -> None:
        self.path = path
        self._heads = heads
        self._rotate = rotate
        self._signed = 0  # the number of the record that was signed last
        self._next_head = 0.0
        self._chain = Chain(session)
        self._session = session
        self.failed = ""
        self.written = 0
        self.begin = 0
        self._complain = complain or (lambda _text: None)
        self._told = told or (lambda _why, _full: None)
        self._said = ("", False)
        self._retry = retry
        self._file: AsyncFileIO | None = None
        self._queue: asyncio.Queue[Any] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._number = 0
        self._form = Lines(session, agent)
        self._looked = 0.0
        self._lines = bytearray()  # not on disk yet, but for the first
        self._begun = 0  # bytes of its first line (short write)

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
        descriptor = await asyncio.to_thread(open_log, self.path)
        self.begin = os.fstat(descriptor).st_size
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
                while self._gather():
                    await asyncio.sleep(0)
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
                await self._write(last=True)
            if not self.failed:
                await self._sign(last=True)
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
            self._lines += self._chain.link(self._form.line(record, self._number))

    async def _write(self, *, last: bool = False) -> None:
        assert self._file is not None
        try:
            if last or time.monotonic() - self._looked >= LOOK:
                await self._look(self._file.fileno())
            while self._lines:
                done = self._begun + await self._file.write(bytes(self._lines[self._begun :]))
                self.written += self._lines.count(b"\n", 0, done)
                whole = self._lines.rfind(b"\n", 0, done) + 1
                del self._lines[:whole]
                self._begun = done - whole
        except OSError as error:
            if not self.failed:
                why = _why(self.path, error)
                self._complain(f"the audit log cannot be written, so nothing is allowed until it can: {why}")
            self.failed = _why(self.path, error)
            self._tell(error.strerror or str(error))
            return
        if self.failed:
            self.failed = ""
            self._complain("the audit log is written again; nothing is missing")
            self._tell("")
        if time.monotonic() >= self._next_head:
            await self._sign()

    async def _sign(self, *, last: bool = False) -> None:
        """Sign the last record, which is on disk. What hinders that is told once; the log goes on."""
        if self._heads is None or self._signed == self._number:
            return
        head = Head(
            self._session, str(self.path.resolve()), self._number, self._chain.head.hex(), time.time()
        )
        self._next_head = time.monotonic() + HEAD
        try:
            await asyncio.to_thread(self._heads.write, head)
            if last:
                await asyncio.to_thread(self._heads.prune)
        except OSError as error:
            self._heads = None
            self._complain(
                "the end of the audit log cannot be signed, so later nobody can tell whether it is whole: "
                f"{error.strerror or error}"
            )
            return
        self._signed = head.number

    def _tell(self, why: str) -> None:
        now = (why, bool(why) and len(self._lines) > KEPT)
        if now != self._said:
            self._said = now
            self._told(*now)

    async def _look(self, descriptor: int) -> None:
        """See to it that the log is where it should be, and no longer than it may be. Raises OSError where it
        cannot be."""
        if not await asyncio.to_thread(is_there, self.path, descriptor):
            back = await asyncio.to_thread(replace, self.path, descriptor)
            self.begin = 0
            if not back:
                self._begun = 0  # the line that was begun stands in another file
            what = "was removed and is put back" if back else "was moved away; a new one is begun"
            self._complain(f"the audit log {what}: {printable(str(self.path))}")
        elif not self._begun and await asyncio.to_thread(rotate, self.path, descriptor, self._rotate):
            self.begin = 0  # (a line that was begun stays in one file)
        self._looked = time.monotonic()


def _why(path: Path, error: OSError) -> str:
    return f"{printable(str(path))}: {error.strerror or error}"
