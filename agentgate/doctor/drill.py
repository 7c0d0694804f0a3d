"""The most convincing probe: a tiny real session, seen from outside.

Its program (``drilled.py``) tries to write, to connect, to start a program, to send a datagram, to signal
us. For each of what must be asked it is looked at whether the effect was still absent when the question
came, whether the refusal arrived as an errno, and whether the effect is absent at the end; an allowed write
and an allowed connection must have happened. Last the warden is killed in the middle of a held write.

Everything happens in a new temporary directory and on loopback, and is gone afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from agentgate.actions import Kind, Verdict
from agentgate.audit.read import Log
from agentgate.doctor import drilled
from agentgate.gate.events import Ask, Asked
from agentgate.intercept.kernel import caps
from agentgate.intercept.kernel.abi import number_of
from agentgate.session import Session
from agentgate.settings import GateChoice, Settings

__all__ = ["drill"]

_T = TypeVar("_T")
_REFUSED = ("EACCES", "EPERM")
_PATIENCE = 10.0  # seconds for each stage
_POLICY = "default: ask\n"


def drill(folder: str, gate: GateChoice = GateChoice.KERNEL) -> dict[str, dict[str, Any]]:
    """Findings, as JSON objects, by what was tried, in an empty ``folder``. Raises GateUnavailable or
    OSError when no session starts, or when it gets stuck. Call in a process of its own: it becomes a
    subreaper and changes its directory."""
    os.chdir(folder)
    return asyncio.run(_Drill(Path(folder), gate).run())


class _Drill:
    def __init__(self, root: Path, gate: GateChoice) -> None:
        self._root = root
        self._gate = gate
        self._outside, self._late = root / "outside", root / "late"
        self._project = root / "project"
        for name in ("project", "home"):
            (root / name).mkdir()
        self._secret = root / "home" / ".ssh" / "id_ed25519"
        self._secret.parent.mkdir()
        self._secret.write_text("no secret at all\n")
        (root / "policy.yaml").write_text(_POLICY)
        self._sockets = contextlib.ExitStack()
        self._shut, self._open, self._unix, self._udp = (self._socket(*kind) for kind in (
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            (socket.AF_UNIX, socket.SOCK_STREAM, "socket"),  # the whole path may be too long, unix(7)
            (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
        ))  # fmt: skip
        self._early: dict[str, bool] = {}  # of what was asked: whether its effect was there already
        self._late_asked = asyncio.Event()
        self._root_pid = 0

    def _socket(self, family: int, kind: int, address: Any) -> socket.socket:
        made = self._sockets.enter_context(socket.socket(family, kind))
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen(8)
        return made

    async def run(self) -> dict[str, dict[str, Any]]:
        order = {
            "outside": str(self._outside), "inside": str(self._project / "inside"), "late": str(self._late),
            "port": self._shut.getsockname()[1], "open_port": self._open.getsockname()[1],
            "udp_port": self._udp.getsockname()[1], "socket": "../socket", "pid": os.getpid(),
            "secret": str(self._secret), "openat2": number_of("openat2"),
            "io_uring_setup": number_of("io_uring_setup"),
        }  # fmt: skip
        command = (sys.executable, "-I", "-S", drilled.__file__, json.dumps(order))
        env = {"PATH": os.defpath, "HOME": str(self._root / "home"), "LANG": "C.UTF-8"}
        settings = Settings(
            command, "doctor", self._project, self._root / "audit.jsonl",
            policy=str(self._root / "policy.yaml"), gate=self._gate, env=env,
        )  # fmt: skip
        session = Session(settings)
        operator = asyncio.create_task(self._operator(session))
        read, write = os.pipe2(os.O_CLOEXEC)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            start = session.start((null, write, null), controlling=False)
            self._root_pid = await _soon(start, "start")
            os.close(write)
            write = -1
            said = await _soon(asyncio.to_thread(_line, read), "come to an end")
            if not said:
                raise OSError(0, "the program of a small session ended before it had tried everything")
            lost = await self._lose_the_gate()
            await session.close()
            return self._judge(json.loads(said), lost)
        finally:
            operator.cancel()
            await session.close()
            for descriptor in (read, write, null):
                if descriptor >= 0:
                    os.close(descriptor)
            self._sockets.close()

    # -- the operator

    async def _operator(self, session: Session) -> None:
        events = session.hub.subscribe()
        while True:
            event = await events.get()
            if isinstance(event, Asked):
                verdict = self._verdict(event.ask)
                if verdict is not None:
                    session.gate.answer(event.ask.number, verdict)

    def _verdict(self, ask: Ask) -> Verdict | None:
        action = ask.action
        name = self._name(action.kind, action.target)
        if name == "late":
            self._late_asked.set()
            return None
        if name:
            self._early[name] = self._there(name)
        return Verdict.ALLOW if name in ("command", "performed", "connected") else Verdict.DENY

    def _name(self, kind: Kind, target: str) -> str:
        """Which of the attempts a question is about."""
        if kind is Kind.EXEC:
            return "command" if drilled.__file__ in target else "programs"
        return {
            str(self._outside): "files",
            str(self._project / "inside"): "performed",
            str(self._late): "late",
            str(self._secret): "reads",
            f"127.0.0.1:{self._shut.getsockname()[1]}": "connections",
            f"127.0.0.1:{self._open.getsockname()[1]}": "connected",
            f"unix:{self._root / 'socket'}": "unix",
        }.get(target, "")

    def _there(self, name: str) -> bool:
        """Whether the effect of an attempt can be seen."""
        match name:
            case "files":
                return self._outside.exists()
            case "performed":
                return (self._project / "inside").exists()
            case "connections" | "connected" | "unix" | "udp":
                sockets = {
                    "connections": self._shut,
                    "connected": self._open,
                    "unix": self._unix,
                    "udp": self._udp,
                }
                return _readable(sockets[name].fileno(), 0)
        return False

    # -- the end of the gate

    async def _lose_the_gate(self) -> bool:
        """Kill the warden while a write is held: whether the program ended, and the write never was."""
        try:
            await asyncio.wait_for(self._late_asked.wait(), _PATIENCE / 2)
        except TimeoutError:
            return False
        program = os.pidfd_open(self._root_pid)
        try:
            warden = _parent(self._root_pid)
            if warden == os.getpid():
                return False
            os.kill(warden, signal.SIGKILL)
            ended = await asyncio.to_thread(_readable, program, 5.0)
        finally:
            os.close(program)
        return ended and not self._late.exists()

    # -- what came of it

    def _judge(self, said: dict[str, Any], lost: bool) -> dict[str, dict[str, Any]]:
        denied = {
            record.action.target
            for record in (entry.record for entry in Log(self._root / "audit.jsonl"))
            if record.answer.verdict is Verdict.DENY
        }
        asked = {
            name: self._held(name, said[name])
            for name in ("files", "connections", "unix", "programs", "reads")
        }
        recorded = str(self._outside) in denied and any(target.endswith("exit 7") for target in denied)
        kept = sum(1 << capability for capability in caps.KEPT)
        return asked | {
            "performed": self._done("performed", said["performed"]),
            "connected": self._done("connected", said["connected"]),
            "udp": _found(not self._there("udp"), "a datagram left the session", said["udp"]),
            "names": _found(said["names"].startswith("198.1"), f"a lookup came to {said['names']}"),
            "signals": _found(said["signals"] in _REFUSED, f"a signal to us came to {said['signals']}"),
            "memory": _found(said["memory"] in _REFUSED, f"opening our memory came to {said['memory']}"),
            "io_uring": _found(said["io_uring"] == "ENOSYS", f"io_uring_setup came to {said['io_uring']}"),
            "openat2": _found(said["openat2"] == "ENOSYS", f"openat2 came to {said['openat2']}"),
            "root": _found(not said["root"] & ~kept, f"capabilities {said['root']:x} were left"),
            "lost": _found(lost, "the program outlived the gate, or did what was held"),
            "record": _found(recorded, "a refusal is not in the record"),
        }  # fmt: skip

    def _held(self, name: str, result: str) -> dict[str, Any]:
        if name not in self._early:
            return _found(False, f"it was not asked about, and came to {result}")
        if self._early[name] or self._there(name):
            return _found(False, "it had its effect though it was denied")
        return _found(result in _REFUSED, f"a denied one came to {result}")

    def _done(self, name: str, result: str) -> dict[str, Any]:
        ok = result == "ok" and self._early.get(name) is False and self._there(name)
        return _found(ok, f"an allowed one was not asked about, or not carried out ({result})")


async def _soon(work: Coroutine[Any, Any, _T], what: str) -> _T:
    try:
        return await asyncio.wait_for(work, _PATIENCE)
    except TimeoutError:
        raise OSError(0, f"a small session did not {what} within {_PATIENCE:g} s") from None


def _found(ok: bool, why: str, value: Any = None) -> dict[str, Any]:
    return {"ok": ok, "why": "" if ok else why, "value": value}


def _readable(descriptor: int, seconds: float) -> bool:
    return bool(select.select([descriptor], [], [], seconds)[0])


def _line(descriptor: int) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        more = os.read(descriptor, 1 << 16)
        if not more:
            break
        data += more
    return data


def _parent(pid: int) -> int:
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])
