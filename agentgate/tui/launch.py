"""What surrounds a run of the control room: the environment of the agent's terminal, the line left behind."""

from __future__ import annotations

import contextlib
import select
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from agentgate import __version__
from agentgate.escape import printable
from agentgate.tui.state import State

__all__ = ["pane_environment", "summary", "terminal_is_gone", "terminal_output"]


_TERMINAL_NAMES = frozenset(
    "COLUMNS LINES TERMCAP TERM_SESSION_ID TERM_FEATURES TERMINAL_EMULATOR TERMINFO WINDOWID WT_SESSION "
    "WT_PROFILE_ID VTE_VERSION COLORFGBG LC_TERMINAL LC_TERMINAL_VERSION STY INSIDE_EMACS".split()
)
_TERMINAL_PREFIXES = (
    "TMUX", "ZELLIJ", "KITTY_", "GHOSTTY_", "WEZTERM_", "ITERM_", "ALACRITTY_", "KONSOLE_", "XTERM_",
)  # fmt: skip


def _of_a_terminal(name: str) -> bool:
    """Whether a variable tells programs which terminal or multiplexer they run in: the agent runs in none of
    those, and would wrap its sequences for it, or ask it for things."""
    return name in _TERMINAL_NAMES or name.startswith(_TERMINAL_PREFIXES)


def pane_environment(env: Mapping[str, str]) -> dict[str, str]:
    """What the agent's terminal says of itself: the pane's own emulator, not the operator's terminal."""
    mine = {name: value for name, value in env.items() if not _of_a_terminal(name)}
    mine.update(
        TERM="xterm-256color",
        COLORTERM="truecolor",
        TERM_PROGRAM="agentgate",
        TERM_PROGRAM_VERSION=__version__,
    )
    return mine


class TerminalOutput:
    """A terminal to draw on that may go away: from then on what is written is lost, and raises nothing.

    Textual writes from a thread of its own through a short queue. That thread would die of the error,
    the queue fill up, and the app - which has a gate to close and an agent to end - wait for it for ever.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextlib.contextmanager
def terminal_output() -> Iterator[None]:
    """Have Textual, which draws on ``sys.__stderr__``, draw on a `TerminalOutput`, and on standard output
    where standard error is redirected: ``agentgate tui -- agent 2>log`` would show nothing at all."""
    stderr, stdout = sys.__stderr__, sys.__stdout__
    screen = stderr if stderr is not None and stderr.isatty() else stdout
    if screen is None or not screen.isatty():
        yield
        return
    sys.__stderr__ = TerminalOutput(screen)  # type: ignore[misc, assignment]
    try:
        yield
    finally:
        sys.__stderr__ = stderr  # type: ignore[misc]


def terminal_is_gone() -> bool:
    """Whether standard input is a terminal that was hung up. A process whose controlling terminal it is
    not gets no SIGHUP for that, and Textual takes the end of the input for a pause."""
    stdin = sys.__stdin__
    if stdin is None:
        return False
    poll = select.poll()
    poll.register(stdin.fileno(), 0)  # POLLHUP and POLLERR are always told of, poll(2)
    return bool(poll.poll(0))


def summary(state: State, audit: Path) -> str:
    """One line for the shell that is left behind; ``audit`` is the log's path."""
    with contextlib.suppress(ValueError):
        audit = audit.relative_to(Path.cwd())
    count = f"{state.decided} decision{'s' if state.decided != 1 else ''}, {state.denied} denied"
    lost = f"; the gate was lost: {state.lost}" if state.lost else ""
    return printable(f"agentgate: {count}; audit in {audit}{lost}", 2000)
