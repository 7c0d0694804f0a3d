"""Whether a command can be run at all: said before anything is started for it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cannot_run"]


def cannot_run(name: str, env: Mapping[str, str], directory: Path | None = None) -> OSError | None:
    """Why no program of this ``name`` can be run in ``directory`` (default: where we are): FileNotFoundError
    or PermissionError, in a shell's words. None when one can."""
    place = name
    if directory is not None and os.sep in name:
        place = str(directory / name)
    if shutil.which(place, path=env.get("PATH")):
        return None
    if os.path.isdir(place) or (os.sep in name and os.path.exists(place)):
        return PermissionError(errno.EACCES, "not a program that can be run", name)
    return FileNotFoundError(errno.ENOENT, "command not found", name)
