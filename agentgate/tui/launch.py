"""What surrounds a run of the control room: the environment of the agent's terminal, the line left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from agentgate import __version__
from agentgate.tui.state import State

__all__ = ["pane_environment", "summary"]


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


def summary(state: State, audit: Path) -> str:
    """One line for the shell that is left behind; ``audit`` is the log's path."""
    with contextlib.suppress(ValueError):
        audit = audit.relative_to(Path.cwd())
    count = f"{state.decided} decision{'s' if state.decided != 1 else ''}, {state.denied} denied"
    lost = f"; the gate was lost: {state.lost}" if state.lost else ""
    return f"agentgate: {count}; audit in {audit}{lost}"
