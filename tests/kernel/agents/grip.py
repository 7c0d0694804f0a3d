"""An agent that reaches for other processes: ``grip.py PID,... [gated]`` tries to slow, read,
write and end them. Prints one JSON object: what each try came to ("done", or the name of the errno)."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable

libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
IOPRIO_SET = 251 if X86 else 30
PROCESS_MADVISE, MRELEASE, PIDFD_OPEN, PIDFD_GETFD, PIDFD_SIGNAL = 440, 448, 434, 438, 424
MIGRATE_PAGES = 256 if X86 else 238
KCMP = 312 if X86 else 272
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
PRIO_PGRP, PRIO_USER = 1, 2


class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def call(number: int, *args: int) -> int:
    result = libc.syscall(number, *map(ctypes.c_long, args))
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return int(result)


def ptrace(request: int, pid: int) -> None:
    if libc.ptrace(ctypes.c_long(request), ctypes.c_long(pid), None, None) < 0:
        raise OSError(ctypes.get_errno(), "")


def move_memory(name: str, pid: int) -> None:
    """process_vm_readv(2) and writev of eight bytes at the start of the stack."""
    with open(f"/proc/{pid}/maps") as maps:
        address = next(int(line.split("-")[0], 16) for line in maps if line.rstrip().endswith("[stack]"))
    ours = ctypes.create_string_buffer(8)
    local = Vector(ctypes.addressof(ours), 8)
    remote = Vector(address, 8)
    if getattr(libc, name)(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "")


def write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)


def descriptor_of(pid: int) -> None:
    call(PIDFD_GETFD, call(PIDFD_OPEN, pid, 0), 0, 0)


def read(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.pread(descriptor, 8, 4096)
    os.close(descriptor)


def schedule(pid: int) -> None:
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def attributes(pid: int) -> None:
    # struct sched_attr: size, policy SCHED_IDLE
    data = ctypes.create_string_buffer(struct.pack("=IIQiIQQQ", 48, 5, 0, 0, 0, 0, 0, 0))
    call(314 if X86 else 274, pid, ctypes.addressof(data), 0)


HARMLESS: dict[str, Callable[[int], object]] = {
    "limit": lambda pid: resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0)),
    "files": lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (900, 900)),
    "nice": lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 19),
    "affinity": lambda pid: os.sched_setaffinity(pid, {min(os.sched_getaffinity(pid))}),
    "io": lambda pid: call(IOPRIO_SET, 1, pid, 3 << 13),
    "scheduler": schedule,
    "scheduler attributes": attributes,
    "signal": lambda pid: os.kill(pid, signal.SIGWINCH),
    "signal by pidfd": lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGWINCH),
    "oom score": lambda pid: write(f"/proc/{pid}/oom_score_adj", "500"),
    "coredump filter": lambda pid: write(f"/proc/{pid}/coredump_filter", "0x33"),
    "clear refs": lambda pid: write(f"/proc/{pid}/clear_refs", "1"),
    "name": lambda pid: write(f"/proc/{pid}/comm", "taken"),
    "slack": lambda pid: write(f"/proc/{pid}/timerslack_ns", "60000"),
    "autogroup": lambda pid: write(f"/proc/{pid}/autogroup", "19"),
    "compare": lambda pid: call(KCMP, os.getpid(), pid, 0, 0, 0),
    "memory": lambda pid: read(f"/proc/{pid}/mem"),
    "environment": lambda pid: read(f"/proc/{pid}/environ"),
    "read": lambda pid: move_memory("process_vm_readv", pid),
    "write": lambda pid: move_memory("process_vm_writev", pid),
    "descriptor": descriptor_of,
    "descriptors": lambda pid: os.listdir(f"/proc/{pid}/fd"),
    "first descriptor": lambda pid: read(f"/proc/{pid}/fd/0"),
}
BY_FORCE: dict[str, Callable[[int], object]] = {
    "stop": lambda pid: os.kill(pid, signal.SIGSTOP),
    "trace": lambda pid: ptrace(PTRACE_ATTACH, pid),
    "seize": lambda pid: ptrace(PTRACE_SEIZE, pid),
    "group": lambda pid: os.killpg(os.getpgid(pid), signal.SIGSTOP),
    "nice of the group": lambda pid: os.setpriority(PRIO_PGRP, os.getpgid(pid), 19),
    "pages": lambda pid: call(MIGRATE_PAGES, pid, 0, 0, 0),
    "kill": lambda pid: os.kill(pid, signal.SIGKILL),
}
# What would hit others too is never tried without the gate.
BROAD: dict[str, Callable[[int], object]] = {
    "nice of the user": lambda pid: os.setpriority(PRIO_USER, os.getuid(), os.getpriority(PRIO_USER, 0)),
    "everybody": lambda pid: os.kill(-1, signal.SIGCONT),
}


def attempt(name: str, what: Callable[[int], object], pid: int) -> str:
    print(name, pid, file=sys.stderr, flush=True)
    try:
        what(pid)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except Exception as error:
        return repr(error)
    return "done"


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):  # who signals a group it is in hits itself
        os.setsid()
    ways = BY_FORCE | BROAD if "gated" in sys.argv else BY_FORCE
    ways = HARMLESS | ways  # the end comes last
    print(json.dumps({f"{pid} {name}": attempt(name, way, int(pid)) for pid in sys.argv[1].split(",")
                      for name, way in ways.items()}), flush=True)  # fmt: skip
    while "gated" in sys.argv and not os.path.exists("go"):  # until it has been looked at
        os.sched_yield()
