"""What the control room's tests share: a real session on the portable gate, questions put to its real
gate, and waits that end when the thing waited for is there."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from textual.pilot import Pilot

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source
from agentgate.audit.record import Record
from agentgate.audit.row import Row
from agentgate.session import Session
from agentgate.settings import GateChoice, Settings
from agentgate.tui.app import ControlRoom
from agentgate.tui.config import Config

POLICY = """\
# the project's rules
default: ask
rules:
  - match: {action: exec, target_glob: "git status*"}
    decision: allow
    reason: looks only
  # installs are looked at
  - match: {action: exec, target_glob: "npm install*"}
    decision: ask
    reason: every install is looked at
  - match: {action: exec}
    decision: allow
"""

INSTALL = Ruling(Decision.ASK, Source.RULE, 2, 8, "every install is looked at")
DEFAULT = Ruling(Decision.ASK, Source.DEFAULT)
GUARD = Ruling(Decision.ASK, Source.GUARD, None, None, "runs at every login or new shell", "shell-startup")


def make_session(tmp_path: Path, *command: str, policy: str | None = POLICY, **changes: object) -> Session:
    """A session that runs ``command`` (default: cat) in ``tmp_path`` on the portable gate."""
    if policy is not None:
        (tmp_path / "policy.yaml").write_text(policy)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AGENTGATE")}
    env |= {"HOME": str(tmp_path), "PS1": "$ ", "BASH_SILENCE_DEPRECATION_WARNING": "1"}
    settings = Settings(
        command=command or ("cat",),
        agent="demo",
        project=tmp_path,
        audit=tmp_path / ".agentgate" / "audit.jsonl",
        gate=GateChoice.SHIM,
        env=env,
        **changes,  # type: ignore[arg-type]
    )
    return Session(settings)


def process(pid: int, *argv: str) -> Process:
    return Process(pid, argv, f"/usr/bin/{argv[0]}", pid * 7)


def install(package: str, pid: int = 4000) -> Action:
    """``npm install PACKAGE``, as an agent's shell would start it."""
    return Action(
        Kind.EXEC,
        f"npm install {package}",
        ("npm", "install", package),
        "/home/me/project",
        (process(pid, "bash", "-c", f"npm install {package}"), process(pid - 900, "claude", "--autonomous")),
        "execve",
        intent=f"install the npm package {package} and run its install scripts",
    )


def write(path: str, pid: int = 4100, **changes: str) -> Action:
    chain = (process(pid, "python3", "build.py"), process(pid - 900, "claude", "--autonomous"))
    return Action(Kind.FS_WRITE, path, (), "/home/me/project", chain, "openat", **changes)


def row_of(record: Record, number: int = 1, session: str = "5e55") -> Row:
    """The record as it is read from a log."""
    row = Row.of(record.to_line(session=session, agent="demo", number=number))
    assert row is not None
    return row


def connect(target: str, pid: int = 4200) -> Action:
    chain = (process(pid, "curl", "-s", f"https://{target}"), process(pid - 900, "claude", "--autonomous"))
    return Action(Kind.NET_EGRESS, target, (), "/home/me/project", chain, "connect")


def ask(
    session: Session, action: Action, ruling: Ruling = DEFAULT, gate: str = "shim", agent: str = ""
) -> asyncio.Task[Answer]:
    """Put a question to the session's gate, as a held process does; the task ends with the answer."""
    return asyncio.create_task(session.gate.ask(action, ruling, gate, agent))


async def until(what: Callable[[], object], pilot: Pilot[int], seconds: float = 15.0) -> None:
    """Wait until ``what`` holds."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"did not happen within {seconds} s"
        await pilot.pause(0.02)


async def armed(app: ControlRoom, pilot: Pilot[int]) -> None:
    """Wait until the verdict keys count for what is shown now."""
    await until(lambda: app.state.armed(time.monotonic()), pilot)


@contextlib.asynccontextmanager
async def room(
    session: Session, size: tuple[int, int] = (120, 36), config: Config | None = None
) -> AsyncIterator[tuple[ControlRoom, Pilot[int]]]:
    """The control room of ``session``, its agent running; everything is ended afterwards."""
    app = ControlRoom(session, config)
    try:
        async with app.run_test(size=size) as pilot:
            await until(lambda: app.state.pid or app.start_error, pilot)
            assert app.start_error is None, app.start_error
            yield app, pilot
    finally:
        await session.close()


def text_of(app: ControlRoom) -> str:
    """The whole screen as text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips(app.size))
