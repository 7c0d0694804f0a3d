"""Who asks: a process and its ancestors, read from /proc (Linux). Elsewhere the chain is empty."""

from __future__ import annotations

import os
from collections.abc import Container

from agentgate.actions import Process

__all__ = ["lineage", "parent_and_start", "process"]

_LIMIT = 64  # ancestors; a longer chain is cut at its far end


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def parent_and_start(pid: int) -> tuple[int, int] | None:
    """The parent's pid and the start time in clock ticks since boot (proc_pid_stat(5), fields 4 and 22),
    or None when the process is gone or there is no /proc."""
    try:
        # the name (field 2) may hold spaces and parentheses: count from its end
        fields = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        return int(fields[1]), int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def process(pid: int, start: int) -> Process:
    """The process as it is now; what cannot be read is empty."""
    try:
        line = os.fsdecode(_read(f"/proc/{pid}/cmdline"))
    except OSError:
        line = ""
    try:
        exe = os.readlink(f"/proc/{pid}/exe")
    except OSError:
        exe = ""
    argv = tuple(line.removesuffix("\0").split("\0")) if line else ()
    return Process(pid, argv, exe, start)


def lineage(pid: int, until: Container[int]) -> tuple[Process, ...]:
    """``pid`` and its ancestors, nearest first, up to and without those in ``until``."""
    chain: list[Process] = []
    while pid > 1 and pid not in until and len(chain) < _LIMIT:
        known = parent_and_start(pid)
        if known is None:
            break
        chain.append(process(pid, known[1]))
        pid = known[0]
    return tuple(chain)
