"""Writes the shims: one script, and a link to it for each program to be shimmed that is there."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from importlib.resources import files

from agentgate.intercept.shim.names import shimmed

__all__ = ["available", "install", "script"]

_SCRIPT = ".agentgate-shim"
_LINE = 127  # bytes of a "#!" line, its newline included, that every kernel reads (execve(2))


def _interpreter() -> str:
    """The Python itself, not a virtual environment's link to it: it starts faster and stays when the
    environment goes."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def script(interpreter: str) -> bytes:
    """The shim program for the Python at ``interpreter``.

    ``-I -S`` keeps the agent's environment (PYTHONPATH, site files) out of it. A "#!" line takes one
    argument and neither spaces nor much length, so where that does not do a line of shell comes first.
    """
    body = files("agentgate.intercept.shim").joinpath("client.py").read_bytes()
    path = os.fsencode(interpreter)
    line = b"#!" + path + b" -IS\n"
    if len(line) <= _LINE and not any(char in path for char in b" \t"):
        return line + body
    quoted = b"'" + path.replace(b"'", b"'\\''") + b"'"
    # The shell runs the second line and never sees the rest; to Python it is a string (pass, in effect).
    return b"#!/bin/sh\n'''exec' " + quoted + b' -IS "$0" "$@"\n' + b"' '''\n" + body


def available(path: str) -> set[str]:
    """The names to shim of the programs on ``path`` (a PATH; relative entries are left out, they mean
    something else in each directory)."""
    found: set[str] = set()
    for directory in path.split(os.pathsep):
        if not os.path.isabs(directory):
            continue
        with contextlib.suppress(OSError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.name not in found and shimmed(entry.name):
                    with contextlib.suppress(OSError):
                        if entry.is_file() and os.access(entry.path, os.X_OK):
                            found.add(entry.name)
    return found


def install(directory: str, names: Iterable[str], *, interpreter: str = "") -> None:
    """Fill ``directory``, which is made (mode 0700) and must not exist yet. Raises OSError."""
    os.mkdir(directory, 0o700)
    program = os.path.join(directory, _SCRIPT)
    descriptor = os.open(program, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o500)
    with os.fdopen(descriptor, "wb") as file:
        file.write(script(interpreter or _interpreter()))
    os.chmod(program, 0o500)
    for name in names:
        os.symlink(_SCRIPT, os.path.join(directory, name))
