"""A fresh directory that only this user can enter, short enough for a socket, where programs may run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping

__all__ = ["private_directory"]

_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 on macOS (unix(7))
_ROOM = 24  # for mkdtemp's letters and the socket's name


def private_directory(env: Mapping[str, str]) -> str:
    """Make one and return its path (mode 0700): below $XDG_RUNTIME_DIR, else the directory for temporary
    files, else the user's cache. Raises OSError, saying why none of them will do."""
    home = os.path.expanduser("~")
    refused = []
    for base in (env.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), os.path.join(home, ".cache")):
        if not os.path.isabs(base) or not os.path.isdir(base):
            continue
        if len(os.fsencode(base)) + _ROOM > _SOCKET_PATH:
            refused.append(f"{base} is too long a path for a socket")
        elif os.statvfs(base).f_flag & getattr(os, "ST_NOEXEC", 0):
            refused.append(f"{base} is mounted noexec")
        else:
            try:
                return tempfile.mkdtemp(prefix="agentgate-", dir=base)
            except OSError as error:
                refused.append(f"{base}: {error.strerror}")
    raise OSError(f"no place for the gate's socket and shims: {'; '.join(refused) or 'no directory exists'}")
