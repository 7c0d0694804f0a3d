"""Copying to the desktop, with programs that stand in for wl-copy and the like on the PATH."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agentgate.tui.terminal import clipboard

pytestmark = pytest.mark.timeout(30)


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7")
    monkeypatch.delenv("DISPLAY", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("env", "there", "argv"),
    [
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, "wl-copy xclip xsel", "wl-copy"),
        ({"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, "xclip xsel", "xclip -selection clipboard"),
        ({"DISPLAY": ":0"}, "wl-copy xsel", "xsel --clipboard --input"),
        ({"DISPLAY": ":0"}, "wl-copy pbcopy", None),
        ({}, "wl-copy xclip xsel", None),
    ],
)
def test_the_program_is_the_desktops(
    tmp_path: Path, env: dict[str, str], there: str, argv: str | None
) -> None:
    for name in there.split():
        program(tmp_path, name, "true")
    found = clipboard.command({**env, "PATH": str(tmp_path)}, "linux")
    assert found == (None if argv is None else (str(tmp_path / argv.split()[0]), *argv.split()[1:]))


def test_on_a_mac_it_is_pbcopy(tmp_path: Path) -> None:
    path = program(tmp_path, "pbcopy", "true")
    assert clipboard.command({"PATH": str(tmp_path)}, "darwin") == (str(path),)


async def test_the_program_gets_the_text_and_no_terminal(desktop: Path) -> None:
    program(desktop, "wl-copy", f"cat > {desktop}/got; (tty < /dev/tty) > {desktop}/tty 2>&1; true")
    assert await clipboard.put("a\n你\ud800")
    assert (desktop / "got").read_text() == "a\n你?"
    assert not (desktop / "tty").read_text().startswith("/dev/")


async def test_a_program_that_stays_to_serve_the_clipboard_keeps_nobody_waiting(desktop: Path) -> None:
    program(desktop, "wl-copy", f"cat > {desktop}/got; sleep 5 & echo $! > {desktop}/pid")
    began = time.monotonic()
    assert await clipboard.put("text")
    assert time.monotonic() - began < 4
    os.kill(int((desktop / "pid").read_text()), 9)


@pytest.mark.parametrize("script", ["exec sleep 60", "exit 3", "exec < /dev/null; exit 1"])
async def test_a_program_that_hangs_or_fails_is_no_end(
    desktop: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setattr(clipboard, "_SECONDS", 0.3)
    program(desktop, "wl-copy", script)
    assert not await clipboard.put("x" * 1_000_000)


async def test_without_a_program_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert not await clipboard.put("x")
