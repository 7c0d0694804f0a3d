"""What the Landlock domain alone refuses: tried inside it, with no filter above."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable

from agentgate.intercept.kernel import landlock, libc

__all__ = ["refused"]

_PR_SET_NO_NEW_PRIVS = 38


def refused(folder: str, abi: int) -> list[str]:
    """Which of ``write``, ``create``, ``move``, ``connect``, ``abstract`` and ``signal`` a process in the
    domain (of Landlock ABI ``abi``) cannot do in ``folder`` and beyond it, though it could before. Raises
    OSError when there can be no domain.
    """
    with contextlib.ExitStack() as stack:
        outside = os.fork()  # outside the domain, because it was there before
        if outside == 0:
            signal.pause()
            os._exit(0)
        try:
            attempts = _attempts(folder, stack, outside)
            before = {name for name, act in attempts.items() if _works(act)}
            pid = os.fork()
            if pid == 0:
                _inside(attempts, abi)
            _, status = os.waitpid(pid, 0)
            bits = os.waitstatus_to_exitcode(status)
            if not 0 <= bits < 64:
                raise OSError(0, "the process that entered the Landlock domain ended")
            return [name for index, name in enumerate(attempts) if name in before and bits & 1 << index]
        finally:
            os.kill(outside, signal.SIGKILL)
            os.waitpid(outside, 0)


def _inside(attempts: dict[str, Callable[[], object]], abi: int) -> None:
    try:
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
        landlock.restrict(abi)
        os._exit(sum(1 << index for index, act in enumerate(attempts.values()) if not _works(act)))
    finally:
        os._exit(255)


def _works(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


def _attempts(folder: str, stack: contextlib.ExitStack, outside: int) -> dict[str, Callable[[], object]]:
    for name in ("here", "there"):
        os.mkdir(f"{folder}/{name}")
    kept = f"{folder}/kept"
    with open(kept, "wb"):
        pass
    port = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
    abstract.bind(b"\0agentgate-doctor-%d" % os.getpid())
    abstract.listen(8)

    def connect(family: int, address: object) -> None:
        with socket.socket(family) as sock:
            sock.settimeout(5)
            sock.connect(address)  # type: ignore[arg-type]

    def create() -> None:
        os.mkdir(f"{folder}/new")
        os.rmdir(f"{folder}/new")

    def move() -> None:
        os.mkdir(f"{folder}/here/x")
        os.rename(f"{folder}/here/x", f"{folder}/there/x")
        os.rmdir(f"{folder}/there/x")

    return {
        "write": lambda: os.close(os.open(kept, os.O_WRONLY)),
        "create": create,
        "move": move,
        "connect": lambda: connect(socket.AF_INET, port.getsockname()),
        "abstract": lambda: connect(socket.AF_UNIX, abstract.getsockname()),
        "signal": lambda: os.kill(outside, 0),
    }
