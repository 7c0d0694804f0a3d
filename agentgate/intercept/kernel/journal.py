"""What the warden tells the app: decisions in batches, questions at once, and never by waiting."""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from dataclasses import replace
from typing import Any

from agentgate.actions import Action, Answer, Process, Ruling
from agentgate.intercept.kernel.link import pack

__all__ = ["Journal", "shown"]

_BATCH = 256
_TARGET_MAX, _ARGV_MAX = 16_384, 256  # of a command line, on screen and in the record


class Journal:
    """The warden's outgoing side. ``broken`` once the app is gone; nothing more is sent then."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._out: deque[bytes] = deque()
        self._rows: list[list[Any]] = []
        self._chains: dict[int, tuple[int, tuple[Process, ...]]] = {}
        self._rulings: dict[int, tuple[Ruling, list[Any]]] = {}
        self.broken = False

    @property
    def waiting(self) -> bool:
        """Whether there are bytes that the socket did not take yet."""
        return bool(self._out)

    def record(self, action: Action, answer: Answer) -> None:
        """A decision for the audit log. Goes out with the next batch."""
        key = id(action.chain)
        known = self._chains.get(key)
        if known is None:
            # the chain stands once in a batch, and the batch keeps it alive, so the id stays its own
            known = len(self._chains), action.chain
            self._chains[key] = known
        self._rows.append(
            [
                time.time(), action.kind, action.target, action.origin, action.syscall, action.cwd,
                action.argv, known[0], self._ruling(answer.ruling), answer.verdict, answer.source,
                answer.note,
            ]
        )  # fmt: skip
        if len(self._rows) >= _BATCH:
            self.flush()

    def _ruling(self, ruling: Ruling) -> list[Any]:
        known = self._rulings.get(id(ruling))
        if known is None or known[0] is not ruling:
            if len(self._rulings) > 1024:
                self._rulings.clear()
            known = self._rulings[id(ruling)] = (ruling, ruling.to_wire())
        return known[1]

    def flush(self) -> None:
        """Send what was recorded."""
        if self._rows:
            chains = [[process.to_wire() for process in chain] for _, chain in self._chains.values()]
            self.send({"type": "decided", "chains": chains, "rows": self._rows})
            self._rows, self._chains = [], {}
        self.push()

    def send(self, message: dict[str, Any]) -> None:
        if not self.broken:
            self._out.append(pack(message))
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
    return replace(action, target=target, argv=tuple(kept))
