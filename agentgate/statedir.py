"""Where the gate keeps what is neither the project's nor the configuration: $XDG_STATE_HOME/agentgate.

(XDG Base Directory Specification: ``~/.local/state`` where the variable is not an absolute path.)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["state_directory"]


def state_directory(env: Mapping[str, str]) -> Path:
    """The directory, which need not be there. Resolved, because it is guarded by its name."""
    state = env.get("XDG_STATE_HOME", "")
    home = env.get("HOME") or os.path.expanduser("~")
    base = Path(state) if os.path.isabs(state) else Path(home) / ".local" / "state"
    return base.resolve() / "agentgate"
