"""Reading what may have been put there by anybody: a fifo would be waited for, a device woken."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

__all__ = ["NotRegular", "open_regular"]


class NotRegular(OSError):
    """What is there is no regular file."""


def open_regular(path: str | Path, buffering: int = -1) -> BinaryIO:
    """``path`` opened for reading, if it is a regular file (or a link to one): O_NONBLOCK keeps open(2) from
    waiting for a fifo's writer. ``buffering`` as of open(). Raises NotRegular, or OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    file = open(descriptor, "rb", buffering)  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise NotRegular(0, "not a regular file")
    return file
