"""What the tests of the terminal share: real children on a pty, and an app that is one pane."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from textual import on
from textual.app import App, ComposeResult

from agentgate.pty import Pty
from agentgate.tui.terminal.messages import PaneMessage
from agentgate.tui.terminal.pane import TerminalPane

_SHIM = "import os, sys; os.login_tty(int(sys.argv[1])); os.execvp(sys.argv[2], sys.argv[2:])"


@contextlib.contextmanager
def child(pty: Pty, *argv: str, cwd: Path | None = None, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``argv`` on ``pty`` as session leader with it as controlling terminal; ended on the way out."""
    home = str(cwd or "/nonexistent")
    # No start-up file of this machine takes part.
    base = {
        "PATH": os.environ["PATH"],
        "HOME": home,
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "PS1": "$ ",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", _SHIM, str(pty.slave), *argv],
        pass_fds=[pty.slave],
        env=base | env,
        cwd=cwd,
    )
    pty.close_slave()
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def read_until(pty: Pty, wanted: bytes, timeout: float = 10.0) -> bytes:
    """Output of the child up to and with ``wanted``."""
    seen = b""
    end = time.monotonic() + timeout
    while wanted not in seen:
        assert time.monotonic() < end, seen
        data = pty.read()
        assert data, (data, seen)
        seen += data
    return seen


class PaneApp(App[None], inherit_bindings=False):
    """One pane and nothing else; keeps the messages it posts."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[object] = []
        self.keys: list[str] = []
        self.pane = TerminalPane()

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.focus()

    @on(PaneMessage)
    def keep(self, message: PaneMessage) -> None:
        self.seen.append(message)

    def on_key(self, event: object) -> None:
        self.keys.append(getattr(event, "key", "?"))

    def count(self, kind: type) -> int:
        return sum(isinstance(message, kind) for message in self.seen)


async def until(
    condition: Callable[[], object], what: str | Callable[[], str] = "", timeout: float = 15.0
) -> None:
    """Wait for ``condition``; on failure, say ``what`` there was instead."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, what() if callable(what) else what
        await asyncio.sleep(0.01)
