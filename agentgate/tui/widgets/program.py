"""The operator's own editor in a pane: a program of theirs, on a terminal of its own, gated by nobody.

It runs beside the room with the room's environment, as if it had been started in another window.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

from textual import on
from textual.message import Message

from agentgate.pty import Pty
from agentgate.tui.launch import pane_environment
from agentgate.tui.terminal.messages import Closed, PaneMessage, PasteHeld
from agentgate.tui.terminal.pane import TerminalPane
from agentgate.tui.widgets.editor import Editor

__all__ = ["Program", "editor_command"]

# Python starts the program: a process of this app, which has threads, must not do it between fork and exec.
_ON_TERMINAL = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"

_END_SECONDS = 2.0


def editor_command(env: Mapping[str, str]) -> list[str]:
    """The operator's editor: $VISUAL, else $EDITOR, else vi. Raises ValueError with one line when there is
    no such program."""
    for name in ("VISUAL", "EDITOR"):
        if env.get(name, "").strip():
            break
    else:
        name = ""
    try:
        command = shlex.split(env[name] if name else "vi")
    except ValueError as error:
        raise ValueError(f"${name} cannot be understood: {error}") from None
    if not shutil.which(command[0], path=env.get("PATH")):
        source = f"${name}" if name else "neither $VISUAL nor $EDITOR is set"
        raise ValueError(f"no editor: {command[0]} is not found ({source})")
    return command


class Program(Editor):
    """Runs ``command`` in a terminal until it ends, or until `end`."""

    DEFAULT_CSS = """
    Program > Vertical { width: 100%; height: 100%; padding: 0; }
    Program TerminalPane { width: 1fr; height: 1fr; }
    """

    class Ended(Message):
        """The program ended with ``status``, as a shell would say it."""

        def __init__(self, status: int) -> None:
            super().__init__()
            self.status = status

    def __init__(self, title: str, command: Sequence[str]) -> None:
        super().__init__(title, "its own keys · F12 ends it")
        self.pane = TerminalPane()
        self.pane.leader = ""
        self._command = tuple(command)
        self._pty: Pty | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def on_mount(self) -> None:
        self._box.mount(self.pane)
        self.call_after_refresh(self._start)

    def _start(self) -> None:
        size = self.pane.size
        self._pty = pty = Pty.open(max(size.height, 1), max(size.width, 1))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _ON_TERMINAL, *self._command],
                stdin=pty.slave,
                stdout=pty.slave,
                stderr=pty.slave,
                env=pane_environment(os.environ),
            )
        except OSError:
            self.post_message(self.Ended(127))
            return
        pty.close_slave()
        self.pane.attach(pty)
        self.pane.focus()

    async def on_terminal_pane_closed(self, message: Closed) -> None:
        message.stop()
        await self._wait()

    @on(PaneMessage)
    def _keep(self, message: PaneMessage) -> None:
        """What this pane has to say is not the agent's."""
        message.stop()

    def on_terminal_pane_paste_held(self, message: PasteHeld) -> None:
        message.pane.paste(message.text)

    async def _wait(self) -> None:
        """Say how the program ended, once its terminal is gone; what stays without one is ended."""
        process = self._process
        if process is None:
            return
        try:
            status = await asyncio.to_thread(process.wait, _END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            status = await asyncio.to_thread(process.wait)
        self.post_message(self.Ended(status if status >= 0 else 128 - status))

    def end(self) -> None:
        """Hang up, as when a terminal's window is closed."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGHUP)

    def on_unmount(self) -> None:
        self.end()
        self.pane.detach()
        if self._pty is not None:
            self._pty.close()
