"""The agent's pty on the operator's own terminal: bytes both ways, and a question in between.

The agent never has the operator's terminal, only a pty of its own: it can neither draw on a question nor
type an answer (TIOCSTI). While a question is shown, the agent's output waits and what is typed is not
sent to it; before and after, nothing is changed in either direction.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from agentgate.cli import box, keys
from agentgate.cli.output import Output
from agentgate.pty import QUEUE_LIMIT, Pty
from agentgate.terminal import alone

__all__ = ["Relay"]

_READ = 65536
_PATIENCE = 10  # turns of 20 ms that an escape sequence has to become whole before a question cuts it
_LAST = 5.0  # seconds for the last of the agent's output, when its terminal is slow
_TIDY = "\x1b[0m\x1b[?25h\x1b[?7h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l\x1b[<99u"


class Relay:
    """A ``questions.Screen``, and the agent's standard input, output and error.

    ``start`` takes the terminal (raw mode); whatever happens, ``finish`` must give it back. ``hangup`` is
    set when the terminal goes away.
    """

    controlling = True
    can_ask = True

    def __init__(self) -> None:
        """Open the pty, with the terminal's size and settings. Raises OSError."""
        self.typed: Callable[[bytes], None] = lambda _data: None
        self.resized: Callable[[], None] = lambda: None
        self.hangup: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pty = Pty.open(*self.size)
        self._saved = termios.tcgetattr(0)
        termios.tcsetattr(self._pty.slave, termios.TCSANOW, self._saved)
        self._output = Output()
        self._screen = asyncio.Lock()  # held while bytes go out, and while a question stands there
        self._asking = False
        self._drawn = False
        self._left_alternate = False
        self._outlived = False
        self._later: list[str] = []
        self._last = contextlib.ExitStack()
        self._thread = ThreadPoolExecutor(1, "relay")
        self._pump: asyncio.Task[None] | None = None

    @property
    def stdio(self) -> tuple[int, int, int]:
        return (self._pty.slave,) * 3

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the operator's terminal."""
        with contextlib.suppress(OSError):
            columns, rows = os.get_terminal_size(0)
            if columns and rows:
                return rows, columns
        return 24, 80

    def start(self) -> None:
        """Take the terminal and begin to pass bytes."""
        loop = asyncio.get_running_loop()
        sys.stdout.flush()
        sys.stderr.flush()
        self._last.enter_context(alone(0))
        tty.setraw(0, termios.TCSADRAIN)  # not TCSAFLUSH: what was typed ahead is the agent's
        loop.add_reader(0, self._input)
        loop.add_signal_handler(signal.SIGWINCH, self._winch)
        self._pump = asyncio.create_task(self._pass_output())

    def started(self) -> None:
        """The agent runs: give up our copy of its side, so that its end is seen."""
        self._pty.close_slave()

    async def finish(self) -> None:
        """Pass on the last output of an agent that has ended, and give the terminal back."""
        try:
            self._pty.close_slave()
            if self._pump:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(self._pump), _LAST)
        finally:
            self._give_back()
            self._pty.close()
            if self._pump:
                self._pump.cancel()
            self._thread.shutdown(wait=False)
        for text in self._later:
            print(f"agentgate: {text}", file=sys.stderr)

    def _give_back(self) -> None:
        if not self._pump:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(0)
        loop.remove_signal_handler(signal.SIGWINCH)
        with contextlib.suppress(OSError, termios.error):
            if self._output.alternate:  # it was ended in the middle of a full-screen program
                self._write("\x1b[?1049l" + _TIDY)
            termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
        self._last.close()

    # -- the agent's output

    async def _pass_output(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.run_in_executor(self._thread, self._pty.read):
                async with self._screen:
                    self._output.feed(data)
                    # In the thread: a terminal that was stopped (^S) must not stop the gate.
                    await loop.run_in_executor(self._thread, _write_all, data)
        except OSError:
            self._hung_up()

    # -- what is typed

    def _input(self) -> None:
        try:
            data = os.read(0, _READ)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._hung_up()
        elif self._outlived and not self._asking and keys.name(data) == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)  # its terminal has nobody left to interrupt
        elif self._asking and not keys.is_reply(data):
            if keys.name(data) == "interrupt":  # the agent is to hear it, and first
                self._pty.write(data)
            self.typed(data)
        else:
            self._pty.write(data)
            self._wait_for_room()

    def _wait_for_room(self) -> None:
        """Stop reading while the agent does not: a long paste then waits in the terminal, whole."""
        loop = asyncio.get_running_loop()
        if self.hangup.done():
            return
        if self._pty.queued > QUEUE_LIMIT // 2:
            loop.remove_reader(0)
            loop.call_later(0.05, self._wait_for_room)
        elif self._pump and not self._pump.done():
            loop.add_reader(0, self._input)

    def _hung_up(self) -> None:
        asyncio.get_running_loop().remove_reader(0)
        if not self.hangup.done():
            self.hangup.set_result(None)

    def _winch(self) -> None:
        self._pty.resize(*self.size)
        self.resized()

    # -- questions

    async def open(self) -> None:
        for _ in range(_PATIENCE):
            await self._screen.acquire()
            if not self._output.unfinished:
                break
            self._screen.release()
            await asyncio.sleep(0.02)
        else:
            await self._screen.acquire()
        for _ in range(64):  # typed before the question: the agent's
            if self.hangup.done() or not select.select([0], [], [], 0)[0]:
                break
            self._input()
        self._asking = True
        if self._output.alternate:
            self._left_alternate = True
            self._write("\x1b\\\x1b[?1049l")

    def draw(self, lines: list[str]) -> None:
        erased = box.erase(self._output) if self._drawn else ""
        self._drawn = True
        self._write(erased + box.draw(lines, self._output))

    def close(self, outcome: str) -> None:
        if self._drawn:
            self._write(box.erase(self._output))
        self._drawn = False
        if self._left_alternate:
            self._left_alternate = False
            self._write("\x1b[?1049h")
            # It is empty now. A program draws it anew when its size has changed.
            rows, columns = self.size
            self._pty.resize(max(rows - 1, 1), columns)
            asyncio.get_running_loop().call_later(0.05, self._winch)
        self._asking = False
        self._screen.release()

    def say(self, text: str) -> None:
        if self._asking or self._output.alternate or self._output.unfinished:
            self._later.append(text)
        else:
            self._write(f"\r\nagentgate: {text}\r\n")

    def outlived(self, text: str) -> None:
        self._outlived = True
        self.say(text)

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            _write_all(text.encode(sys.stdout.encoding or "ascii", "backslashreplace"))


def _write_all(data: bytes) -> None:
    """All of ``data`` to the terminal, waiting where it does not take it. Raises OSError."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(1, rest) :]
        except BlockingIOError:
            select.select([], [1], [])
