"""Which terminal /dev/tty means to a process (tty(4)): to the warden it means none, or another."""

from __future__ import annotations

import errno
import os

from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.places import Object

__all__ = ["controlling"]


def controlling(caller: Caller) -> Object:
    """The caller's controlling terminal by its own name. Raises OSError (ENXIO) when it has none."""
    with open(f"/proc/{caller.tid}/stat", "rb") as lines:
        data = lines.read(1024)
    number = int(data[data.rindex(b")") + 2 :].split()[4])  # tty_nr, proc_pid_stat(5)
    device = os.makedev((number >> 8) & 0xFFF, (number & 0xFF) | ((number >> 12) & 0xFFF00))
    names = [f"/dev/pts/{os.minor(device)}", f"/dev/tty{os.minor(device)}"]
    for name in [*names, *(f"/proc/{caller.tid}/fd/{descriptor}" for descriptor in range(3))]:
        try:
            if number and os.stat(name).st_rdev == device:
                found = Object(os.open(name, os.O_PATH | os.O_CLOEXEC))
                if found.status.st_rdev == device:
                    return found
                found.close()
        except OSError:
            continue
    raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
