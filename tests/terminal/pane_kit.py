"""What tests of the pane share: an app with a real child in its pane, and one that keeps what it is sent."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from terminal_kit import PaneApp, child, until
from textual.pilot import Pilot

from agentgate.pty import Pty

SIZE = (80, 24)


def program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@contextlib.asynccontextmanager
async def pane(
    *argv: str, cwd: Path | None = None, **env: str
) -> AsyncIterator[tuple[PaneApp, Pilot[None], Pty]]:
    app = PaneApp()
    async with app.run_test(size=SIZE) as pilot:
        pty = Pty.open(24, 80)
        try:
            with child(pty, *argv, cwd=cwd, **env):
                app.pane.attach(pty)
                yield app, pilot, pty
        finally:
            pty.close()


@contextlib.asynccontextmanager
async def listener(tmp_path: Path, modes: str = "") -> AsyncIterator[tuple[PaneApp, Pilot[None], Got]]:
    """A child that sets ``modes`` and keeps every byte it is sent."""
    got = Got(tmp_path / "got")
    script = f"stty raw -echo; printf 'ready{modes}'; exec cat > {got.path}"
    async with pane("sh", "-c", script) as (app, pilot, _):
        await until(lambda: "ready" in app.pane.screen_text())
        yield app, pilot, got


class Got:
    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def bytes(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""

    async def until(self, expected: bytes) -> None:
        await until(lambda: len(self.bytes) >= len(expected), lambda: repr(self.bytes))
        assert self.bytes == expected


def text(app: PaneApp) -> str:
    return app.pane.screen_text()


async def shows(app: PaneApp, wanted: str) -> None:
    await until(lambda: wanted in text(app), lambda: text(app))
