"""What surrounds a run of the control room: the environment of the agent's terminal, the line left behind."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentgate import __version__
from agentgate.tui.state import State

__all__ = ["pane_environment", "screen_on_stdout", "summary"]


def pane_environment(env: Mapping[str, str]) -> dict[str, str]:
    """What the agent's terminal says of itself: the pane's own emulator, not the operator's terminal."""
    mine = dict(env)
    for name in ("COLUMNS", "LINES", "TERM_SESSION_ID", "TERMCAP", "WT_SESSION", "KITTY_WINDOW_ID"):
        mine.pop(name, None)
    mine.update(
        TERM="xterm-256color",
        COLORTERM="truecolor",
        TERM_PROGRAM="agentgate",
        TERM_PROGRAM_VERSION=__version__,
    )
    return mine


@contextlib.contextmanager
def screen_on_stdout() -> Iterator[None]:
    """Have the screen drawn on standard output where standard error is redirected.

    Textual draws on ``sys.__stderr__``; ``agentgate tui -- agent 2>log`` would show nothing at all.
    """
    stderr, stdout = sys.__stderr__, sys.__stdout__
    if stderr is None or stdout is None or stderr.isatty() or not stdout.isatty():
        yield
        return
    sys.__stderr__ = stdout  # type: ignore[misc]
    try:
        yield
    finally:
        sys.__stderr__ = stderr  # type: ignore[misc]


def summary(state: State, audit: Path) -> str:
    """One line for the shell that is left behind; ``audit`` is the log's path."""
    with contextlib.suppress(ValueError):
        audit = audit.relative_to(Path.cwd())
    count = f"{state.decided} decision{'s' if state.decided != 1 else ''}, {state.denied} denied"
    lost = f"; the gate was lost: {state.lost}" if state.lost else ""
    return f"agentgate: {count}; audit in {audit}{lost}"
