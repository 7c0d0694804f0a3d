"""A probe may fail, die or hang: all of it is a finding, and nothing is left behind."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgate.doctor.attempt import attempt
from agentgate.doctor.facts import Finding


def refused() -> None:
    raise OSError(errno.EBUSY, "install it: Device or resource busy")


def wrong() -> None:
    raise ValueError("not a number")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGSYS)
    signal.pause()


def ended() -> None:
    os._exit(3)


def large() -> str:
    return "x" * 300_000


@pytest.mark.parametrize(
    ("work", "finding"),
    [
        (lambda: [1, "two"], Finding(True, value=[1, "two"])),
        (large, Finding(True, value=large())),
        (refused, Finding(False, "install it: Device or resource busy (EBUSY)", errno.EBUSY)),
        (wrong, Finding(False, "ValueError: not a number")),
        (killed, Finding(False, "the process that tried it was killed (SIGSYS)")),
        (ended, Finding(False, "the process that tried it ended with status 3")),
    ],
)
def test_whatever_becomes_of_it_is_a_finding(work: Callable[[], object], finding: Finding) -> None:
    assert attempt(work) == finding


def test_one_that_hangs_is_ended(tmp_path: Path) -> None:
    def hang() -> None:
        (tmp_path / "pid").write_text(str(os.getpid()))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        while True:
            signal.pause()

    before = time.monotonic()
    assert attempt(hang, 0.3) == Finding(False, "hung: no result after 0.3 s")
    assert time.monotonic() - before < 3
    assert not Path("/proc", (tmp_path / "pid").read_text()).exists()


def test_a_child_of_it_that_keeps_the_pipe_open_does_not_hold_us_up() -> None:
    def leave_one() -> None:
        if os.fork() == 0:
            time.sleep(3)
            os._exit(0)
        os._exit(5)

    before = time.monotonic()
    assert attempt(leave_one) == Finding(False, "the process that tried it ended with status 5")
    assert time.monotonic() - before < 2


def test_nothing_is_written_twice(capfd: pytest.CaptureFixture[str]) -> None:
    print("once", end="")  # still in the buffer when the child ends
    attempt(lambda: None)
    print(flush=True)
    assert capfd.readouterr().out == "once\n"
