"""Where the operator's own settings of the room are: $XDG_CONFIG_HOME/agentgate.

(XDG Base Directory Specification: ``~/.config`` where the variable is not an absolute path.)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["ConfigError", "config_directory"]


class ConfigError(ValueError):
    """What is wrong in a configuration, in one line: where, what, how to mend it."""


def config_directory(env: Mapping[str, str]) -> Path:
    """The directory, which need not be there. Resolved, because it is guarded by its name: who can change
    which key allows can decide for the operator."""
    given = env.get("XDG_CONFIG_HOME", "")
    home = env.get("HOME") or os.path.expanduser("~")
    base = Path(given) if os.path.isabs(given) else Path(home) / ".config"
    return base.resolve() / "agentgate"
