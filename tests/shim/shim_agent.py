"""A real agent behind the real portable gate, for tests: a project, tools on a PATH of its own, a policy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from agentgate.actions import Verdict
from agentgate.gate.decide import Decider
from agentgate.gate.entrance import Entrance
from agentgate.gate.events import Ask, Asked, Decided, Event, Hub, Withdrawn
from agentgate.gate.gate import Gate
from agentgate.gate.guards import Guards
from agentgate.gate.secrets import Secrets
from agentgate.intercept.backend import Launch
from agentgate.intercept.shim.backend import ShimBackend
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher

PATIENCE = 30.0

ECHO = """#!/bin/sh
printf '<%s>' "$@"
cat
echo to stderr >&2
exit 7
"""


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def make_gate(policy: str, project: Path) -> Gate:
    context = Context(str(project), str(project.parent / "home"))
    guards = Guards(home=context.home, project=context.project)
    return Gate(
        Decider(Matcher(load_text(policy, "policy.yaml"), context), guards, Secrets(home=context.home)), Hub()
    )


@dataclass
class World:
    """One test's places. ``agent`` runs a command in ``project`` with ``tools`` first on its PATH."""

    base: Path
    project: Path = field(init=False)
    tools: Path = field(init=False)

    def __post_init__(self) -> None:
        self.project = self.base / "project"
        self.tools = self.base / "tools"
        self.project.mkdir()
        self.tools.mkdir()

    def tool(self, name: str, text: str) -> Path:
        path = self.tools / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def env(self) -> dict[str, str]:
        return {"PATH": f"{self.tools}:/usr/bin:/bin", "HOME": str(self.base), "LC_ALL": "C.UTF-8"}

    @contextlib.asynccontextmanager
    async def agent(
        self, gate: Gate, *command: str | bytes, stdin: bytes = b"", env: dict[str, str] | None = None
    ) -> AsyncIterator[Running]:
        backend = ShimBackend(Entrance(gate, "test"))
        (self.base / "in").write_bytes(stdin)
        with (
            open(self.base / "in", "rb") as given,
            open(self.base / "out", "wb") as out,
            open(self.base / "err", "wb") as err,
        ):
            queue = gate.hub.subscribe()
            words = tuple(os.fsdecode(word) for word in command)
            stdio = (given.fileno(), out.fileno(), err.fileno())
            pid = await backend.start(
                Launch(words, str(self.project), env or self.env(), stdio, controlling=False)
            )
        try:
            yield Running(self, gate, backend, pid, queue)
        finally:
            gate.close("the test ended")
            await asyncio.wait_for(backend.stop(), PATIENCE)

    @property
    def out(self) -> bytes:
        return (self.base / "out").read_bytes()

    @property
    def err(self) -> str:
        return (self.base / "err").read_text()


@dataclass
class Running:
    world: World
    gate: Gate
    backend: ShimBackend
    pid: int
    events: asyncio.Queue[Event]
    seen: list[Event] = field(default_factory=list)

    async def status(self) -> int:
        return await asyncio.wait_for(self.backend.wait(), PATIENCE)

    async def asked(self) -> Ask:
        event = await self._next(Asked)
        assert isinstance(event, Asked)
        return event.ask

    async def withdrawn(self) -> Ask:
        event = await self._next(Withdrawn)
        assert isinstance(event, Withdrawn)
        return event.ask

    async def _next(self, kind: type[Event]) -> Event:
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await self.events.get()
                self.seen.append(event)
                if isinstance(event, kind):
                    return event

    def answer(self, ask: Ask, verdict: Verdict, note: str = "") -> None:
        assert self.gate.answer(ask.number, verdict, note=note)

    def decided(self) -> list[str]:
        """The targets of every decision so far, with their verdicts."""
        while not self.events.empty():
            self.seen.append(self.events.get_nowait())
        return [
            f"{record.answer.verdict} {record.action.target}"
            for event in self.seen
            if isinstance(event, Decided)
            for record in event.records
        ]


def plain(world: World, *command: str | bytes, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The same command without a gate: what it must look like."""
    return subprocess.run(
        command, cwd=world.project, env=world.env(), input=stdin, capture_output=True, timeout=30, check=False
    )
