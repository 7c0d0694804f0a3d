"""What is left of a room that failed: the traceback in a file of the operator's own, and its path.

The agent was ended and everything that waited denied by then; nobody is served by a traceback on the screen,
and its words may be the agent's.
"""

from __future__ import annotations

import contextlib
import os
import platform
import time
import traceback
from pathlib import Path

import textual

from agentgate import __version__
from agentgate.escape import printable

__all__ = ["KEPT", "leave_log", "line"]

KEPT = 10
"""Files that are kept; the oldest give way."""


def leave_log(error: BaseException, folder: Path) -> Path | None:
    """Write what is known of ``error`` into a new file in ``folder`` that its owner alone may read; None when
    that cannot be done."""
    name = time.strftime("crash-%Y%m%d-%H%M%S-") + f"{os.getpid()}.log"
    head = f"agentgate {__version__}, textual {textual.__version__}, python {platform.python_version()}\n"
    text = head + platform.platform() + "\n\n" + "".join(traceback.format_exception(error))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return None
    for old in sorted(folder.glob("crash-*.log"))[:-KEPT]:
        with contextlib.suppress(OSError):
            old.unlink()
    return path


def line(error: BaseException, log: Path | None) -> str:
    """What is said on the operator's terminal."""
    what = printable(f"{type(error).__name__}: {error}", 200)
    where = f"the details are in {log}" if log else "its details could not be written anywhere"
    return f"agentgate: the control room failed ({what}); what waited was denied, the agent is ended; {where}"
