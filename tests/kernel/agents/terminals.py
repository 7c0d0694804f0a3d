"""Opens a pseudo-terminal, says its number, closes it; when a line comes opens the slave of that number."""

from __future__ import annotations

import errno
import os

master, slave = os.openpty()
name = os.ttyname(slave)
os.close(os.open(name, os.O_WRONLY | os.O_NOCTTY))  # its own: no question
os.close(slave)
os.close(master)
print(name, flush=True)
while not os.path.exists("go"):
    os.sched_yield()
try:
    descriptor = os.open(name, os.O_WRONLY | os.O_NOCTTY)
    os.write(descriptor, b"\x1b]0;hello from inside\x07")
    print("written", flush=True)
except OSError as error:
    print(errno.errorcode[error.errno or 0], flush=True)
