"""Servers of the small world that the names of these tests lie in, and programs that look for them."""

from __future__ import annotations

import contextlib
import functools
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from harness import Worker, World

AGENT = Path(__file__).resolve().parent / "names_agent.py"
POLICY = """\
default: deny
rules:
  - match: {action: exec}
    decision: allow
  - match: {action: net_egress, target_glob: "allowed.test"}
    decision: allow
  - match: {action: net_egress, target_glob: "rebound.test"}
    decision: allow
  - match: {action: net_egress, target_glob: "nowhere.test"}
    decision: allow
"""
_MISSING: dict[int | None, str] = {}


def missing(worker: Worker) -> str:
    """Why there can be no names for this user; empty when there can."""
    if worker.uid not in _MISSING:
        _MISSING[worker.uid] = worker.missing()
    return _MISSING[worker.uid]


def program(world: World, *args: object) -> list[str]:
    """The command line of ``names_agent.py``."""
    return [sys.executable, str(AGENT), *map(str, args)]


class Echo:
    """Listens on ``address`` and answers what it is sent with ``hello `` before it, or with ``answer``."""

    def __init__(self, address: str, port: int = 0, answer: bytes = b"", greets: bytes = b"") -> None:
        self.seen: list[bytes] = []
        self._answer, self._greets = answer, greets
        self._listener = socket.create_server((address, port))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.seen.append(b"")
                threading.Thread(
                    target=functools.partial(self._serve, client, len(self.seen) - 1), daemon=True
                ).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        client.settimeout(10)
        with client, contextlib.suppress(OSError):
            if self._greets:
                client.sendall(self._greets)
            data = client.recv(65536)
            self.seen[number] = data
            client.sendall(self._answer or b"hello " + data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextlib.contextmanager
def serving(address: str, port: int = 0, answer: bytes = b"", greets: bytes = b"") -> Iterator[Echo]:
    server = Echo(address, port, answer, greets)
    try:
        yield server
    finally:
        server.close()


def looked_up(notices: list[str]) -> list[str]:
    """The names that were really looked up, in order."""
    return [notice.removeprefix("lookup ") for notice in notices if notice.startswith("lookup ")]
