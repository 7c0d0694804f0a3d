"""One run of the control room in this process: the terminal it needs, the signals that end it, its status."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys

from textual import constants

from agentgate.audit.ending import at_the_end
from agentgate.configdir import config_directory
from agentgate.session import Session
from agentgate.settings import Settings
from agentgate.statedir import state_directory
from agentgate.terminal import alone
from agentgate.tui import crash
from agentgate.tui.app import GATE_LOST, ControlRoom
from agentgate.tui.config import Config, load
from agentgate.tui.launch import summary, terminal_output

__all__ = ["run", "run_tui"]

WIDEST = 160
"""Columns of what is said at the end."""

ESCAPE_SECONDS = 0.025
"""How long an escape may turn out to be the begin of another key's sequence."""


def run_tui(session: Session, config: Config | None = None) -> int:
    """Run the session in the control room until it is left; returns the exit status, the agent's.

    Raises what ``session.start`` raises (GateUnavailable, OSError), after the screen is restored.
    """
    with terminal_output(), alone():
        return asyncio.run(_run(session, config or Config()))


async def _run(session: Session, config: Config) -> int:
    if "ESCDELAY" not in os.environ:  # Textual's 100 ms would be felt at every escape in vim
        constants.ESCAPE_DELAY = ESCAPE_SECONDS  # type: ignore[misc]
    app = ControlRoom(session, config)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, app.end_by_signal, number)
    try:
        status = await app.run_async()
    except Exception as error:
        app.failure = app.failure or error
        status = None
    finally:
        await session.close()
    if app.start_error is not None:
        raise app.start_error
    if app.failure is not None:
        log = crash.leave_log(app.failure, state_directory(session.settings.env))
        with contextlib.suppress(OSError):
            print(crash.line(app.failure, log), file=sys.stderr, flush=True)
    if app.failure is not None or status is None:
        return GATE_LOST
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(summary(app.state, session.settings.audit), flush=True)
        for line in _what_happened(session):
            print(f"  {line}", flush=True)
    return status


def _what_happened(session: Session) -> list[str]:
    cells = min(shutil.get_terminal_size().columns, WIDEST) - 2
    settings, log = session.settings, session.audit
    return at_the_end(settings.audit, session.id, log.begin, log.written, settings.project, cells)


def run(settings: Settings) -> int:
    """`run_tui` on a new session. Raises ConfigError, PolicyError or OSError when its configuration or its
    policy cannot be loaded."""
    given = settings.config
    config = load(given or config_directory(settings.env) / "config.toml", must=given is not None)
    return run_tui(Session(settings), config)
