"""The operator's end of a pseudo-terminal: the master side, read by one thread, written by any.

Rules
- Nothing here ever blocks the writer. What the child is not yet reading waits in a queue of at most
  `QUEUE_LIMIT` bytes; a write that would not fit is refused as a whole, so that no escape sequence
  and no bracketed paste is ever delivered in halves.
- The thread that sits in `Pty.read` also empties that queue.
- The child is started elsewhere, on `Pty.slave`, as the leader of a new session whose controlling
  terminal it is (setsid, TIOCSCTTY). Close the slave here once it runs, or its end is never seen.

Sources: pty(7), tty_ioctl(4), termios(3).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import sys
import termios
import threading
from typing import Self, final

__all__ = ["QUEUE_LIMIT", "Pty"]

QUEUE_LIMIT = 1 << 20
"""Most bytes that wait for a child which does not read."""

_READ_SIZE = 1 << 16
_WRITE_SIZE = 1 << 14
_IUTF8 = 0x4000  # <asm-generic/termbits.h>; the termios module does not name it before 3.13


@final
class Pty:
    """One pseudo-terminal. Use `Pty.open`."""

    def __init__(self, master: int, slave: int) -> None:
        self._master = master
        self._slave: int | None = slave
        self._lock = threading.Lock()
        self._queue = bytearray()
        self._dropped = 0
        self._readers = 0
        self._interrupted = False
        self._closed = False
        self._wake_reader, self._wake_writer = os.pipe()
        for fd in (self._wake_reader, self._wake_writer, master):
            os.set_blocking(fd, False)

    @classmethod
    def open(cls, rows: int, cols: int) -> Self:
        """A new pseudo-terminal of ``rows`` x ``cols`` cells; neither descriptor is inherited by
        children. OSError when the system has none left."""
        master, slave = os.openpty()
        pty = cls(master, slave)
        if sys.platform == "linux":
            # Line editing by the kernel then erases a whole character, not its last byte.
            mode = termios.tcgetattr(slave)
            mode[0] |= _IUTF8
            termios.tcsetattr(slave, termios.TCSANOW, mode)
        pty.resize(rows, cols)
        return pty

    @property
    def master(self) -> int:
        """The master descriptor. Only this object may read, write or close it."""
        return self._master

    @property
    def slave(self) -> int:
        """The slave descriptor, for the child. ValueError once `close_slave` was called."""
        if self._slave is None:
            raise ValueError("the slave side is closed")
        return self._slave

    @property
    def dropped(self) -> int:
        """Bytes refused so far because the child did not read."""
        return self._dropped

    @property
    def queued(self) -> int:
        """Bytes waiting for the child to read."""
        return len(self._queue)

    def close_slave(self) -> None:
        """Give up our copy of the slave, so that `read` sees the end when the last child is gone."""
        with self._lock:
            slave, self._slave = self._slave, None
        if slave is not None:
            os.close(slave)

    def resize(self, rows: int, cols: int, xpixel: int = 0, ypixel: int = 0) -> None:
        """Set the window size in cells (and, if known, pixels); the foreground process group gets
        SIGWINCH when it changed. Values are clamped to 1..65535, pixels to 0..65535."""
        cells = (min(max(n, 1), 0xFFFF) for n in (rows, cols))
        pixels = (min(max(n, 0), 0xFFFF) for n in (xpixel, ypixel))
        with self._lock:
            if not self._closed:
                fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", *cells, *pixels))

    def write(self, data: bytes) -> bool:
        """Send ``data`` to the child without ever waiting for it. False, and nothing sent, when too
        much is waiting already or the pty is closed. From any thread."""
        if not data:
            return True
        with self._lock:
            if self._closed:
                return False
            if len(self._queue) + len(data) > QUEUE_LIMIT:
                self._dropped += len(data)
                return False
            was_empty = not self._queue
            self._queue += data
            if was_empty:
                self._send_queue()
            waiting = bool(self._queue)
        if was_empty and waiting:
            self._wake()
        return True

    def read(self) -> bytes | None:
        """Wait for output of the child, sending what is queued for it meanwhile. Up to 64 KiB;
        ``b""`` at the end (no process has the slave open any more), None after `interrupt` or
        `close`. For one thread at a time."""
        with self._lock:
            if self._closed:
                return None
            self._readers += 1
        try:
            return self._read()
        finally:
            with self._lock:
                self._readers -= 1
                if self._closed and not self._readers:
                    self._close_fds()

    def interrupt(self) -> None:
        """Make the current (or else the next) `read` return None. From any thread."""
        with self._lock:
            self._interrupted = True
        self._wake()

    def close(self) -> None:
        """Close both sides; the child gets SIGHUP. A `read` under way ends first. Idempotent."""
        self.close_slave()
        with self._lock:
            if self._closed:
                return
            self._closed = self._interrupted = True
            if not self._readers:
                self._close_fds()
                return
        self._wake()

    def _read(self) -> bytes | None:
        poller = select.poll()
        poller.register(self._wake_reader, select.POLLIN)
        while True:
            poller.register(self._master, select.POLLIN | (select.POLLOUT if self._queue else 0))
            ready = dict(poller.poll())
            if self._wake_reader in ready:
                self._clear_wake()
                with self._lock:
                    if self._interrupted:
                        self._interrupted = self._closed
                        return None
            state = ready.get(self._master, 0)
            if state & select.POLLOUT:
                with self._lock:
                    self._send_queue()
            if state & ~select.POLLOUT:
                data = self._drain()
                if data is not None:
                    return data

    def _drain(self) -> bytes | None:
        """What there is to read now; None if nothing after all, ``b""`` at the end."""
        chunks: list[bytes] = []
        size = 0
        while size < _READ_SIZE:  # the kernel hands over at most 4 KiB at once
            try:
                chunk = os.read(self._master, _READ_SIZE - size)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.EIO:  # EIO: the slave's last user is gone (Linux)
                    raise
                chunk = b""
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
        return b"".join(chunks) if chunks else None

    def _send_queue(self) -> None:
        queue = self._queue
        while queue:
            try:
                sent = os.write(self._master, queue[:_WRITE_SIZE])
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                queue.clear()  # nobody is there to read it
                return
            del queue[:sent]

    def _wake(self) -> None:
        with self._lock:
            if self._wake_writer < 0:
                return
            try:
                os.write(self._wake_writer, b"\0")
            except BlockingIOError:
                pass  # a wake-up is on its way already

    def _clear_wake(self) -> None:
        try:
            while os.read(self._wake_reader, 512):
                pass
        except BlockingIOError:
            pass

    def _close_fds(self) -> None:
        for fd in (self._master, self._wake_reader, self._wake_writer):
            os.close(fd)
        self._master = self._wake_reader = self._wake_writer = -1
