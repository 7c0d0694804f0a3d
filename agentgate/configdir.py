"""Where the operator's own settings of the room are: $XDG_CONFIG_HOME/agentgate.

``~/.config/agentgate`` where the variable is not an absolute path.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agentgate import xdg

__all__ = ["ConfigError", "config_directory"]


class ConfigError(ValueError):
    """What is wrong in a configuration, in one line: where, what, how to mend it."""


def config_directory(env: Mapping[str, str]) -> Path:
    """The directory, which need not be there. Resolved, because it is guarded by its name: who can change
    which key allows can decide for the operator."""
    return xdg.directory(env, "XDG_CONFIG_HOME", ".config")
