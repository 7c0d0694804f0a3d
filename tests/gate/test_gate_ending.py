"""The process that was caught is ended, and never another one."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from agentgate.actions import Process
from agentgate.gate.ending import end_process
from agentgate.gate.lineage import parent_and_start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pidfds are Linux's")


def started() -> tuple[subprocess.Popen[bytes], Process]:
    child = subprocess.Popen(["sleep", "60"])
    known = parent_and_start(child.pid)
    assert known
    return child, Process(child.pid, ("sleep", "60"), "", known[1])


def test_it_ends_the_process() -> None:
    child, process = started()
    assert end_process(process)
    assert child.wait(10) == -signal.SIGKILL
    assert not end_process(process)


def test_another_process_with_that_number_lives_on() -> None:
    child, process = started()
    try:
        assert not end_process(replace(process, start=process.start - 1))
        assert child.poll() is None
    finally:
        child.kill()
        child.wait(10)


@pytest.mark.parametrize("process", [Process(0), Process(1, start=5), Process(4_000_000)])
def test_what_is_not_known_for_sure_is_left_alone(process: Process) -> None:
    with pytest.raises(OSError, match="not known which process"):
        end_process(process)


def test_one_that_is_gone_is_said_to_be() -> None:
    child, process = started()
    child.kill()
    child.wait(10)
    assert end_process(process) is False
