"""Where a program of this user's keeps its things: the XDG Base Directory Specification."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["directory"]


def directory(env: Mapping[str, str], variable: str, *usual: str) -> Path:
    """Our directory below what ``variable`` names, or where that is no absolute path below ``usual`` in the
    home directory. It need not be there; resolved, because it is guarded by its name."""
    given = env.get(variable, "")
    home = env.get("HOME") or os.path.expanduser("~")
    base = Path(given) if os.path.isabs(given) else Path(home, *usual)
    return base.resolve() / "agentgate"
