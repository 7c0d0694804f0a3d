"""The thread that carries a child's output into the emulator.

It waits in `Pty.read`, feeds, sends the emulator's replies back at once (agents give up on a cursor
position report within seconds), and tells the event loop that there is something to draw: once,
however much arrives before the loop gets to it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import final

from agentgate.pty import Pty
from agentgate.tui.terminal.vt import Vt

__all__ = ["Feeder"]


@final
class Feeder:
    """Runs from its making, inside the event loop, to `stop` or the end of the child's output."""

    def __init__(self, pty: Pty, vt: Vt, output: Callable[[], None], end: Callable[[], None]) -> None:
        """``output`` and ``end`` are called in the running loop and in the current context."""
        self._pty = pty
        self._vt = vt
        self._output = output
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._told = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="agentgate-terminal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it; nothing is called after that. The pty stays open."""
        self._stopped = True
        self._pty.interrupt()
        self._thread.join()

    def _run(self) -> None:
        while data := self._read():
            if reply := self._vt.feed(data):
                self._pty.write(reply)
            if not self._told:
                self._told = True
                self._call(self._tell_output)
        if data is not None:
            self._call(self._tell_end)

    def _read(self) -> bytes | None:
        try:
            return self._pty.read()
        except OSError:  # a terminal that cannot be read is at its end
            return b""

    def _call(self, function: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(function, context=self._context)
        except RuntimeError:
            pass  # the loop is closed: nobody is left to be told

    def _tell_output(self) -> None:
        self._told = False  # before the screen is read, so that nothing fed later goes untold
        if not self._stopped:
            self._output()

    def _tell_end(self) -> None:
        if not self._stopped:
            self._end()
