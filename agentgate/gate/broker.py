"""The gate's unix socket: shims ask here whether their command may run.

Newline-delimited JSON, one object per line, any number of requests per connection, one at a time:

    {"token": "...", "kind": "exec", "program": "/usr/bin/npm", "argv": ["npm", "install"], "cwd": "/p"}
    {"verdict": "allow"}
    {"verdict": "deny", "why": "rule 3: ...", "message": "agentgate: denied exec npm install (rule 3: ...)"}

A connection counts only from this user (SO_PEERCRED) and with the session's token; who asks is the
kernel's word, never the request's. What is malformed, too long or of another user gets a deny and is cut
off. A client that goes away (or closes its sending side) withdraws its question. No error ends in allow.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
from collections import OrderedDict
from dataclasses import replace

from agentgate.actions import Action, Decision, Kind, Process, Verdict
from agentgate.escape import printable
from agentgate.gate.command import Approved, Places
from agentgate.gate.entrance import Entrance
from agentgate.gate.events import Notice
from agentgate.gate.lineage import lineage, parent_and_start
from agentgate.gate.peer import peer_of
from agentgate.gate.private import SOCKET, private_directory
from agentgate.gate.request import LIMIT, BadRequest, allow, deny, parse
from agentgate.intent.words import for_action

__all__ = ["Broker"]

_CLIENTS = 1024
_REMEMBERED = 4096
_SHOWN = 400  # characters of a command in a refusal


class Broker:
    """``gate`` decides. ``places`` says which programs go by their bare names. ``directory`` holds the
    socket; without one a private directory is made, and removed by ``close``."""

    def __init__(self, gate: Entrance, *, places: Places | None = None, directory: str | None = None) -> None:
        self._gate = gate
        self._places = places or Places()
        self._directory = directory
        self._made: str | None = None
        self._path = ""
        self._token = secrets.token_urlsafe(32)
        self._server: asyncio.Server | None = None
        self.clients: set[_Client] = set()
        # What each process was allowed to become, by pid and start time: an execve changes neither.
        self._approved: OrderedDict[tuple[int, int], Approved] = OrderedDict()
        self._warned = False

    async def start(self) -> str:
        """Listen; returns the socket's path. Raises OSError."""
        if self._directory is None:
            self._directory = self._made = private_directory(os.environ)
        self._path = os.path.join(self._directory, SOCKET)
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Client(self), self._path, backlog=512
        )
        os.chmod(self._path, 0o600)
        return self._path

    def environment(self) -> dict[str, str]:
        """What a shim needs to ask here."""
        return {"AGENTGATE_SOCKET": self._path, "AGENTGATE_TOKEN": self._token}

    async def close(self) -> None:
        """Cut every client off (each sees a refusal) and remove the socket. Safe to call twice."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for client in list(self.clients):
            client.abort()
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        if self._made:
            shutil.rmtree(self._made, ignore_errors=True)

    def approve(self, pid: int, program: str, argv: tuple[str, ...]) -> None:
        """``pid`` runs a command that was decided elsewhere: the agent itself, by its operator."""
        known = parent_and_start(pid)
        if known:
            self._remember(pid, known[1], program, argv)

    def _remember(self, pid: int, start: int, program: str, argv: tuple[str, ...]) -> None:
        self._approved[pid, start] = Approved(program, argv)
        self._approved.move_to_end((pid, start))
        while len(self._approved) > _REMEMBERED:
            self._approved.popitem(last=False)

    def _chain(self, pid: int) -> tuple[Process, ...]:
        """The asking process and its ancestors up to the agent, under the names they were decided by.

        The asking process stands as it was before it became a shim: as what it was allowed to be before,
        else as the copy of its parent that fork made.
        """
        chain = [self._as_decided(process) for process in lineage(pid, {os.getpid()})]
        if chain and (chain[0].pid, chain[0].start) not in self._approved:
            parent = chain[1] if len(chain) > 1 else Process(0)
            chain[0] = replace(chain[0], argv=parent.argv, exe=parent.exe)
        return tuple(chain)

    def _as_decided(self, process: Process) -> Process:
        approved = self._approved.get((process.pid, process.start))
        if approved is None:
            return process
        return replace(process, argv=self._places.words(approved.program, approved.argv))

    async def decide(self, line: bytes, pid: int) -> bytes:
        """The reply to one request of process ``pid``. Raises BadRequest; cancelling withdraws."""
        request = parse(line, self._token)
        chain = self._chain(pid)
        start = chain[0].start if chain else 0
        words = self._places.words(request.program, request.argv)
        action = Action(
            kind=Kind.EXEC,
            target=" ".join(words),
            argv=words,
            cwd=_cwd(pid) or request.cwd,
            chain=chain,
            syscall="execve",
        )
        action = action._replace(intent=for_action(action))
        before = self._approved.get((pid, start)) if start else None
        if (
            before
            and before.continues_as(request.program, request.argv)
            and self._gate.decider.rule(action).decision is not Decision.DENY
        ):
            return allow()  # the same command, still on its way, and policy does not forbid the interpreter
        answer = await self._gate.decide(action, "shim")
        if answer.verdict is not Verdict.ALLOW:
            return deny(printable(answer.why), printable(action.target, _SHOWN))
        if start:
            self._remember(pid, start, request.program, request.argv)
        return allow()

    def suspect(self, pid: int, why: str) -> None:
        """Tell the operator, once, that something speaks to the socket that should not."""
        if not self._warned:
            self._warned = True
            self._gate.post(Notice(f"refused a client of the gate's socket (pid {pid}): {why}"))


def _cwd(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/cwd") if pid else ""
    except OSError:
        return ""


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._pid = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._broker.clients.add(self)
        try:
            connection: socket.socket = transport.get_extra_info("socket")._sock
            peer = peer_of(connection)
        except OSError as error:
            self._refuse(str(error))
            return
        self._pid = peer.pid
        if peer.uid != os.geteuid():
            self._refuse(f"user {peer.uid} is not the one who runs this session")
        elif len(self._broker.clients) > _CLIENTS:
            self._refuse(f"more than {_CLIENTS} commands wait already")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > LIMIT:
            self._refuse(f"the request is longer than {LIMIT} bytes")
            return
        self._next()

    def _next(self) -> None:
        if self._task is not None:
            return
        end = self._buffer.find(b"\n")
        if end >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._task = asyncio.get_running_loop().create_task(self._serve(line))

    async def _serve(self, line: bytes) -> None:
        try:
            reply = await self._broker.decide(line, self._pid)
        except BadRequest as error:
            self._refuse(str(error))
            return
        except Exception as error:
            self._refuse(f"the gate failed: {type(error).__name__}: {printable(str(error), _SHOWN)}")
            return
        self._task = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(reply)
            self._next()

    def _refuse(self, why: str) -> None:
        self._broker.suspect(self._pid, why)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(deny(why))
            self._transport.close()
        self._withdraw()

    def _withdraw(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def connection_lost(self, exc: Exception | None) -> None:  # asyncio calls this at end of file too
        self._broker.clients.discard(self)
        self._withdraw()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._withdraw()
