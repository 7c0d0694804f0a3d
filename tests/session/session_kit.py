"""What the session's tests share: real sessions behind the kernel gate, without a screen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from agentgate.agent import AgentRun
from agentgate.gate.events import Ask, Asked, Decided, Event, Notice, PolicyChanged, Settled
from agentgate.session import Session
from agentgate.settings import GateChoice, Settings

PATIENCE = 20.0

POLICY = """\
# the project's rules
default: ask
rules:
  # looks only
  - match: {action: exec, target_glob: ["ls*", "sh *", "sleep *", "setsid *"]}
    decision: allow

  # copies are looked at
  - match: {action: exec, target_glob: "cp *"}   # every one
    decision: ask
    reason: every copy is looked at
  - match: {action: exec, target_glob: "mv *"}
    decision: deny
    reason: nothing is moved here
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
"""


class Desk:
    """One project, and the operator's side of the sessions in it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.project, self.home = self.root / "project", self.root / "home"
        for folder in (self.project, self.home):
            folder.mkdir()
        self.policy = self.project / "policy.yaml"
        self.policy.write_text(POLICY)
        self.audit = self.project / ".agentgate" / "audit.jsonl"
        self.events: list[Event] = []
        self._queue: asyncio.Queue[Event] = asyncio.Queue()

    def session(self, *command: str, **changes: Any) -> Session:
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8"}
        given: dict[str, Any] = {"gate": GateChoice.KERNEL, "env": env} | changes
        session = Session(Settings(command, "test", self.project, self.audit, **given))
        self.events = []
        self._queue = session.hub.subscribe()
        return session

    @contextlib.asynccontextmanager
    async def running(self, script: str, **changes: Any) -> AsyncIterator[Session]:
        """A session of ``sh -c script``; ended afterwards."""
        session = self.session("sh", "-c", script, **changes)
        try:
            await self.start(session)
            yield session
        finally:
            await asyncio.wait_for(session.close(), PATIENCE)

    async def start(self, session: Session) -> int:
        with self._stdio("") as stdio:
            return await asyncio.wait_for(session.start(stdio, controlling=False), PATIENCE)

    async def add(self, session: Session, *command: str) -> AgentRun:
        """One more agent in ``session``: the command, a single word being a script for sh."""
        command = command if len(command) > 1 or command[0].startswith("./") else ("sh", "-c", *command)
        with self._stdio(str(len(session.agents) + 1)) as stdio:
            run = session.prepare(command)
            await asyncio.wait_for(session.add(run, stdio, controlling=False), PATIENCE)
            return run

    @contextlib.contextmanager
    def _stdio(self, number: str) -> Iterator[tuple[int, int, int]]:
        made = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        given = os.open(os.devnull, os.O_RDONLY)
        out, err = (os.open(self.root / f"{name}{number}", made, 0o600) for name in ("out", "err"))
        try:
            yield given, out, err
        finally:
            for descriptor in (given, out, err):
                os.close(descriptor)

    async def heard(self, what: Callable[[Event], bool]) -> Event:
        """The next event that ``what`` holds for."""
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await self._queue.get()
                self.events.append(event)
                if what(event):
                    return event

    async def asked(self) -> Ask:
        event = await self.heard(lambda event: isinstance(event, Asked))
        assert isinstance(event, Asked)
        return event.ask

    def all_events(self) -> list[Event]:
        while not self._queue.empty():
            self.events.append(self._queue.get_nowait())
        return self.events

    def asks(self) -> list[str]:
        return [event.ask.action.target for event in self.all_events() if isinstance(event, Asked)]

    def settled(self) -> list[str]:
        return [
            f"{event.ask.action.target}: {event.answer.verdict} by {event.answer.source}"
            for event in self.all_events()
            if isinstance(event, Settled)
        ]

    def notices(self) -> list[str]:
        return [event.text for event in self.all_events() if isinstance(event, Notice)]

    def policy_news(self) -> list[str]:
        """The errors of the policies that came; an empty one for each that was put in force."""
        return [event.error for event in self.all_events() if isinstance(event, PolicyChanged)]

    def decisions(self) -> int:
        return sum(len(event.records) for event in self.all_events() if isinstance(event, Decided))

    def record(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_bytes().splitlines()]

    @property
    def err(self) -> str:
        return (self.root / "err").read_text()


def alive(pid: int) -> bool:
    """Whether ``pid`` runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def children() -> set[int]:
    """Every process that is ours, ended or not."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
            found |= set(map(int, (task / "children").read_text().split()))
    return found


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


async def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "did not happen"
        await asyncio.sleep(0.02)
