"""System V shared memory, semaphores and message queues (sysvipc(7)): the session's own, and nobody else's.

They have no path and belong to the user, so without this an agent could remove another program's memory or
send to its queue. What is made is made here, so that it is known; what acts on one names it by value, and is
let go when it is known. Somebody else's may be looked at.
"""

from __future__ import annotations

import ctypes
import errno
import os

from agentgate.actions import Kind
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.abi import Abi
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import LET_GO, Effect, LetGo
from agentgate.intercept.kernel.handler import Args, Handler, signed

__all__ = ["Ipc"]

_CREATE, _EXCLUSIVE = 0o1000, 0o2000
_READ_ONLY = 0o10000  # SHM_RDONLY
_FORM = 0x100  # IPC_64, part of the command on some architectures
_MOST = 4096
# The commands of ...ctl(2) that change something: IPC_RMID, IPC_SET and SHM_LOCK, SHM_UNLOCK, SETVAL, SETALL
_CHANGING = {"shm": (0, 1, 11, 12), "sem": (0, 1, 16, 17), "msg": (0, 1)}


class Ipc:
    """``handlers`` by call name. What a process does in an IPC namespace of its own is its own."""

    def __init__(self, abi: Abi) -> None:
        self._numbers = abi.numbers
        self._here = os.readlink("/proc/self/ns/ipc")
        self._own: dict[tuple[str, int], None] = {}
        self.handlers: dict[str, Handler] = {
            "shmget": lambda c, a: self._get(c, "shm", a, a[2]),
            "semget": lambda c, a: self._get(c, "sem", a, a[2]),
            "msgget": lambda c, a: self._get(c, "msg", a, a[1]),
            "shmat": lambda c, a: LET_GO if a[2] & _READ_ONLY else self._use(c, "shm", "shmat", a[0]),
            "semop": lambda c, a: self._use(c, "sem", "semop", a[0]),
            "semtimedop": lambda c, a: self._use(c, "sem", "semop", a[0]),
            "msgsnd": lambda c, a: self._use(c, "msg", "msgsnd", a[0]),
            "msgrcv": lambda c, a: self._use(c, "msg", "msgrcv", a[0]),
            "shmctl": lambda c, a: self._control(c, "shm", a[0], a[1]),
            "semctl": lambda c, a: self._control(c, "sem", a[0], a[2]),
            "msgctl": lambda c, a: self._control(c, "msg", a[0], a[1]),
        }

    def _elsewhere(self, caller: Caller) -> bool:
        return os.readlink(f"/proc/{caller.tid}/ns/ipc") != self._here

    def _get(self, caller: Caller, sort: str, args: Args, flags: int) -> Effect | LetGo:
        if self._elsewhere(caller):
            return LET_GO
        key = signed(args[0])
        number = self._numbers[f"{sort}get"]

        def call(how: int) -> int:
            given = (key, how) if sort == "msg" else (key, args[1], how)
            return libc.call(number, *map(ctypes.c_long, given))

        def perform() -> int:
            if key and not flags & _CREATE:
                return call(flags)
            try:
                made = call(flags | _EXCLUSIVE)
            except OSError as error:
                if error.errno != errno.EEXIST or flags & _EXCLUSIVE:
                    raise
                return call(flags)
            self._own[sort, made] = None
            if len(self._own) > _MOST:
                del self._own[next(iter(self._own))]
            return made

        return Effect(f"{sort}get", perform)

    def _use(self, caller: Caller, sort: str, syscall: str, number: int) -> Effect | LetGo:
        number = signed(number)
        if (sort, number) in self._own or self._elsewhere(caller):
            return LET_GO
        reason = "what is shared without a path belongs to whoever made it"
        return Effect(syscall, lambda: -1, Kind.FS_WRITE, f"sysv:{sort}:{number}", refused=reason)

    def _control(self, caller: Caller, sort: str, number: int, command: int) -> Effect | LetGo:
        if signed(command) & ~_FORM not in _CHANGING[sort]:
            return LET_GO
        return self._use(caller, sort, f"{sort}ctl", number)
