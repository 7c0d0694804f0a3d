"""One probe in a process of its own: a bad kernel kills or hangs who tries it, and that is a finding."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from agentgate.doctor.facts import Finding

__all__ = ["attempt"]

_PR_SET_PDEATHSIG = 1
_GRACE = 1.0  # seconds that a killed process may take to be gone


def attempt(work: Callable[[], Any], seconds: float = 5.0) -> Finding:
    """What ``work`` came to: ok with what it returned (which JSON can carry), else why not.

    OSError is a finding with its errno; any other exception, a death or the end of the time is one with
    words. Call from a process with one thread. What ``work`` has started dies with it, if it does as the
    child does: ask for a signal at its parent's death.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(work, write)
    os.close(write)
    try:
        return _outcome(pid, read, time.monotonic() + seconds, seconds)
    finally:
        os.close(read)
        _end(pid)


def _child(work: Callable[[], Any], write: int) -> None:
    code = 1
    try:
        if sys.platform == "linux":  # by hand: the libc module of the gate is for later
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        try:
            said: dict[str, Any] = {"ok": True, "value": work()}
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, "")
            why = f"{error.strerror or error}" + (f" ({name})" if name else "")
            said = {"ok": False, "why": why, "code": error.errno or 0}
        except Exception as error:
            said = {"ok": False, "why": f"{type(error).__name__}: {error}"}
        data = json.dumps(said).encode() + b"\n"
        while data:
            data = data[os.write(write, data) :]
        code = 0
    finally:
        os._exit(code)


def _outcome(pid: int, read: int, deadline: float, seconds: float) -> Finding:
    """The child's line, or what became of it. It is not reaped here."""
    data = b""
    while not data.endswith(b"\n"):
        if time.monotonic() > deadline:
            return Finding(False, f"hung: no result after {seconds:g} s")
        if select.select([read], [], [], 0.02)[0]:
            more = os.read(read, 1 << 16)
            if not more:
                break
            data += more
        elif os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            break  # a child of its own may hold the pipe open
    try:
        return Finding(**json.loads(data))
    except (ValueError, TypeError):
        return Finding(False, _death(pid))


def _death(pid: int) -> str:
    ended = None
    end = time.monotonic() + _GRACE
    while ended is None and time.monotonic() < end:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            time.sleep(0.005)
    if ended is None:
        return "the process that tried it closed its pipe and went on"
    if ended.si_code == os.CLD_EXITED:
        return f"the process that tried it ended with status {ended.si_status}"
    with contextlib.suppress(ValueError):
        return f"the process that tried it was killed ({signal.Signals(ended.si_status).name})"
    return f"the process that tried it was killed (signal {ended.si_status})"


def _end(pid: int) -> None:
    """Kill and reap it; one that cannot even be killed is left behind."""
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
    end = time.monotonic() + _GRACE
    while time.monotonic() < end:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(0.002)
            continue
        return
