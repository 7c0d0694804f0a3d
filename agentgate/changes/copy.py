"""The content of one open file into another: shared by the file system where it can, copied where not."""

from __future__ import annotations

import errno
import fcntl
import os

__all__ = ["NO_SHARING", "attributes", "fill", "share"]

_FICLONE = 0x40049409  # ioctl_ficlonerange(2)
_PART = 1 << 20
_ATTRIBUTES_MAX = 16_384  # bytes of one

NO_SHARING = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EXDEV, errno.ENOSYS, errno.EPERM)
"""What file systems say that cannot share content between files, or not between these two."""


def share(source: int, target: int) -> bool:
    """Have ``target`` share the content of ``source``, whatever its size at no cost. False: not here."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno not in NO_SHARING:
            raise
        return False
    return True


def fill(source: int, target: int, limit: int) -> int:
    """Copy up to ``limit`` bytes from the beginning of ``source`` to where ``target`` stands; how many there
    were. Raises OSError."""
    done = 0
    wanted = 0
    while done == wanted and done < limit:  # less than asked for is the end of the file
        wanted = min(limit, done + _PART)
        part = os.pread(source, wanted - done, done)
        view = memoryview(part)
        while view:
            view = view[os.write(target, view) :]
        done += len(part)
    return done


def attributes(file: int | str | bytes) -> dict[str, str]:
    """Extended attributes as they can be set again; none where the file system has none."""
    found: dict[str, str] = {}
    try:
        for name in os.listxattr(file):
            value = os.getxattr(file, name)
            if len(value) <= _ATTRIBUTES_MAX:
                found[name] = value.hex()
    except OSError:
        pass
    return found
