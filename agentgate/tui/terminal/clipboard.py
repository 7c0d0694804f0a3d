"""The operator's clipboard: by way of their terminal (OSC 52), and by a program of the desktop.

Terminals may ignore OSC 52, and programs may not be there, so both are tried. The program gets the operator's
environment as AgentGate was started with it, nothing of the agent's, and none of the terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import Mapping
from typing import Final

__all__ = ["MOST", "command", "put"]

MOST: Final = 1_000_000
"""Characters that are copied at most."""

_SECONDS: Final = 3.0
"""How long a program may take to read the text."""

_PROGRAMS: Final = (
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
    ("DISPLAY", ("xsel", "--clipboard", "--input")),
)


def command(env: Mapping[str, str], platform: str = sys.platform) -> tuple[str, ...] | None:
    """The program that puts its standard input on the clipboard of the desktop that ``env`` belongs to, found
    on its PATH; None when there is none."""
    choices = [argv for variable, argv in _PROGRAMS if env.get(variable)]
    if platform == "darwin":
        choices = [("pbcopy",)]
    for name, *options in choices:
        if path := shutil.which(name, path=env.get("PATH", "")):
            return (path, *options)
    return None


async def put(text: str) -> bool:
    """Give ``text`` to the desktop's clipboard. Whether a program took it; never raises, never waits long."""
    argv = command(os.environ)
    if argv is None:
        return False
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,  # it stays to serve the clipboard, and would hold ours open
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        await asyncio.wait_for(process.communicate(text.encode("utf-8", "replace")), _SECONDS)
    except (TimeoutError, OSError):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return False
    return process.returncode == 0
