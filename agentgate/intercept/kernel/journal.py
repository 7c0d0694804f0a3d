"""What the warden tells the app: decisions in batches, questions at once, and never by waiting."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from agentgate.actions import Action, Answer, Kind, Process, Ruling, Verdict
from agentgate.intercept.kernel.link import pack

__all__ = ["Journal", "shown"]

_BATCH = 256
_ANSWERS = 1024  # kept, each with the ruling it is for
_FULL = 4 << 20  # bytes that the app did not take yet
_TARGET_MAX, _ARGV_MAX = 16_384, 256  # of a command line, on screen and in the record


# What many decisions share: who acts, with which call, and what was said to it.
_Setting = tuple[tuple[Process, ...], Kind, str, str, tuple[str, ...], Answer]


class Journal:
    """The warden's outgoing side. ``broken`` once the app is gone; nothing more is sent then. ``beside`` is
    called with every batch: what else is to be written at these moments."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._out: deque[bytes] = deque()
        self._rows: list[tuple[float, int, str, str]] = []
        # by the identities of their parts: a batch keeps them alive, so the identities stay their own
        self._settings: dict[tuple[int, str, str, int, int], int] = {}
        self._parts: list[_Setting] = []
        self._size = 0  # bytes in it
        self._answers: dict[int, Answer] = {}
        self.broken = False
        self.beside: Callable[[], None] = lambda: None

    @property
    def full(self) -> bool:
        """Whether the app is so far behind that nothing more should be decided."""
        return self._size > _FULL

    @property
    def waiting(self) -> bool:
        """Whether there are bytes that the socket did not take yet."""
        return bool(self._out)

    def record(self, action: Action, answer: Answer) -> None:
        """A decision for the audit log. Goes out with the next batch."""
        key = (id(action.chain), action.syscall, action.cwd, id(action.argv), id(answer))
        number = self._settings.get(key)
        if number is None:
            number = self._settings[key] = len(self._parts)
            self._parts.append(
                (action.chain, action.kind, action.syscall, action.cwd, action.argv, answer)
            )  # fmt: skip
        self._rows.append((time.time(), number, action.target, action.origin))
        if len(self._rows) >= _BATCH:
            self.flush()

    def allowed(self, action: Action, ruling: Ruling) -> None:
        """Record that ``ruling`` allowed ``action``. One and the same answer for one and the same ruling,
        which is most of the time what the policy made once."""
        known = self._answers.get(id(ruling))
        if known is None or known.ruling is not ruling:
            if len(self._answers) > _ANSWERS:
                self._answers.clear()
            known = self._answers[id(ruling)] = Answer(Verdict.ALLOW, ruling.source, ruling)
        self.record(action, known)

    def flush(self) -> None:
        """Send what was recorded."""
        self.beside()
        if self._rows:
            settings = [
                [[process.to_wire() for process in chain], kind, syscall, cwd, argv, answer.to_wire()]
                for chain, kind, syscall, cwd, argv, answer in self._parts
            ]
            self.send({"type": "decided", "settings": settings, "rows": self._rows})
            self._rows, self._parts, self._settings = [], [], {}
        self.push()

    def send(self, message: dict[str, Any]) -> None:
        if not self.broken:
            data = pack(message)
            self._out.append(data)
            self._size += len(data)
            self.push()

    def push(self) -> None:
        """Write what the socket takes now."""
        while self._out and not self.broken:
            try:
                sent = self._link.send(self._out[0], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except BlockingIOError:
                return
            except OSError:
                self.broken = True
                return
            self._size -= sent
            if sent < len(self._out[0]):
                self._out[0] = self._out[0][sent:]
            else:
                self._out.popleft()

    def finish(self, seconds: float) -> None:
        """Send everything, waiting at most ``seconds``."""
        self.flush()
        self._link.settimeout(seconds)
        with contextlib.suppress(OSError):
            while self._out:
                self._link.sendall(self._out.popleft())


def shown(action: Action) -> Action:
    """``action`` for screen and record. A command line can have two million characters; what is cut says
    so, with its length."""
    if len(action.target) <= _TARGET_MAX and len(action.argv) <= _ARGV_MAX:
        return action
    target, argv = action.target, action.argv
    if len(target) > _TARGET_MAX:
        target = f"{target[:_TARGET_MAX]}… ({len(target) - _TARGET_MAX} more characters)"
    room = _TARGET_MAX
    kept = []
    for word in argv[:_ARGV_MAX]:
        kept.append(word[:room])
        room -= len(word)
        if room <= 0:
            break
    if len(kept) < len(argv):
        kept.append(f"… ({len(argv) - len(kept)} more arguments)")
    return action._replace(target=target, argv=tuple(kept))
