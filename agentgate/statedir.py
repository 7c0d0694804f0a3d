"""Where the gate keeps what is neither the project's nor the configuration: $XDG_STATE_HOME/agentgate.

``~/.local/state/agentgate`` where the variable is not an absolute path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentgate import xdg

__all__ = ["state_directory"]


def state_directory(env: Mapping[str, str]) -> Path:
    """The directory, which need not be there. Resolved, because it is guarded by its name."""
    return xdg.directory(env, "XDG_STATE_HOME", ".local", "state")
