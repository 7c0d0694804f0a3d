"""A fresh directory that only this user can enter, short enough for a socket, where programs may run."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping

__all__ = ["SOCKET", "private_directory"]

SOCKET = "gate.sock"

_PREFIX = "agentgate-"
_SOCKET_PATH = 100  # sun_path holds 108 bytes on Linux, 104 on macOS (unix(7))
_ROOM = 24  # for mkdtemp's letters and the socket's name
_YOUNG = 60.0  # seconds in which a session may still be on its way to listen


def private_directory(env: Mapping[str, str]) -> str:
    """Make one and return its path (mode 0700): below $XDG_RUNTIME_DIR, else the directory for temporary
    files, else the user's cache. What sessions left there that were killed is removed.

    Raises OSError, saying why none of them will do.
    """
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
                made = tempfile.mkdtemp(prefix=_PREFIX, dir=base)
            except OSError as error:
                refused.append(f"{base}: {error.strerror}")
            else:
                _sweep(base)
                return made
    raise OSError(f"no place for the gate's socket and shims: {'; '.join(refused) or 'no directory exists'}")


def _sweep(base: str) -> None:
    """Remove this user's directories in which a socket stands that nobody listens on."""
    with os.scandir(base) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    old = time.time() - status.st_mtime > _YOUNG
                    if entry.is_dir(follow_symlinks=False) and status.st_uid == os.geteuid() and old:
                        _remove_if_dead(entry.path)


def _remove_if_dead(directory: str) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.path.join(directory, SOCKET))
        except ConnectionRefusedError:
            shutil.rmtree(directory, ignore_errors=True)
