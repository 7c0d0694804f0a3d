"""Finds and ends what an agent started, without a kernel's help: as far as that goes.

A process belongs to the tree when an ancestor does, when its session was made by one of the tree, or
(Linux) when it was started with this session's token in its environment, which a daemon keeps that let
itself be orphaned. One that did all of it - left the tree, the session and the environment - is not found.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

__all__ = ["Found", "end", "find", "snapshot"]

_POLITE = 1.0  # seconds between SIGHUP and SIGKILL
_BOUND = 5.0  # seconds after which the rest is given up and returned


@dataclass(frozen=True, slots=True)
class Found:
    """One process; ``start``, in whatever unit, tells it from a later one with the same pid."""

    pid: int
    parent: int
    session: int
    start: int


def _fields(pid: int) -> list[bytes]:
    """/proc/PID/stat from field 3, the state, on (proc_pid_stat(5))."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        return file.read().rpartition(b")")[2].split()


def _linux() -> dict[int, Found]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with (
                contextlib.suppress(OSError, ValueError, IndexError),
                open(f"/proc/{name}/stat", "rb") as file,
            ):
                fields = file.read().rpartition(b")")[2].split()  # proc_pid_stat(5), from field 3 on
                if fields[0] not in (b"Z", b"X"):
                    found[int(name)] = Found(int(name), int(fields[1]), int(fields[3]), int(fields[19]))
    return found


def _elsewhere() -> dict[int, Found]:
    listing = subprocess.run(
        ["/bin/ps", "-A", "-o", "pid=,ppid=,state=,lstart="],
        env={"LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
        timeout=5,
    )
    found = {}
    for line in listing.stdout.splitlines():
        with contextlib.suppress(OSError, ValueError):
            pid, parent, state, *started = line.split()
            if not state.startswith("Z"):
                start = int(time.mktime(time.strptime(" ".join(started))))
                found[int(pid)] = Found(int(pid), int(parent), os.getsid(int(pid)), start)
    return found


def snapshot() -> dict[int, Found]:
    """Every live process by pid."""
    return _linux() if sys.platform == "linux" else _elsewhere()


def _carries(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read()
    except OSError:
        return False


def find(processes: dict[int, Found], root: Found, mark: bytes) -> set[Found]:
    """Those of ``processes`` that belong to the tree of ``root``, never this process or its ancestors.

    ``root`` may be gone: it still names its session. ``mark`` is what only this session's environments hold.
    """
    ours = set()
    pid = os.getpid()
    while pid in processes and pid not in ours:
        ours.add(pid)
        pid = processes[pid].parent
    now = processes.get(root.pid)
    leaders = {root.pid} if now is None or now.start == root.start else set()  # else another has its pid
    tree = {pid for pid in processes if pid in leaders or _carries(pid, mark)} - ours
    grew = True
    while grew:
        sessions = {processes[pid].session for pid in tree} & (tree | leaders) | leaders
        new = {
            process.pid
            for process in processes.values()
            if process.parent in tree or process.session in sessions
        }
        new -= tree | ours
        grew = bool(new)
        tree |= new
    return {processes[pid] for pid in tree}


def _signal(process: Found, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        if sys.platform != "linux":
            os.kill(process.pid, number)
            return
        descriptor = os.pidfd_open(process.pid)
        try:  # the descriptor holds the process; that it is the one that was found, the start time says
            if int(_fields(process.pid)[19]) == process.start:
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


async def end(root: Found, mark: bytes) -> set[Found]:
    """Hang up on the tree of ``root``, then kill it. Returns what is still there after five seconds:
    nothing, mostly."""
    begin = time.monotonic()
    told: set[Found] = set()
    while True:
        left = find(snapshot(), root, mark)
        waited = time.monotonic() - begin
        if not left or waited > _BOUND:
            return left
        for process in left - told:  # what was started meanwhile too
            _signal(process, signal.SIGHUP)
            _signal(process, signal.SIGCONT)  # a stopped process must wake up to hang up
        told |= left
        if waited > _POLITE:
            for process in left:
                _signal(process, signal.SIGKILL)
        await asyncio.sleep(0.03)
