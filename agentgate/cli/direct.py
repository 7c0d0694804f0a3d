"""The agent on the standard input and output that we were given; questions on /dev/tty, if there is one.

Used where a pipe or a file is among the three. The terminal is then shared with the agent's output, so a
question is lines that stay, not a box that goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
from collections.abc import Callable
from typing import Any

from agentgate.terminal import alone

__all__ = ["Direct"]

_LFLAG, _CC = 3, 6  # of the list that tcgetattr gives


class Direct:
    """A ``questions.Screen``. Without a terminal, or in the background of one, nobody can be asked."""

    stdio = (0, 1, 2)
    controlling = False

    def __init__(self) -> None:
        self.typed: Callable[[bytes], None] = lambda _data: None
        self.resized: Callable[[], None] = lambda: None
        self.hangup: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._saved: list[Any] | None = None
        self._last = contextlib.ExitStack()
        try:
            self._tty = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            self._tty = -1

    @property
    def can_ask(self) -> bool:
        if self._tty < 0:
            return False
        try:  # from the background, tcsetattr and read would stop us (SIGTTOU, SIGTTIN)
            return os.tcgetpgrp(self._tty) == os.getpgrp()
        except OSError:
            return False

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns; a question that does not go away may take all it needs."""
        with contextlib.suppress(OSError):
            columns, rows = os.get_terminal_size(self._tty)
            if columns and rows:
                return rows, columns
        return 24, 80

    def start(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        if self._tty >= 0 and not any(map(os.isatty, self.stdio)):
            self._last.enter_context(alone(self._tty))  # the agent has no part in it

    def started(self) -> None:
        pass

    async def finish(self) -> None:
        self.close("")
        self._last.close()
        if self._tty >= 0:
            os.close(self._tty)
            self._tty = -1

    async def open(self) -> None:
        """One key at a time and unseen; ^C still interrupts. What was typed before is thrown away here:
        it was for the shell's next prompt, and must not answer."""
        saved = termios.tcgetattr(self._tty)
        keyed = termios.tcgetattr(self._tty)
        keyed[_LFLAG] &= ~(termios.ICANON | termios.ECHO)
        keyed[_CC][termios.VMIN], keyed[_CC][termios.VTIME] = 1, 0
        self._saved = saved
        termios.tcsetattr(self._tty, termios.TCSAFLUSH, keyed)
        asyncio.get_running_loop().add_reader(self._tty, self._input)

    def draw(self, lines: list[str]) -> None:
        head, *rest = lines
        self._write("\r\n".join(["", f"\x1b[7m{head}\x1b[0m", *rest, ""]))

    def close(self, outcome: str) -> None:
        if self._saved is None:
            return
        asyncio.get_running_loop().remove_reader(self._tty)
        with contextlib.suppress(OSError, termios.error):
            termios.tcsetattr(self._tty, termios.TCSADRAIN, self._saved)
        self._saved = None
        if outcome:
            self._write(f"  {outcome}\r\n")

    def say(self, text: str) -> None:
        print(f"agentgate: {text}", file=sys.stderr, flush=True)

    def outlived(self, text: str) -> None:
        self.say(text)  # an interrupt is ours too, on this terminal

    def _input(self) -> None:
        try:
            data = os.read(self._tty, 4096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if data:
            self.typed(data)
        else:
            asyncio.get_running_loop().remove_reader(self._tty)
            if not self.hangup.done():
                self.hangup.set_result(None)

    def _write(self, text: str) -> None:
        data = text.encode(sys.stdout.encoding or "ascii", "backslashreplace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._tty, data) :]
