"""The pty with real children: sizes, signals, ends, and a child that does not read."""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import sys
import termios
import threading
import time

import pytest
from terminal_kit import child, read_until

from agentgate.pty import QUEUE_LIMIT, Pty

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def pty():
    pty = Pty.open(24, 80)
    yield pty
    pty.close()


def test_child_has_the_pty_as_controlling_terminal(pty: Pty) -> None:
    with child(pty, "sh", "-c", "stty size < /dev/tty"):
        read_until(pty, b"24 80")


def test_descriptors_are_not_inherited(pty: Pty) -> None:
    assert not os.get_inheritable(pty.master)
    assert not os.get_inheritable(pty.slave)


def test_resize_reaches_the_child(pty: Pty) -> None:
    script = "trap 'stty size; exit' WINCH; echo ready; while :; do sleep 0.05; done"
    with child(pty, "sh", "-c", script):
        read_until(pty, b"ready")
        pty.resize(33, 101)
        read_until(pty, b"33 101")


def test_resize_with_pixels_and_clamped(pty: Pty) -> None:
    pty.resize(0, 1 << 20, 640, 1 << 20)
    size = struct.unpack("HHHH", fcntl.ioctl(pty.slave, termios.TIOCGWINSZ, bytes(8)))
    assert size == (1, 65535, 640, 65535)


def test_kernel_erases_whole_characters(pty: Pty) -> None:
    with child(pty, "sh", "-c", "echo ready; read x; printf '<%s>' \"$x\""):
        read_until(pty, b"ready")
        pty.write("aé\x7fb\r".encode())
        assert b"<ab>" in read_until(pty, b">")


def test_end_is_seen_once_the_last_child_is_gone(pty: Pty) -> None:
    with child(pty, "sh", "-c", "echo bye"):
        read_until(pty, b"bye")
        while data := pty.read():
            assert b"bye" not in data
    assert data == b""


def test_a_child_that_does_not_read_blocks_nobody(pty: Pty) -> None:
    with child(pty, "sh", "-c", "stty raw -echo; echo ready; read -r go < /dev/null; sleep 60"):
        read_until(pty, b"ready")
        chunk = b"x" * 65536
        accepted = sum(pty.write(chunk) for _ in range(2 * QUEUE_LIMIT // len(chunk)))
        assert QUEUE_LIMIT <= accepted * len(chunk) <= QUEUE_LIMIT + 2 * 65536
        assert pty.queued <= QUEUE_LIMIT
        assert pty.dropped == 2 * QUEUE_LIMIT - accepted * len(chunk)


def test_queue_is_sent_by_the_reader_in_order(pty: Pty) -> None:
    size = 300_000
    script = (
        "import hashlib, os, time, tty; tty.setraw(0); os.write(1, b'ready'); time.sleep(0.2); n = b''\n"
        f"while len(n) < {size}: n += os.read(0, 65536)\n"
        "os.write(1, hashlib.md5(n).hexdigest().encode())"
    )
    with child(pty, sys.executable, "-c", script):
        read_until(pty, b"ready")
        payload = os.urandom(size // 2) * 2
        assert pty.write(payload[: size // 3])
        assert pty.write(payload[size // 3 :])
        assert pty.queued > 0
        read_until(pty, hashlib.md5(payload).hexdigest().encode())
        assert pty.queued == 0


def test_oversized_write_is_refused_whole(pty: Pty) -> None:
    with child(pty, "cat"):
        assert not pty.write(b"\x1b[200~" + b"x" * QUEUE_LIMIT)
        assert pty.queued == 0
        assert pty.write(b"hello\r")
        assert b"x" not in read_until(pty, b"hello")


def _reader(pty: Pty) -> tuple[threading.Thread, list[bytes | None]]:
    results: list[bytes | None] = []
    thread = threading.Thread(target=lambda: results.append(pty.read()), daemon=True)
    thread.start()
    time.sleep(0.05)
    return thread, results


def test_interrupt_wakes_a_read_and_leaves_the_pty_usable(pty: Pty) -> None:
    with child(pty, "cat"):
        thread, results = _reader(pty)
        assert thread.is_alive()
        pty.interrupt()
        thread.join(5)
        assert results == [None]
        pty.write(b"again\r")
        read_until(pty, b"again")


def test_interrupt_before_read_counts(pty: Pty) -> None:
    pty.interrupt()
    assert pty.read() is None


def test_close_under_a_read_ends_it_and_hangs_up(pty: Pty) -> None:
    with child(pty, "sh", "-c", "echo ready; exec sleep 60") as process:
        read_until(pty, b"ready\r\n")
        thread, results = _reader(pty)
        master = pty.master
        pty.close()
        thread.join(5)
        assert results == [None]
        assert process.wait(5) == -1  # SIGHUP
    with pytest.raises(OSError):
        os.fstat(master)
    assert pty.read() is None
    assert not pty.write(b"x")
    pty.resize(3, 3)
    pty.close()
    with pytest.raises(ValueError, match="closed"):
        _ = pty.slave
