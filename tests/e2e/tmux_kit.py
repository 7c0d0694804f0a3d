"""A tmux server of a test's own, with the installed ``agentgate`` on its one screen."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

AGENTGATE = Path(sys.executable).with_name("agentgate")
LEADER = "C-]"
PATIENCE = 40.0


def need_tmux_and_script() -> None:
    """Skip, naming what is missing."""
    if not shutil.which("tmux"):
        pytest.skip("tmux is not installed")
    if not AGENTGATE.exists():
        pytest.skip(f"agentgate is not installed beside {sys.executable}")


class World:
    """A home and, in it, a project; nothing of this user's own settings takes part. Both lie outside the
    directories for temporary files, which the built-in rules let the agent write."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.project = self.home / "project"
        self.project.mkdir(parents=True)
        self.audit = self.project / ".agentgate" / "audit.jsonl"
        kept = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "NODE_"))
        }
        self.env = kept | {
            "HOME": str(self.home),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "PS1": "ready$ ",
            "HISTFILE": "",
        }


@contextlib.contextmanager
def world_outside_tmp() -> Iterator[World]:
    """A world of a test's own, not below /tmp: the built-in rules let the agent write there."""
    need_tmux_and_script()
    base = Path("/var/lib" if os.geteuid() == 0 else Path.home())
    root = base / f"agentgate-e2e-{os.getpid()}-{time.time_ns()}"
    root.mkdir(mode=0o700)
    try:
        yield World(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


class Tmux:
    """``command`` runs in ``world``'s project on a screen of ``width`` x ``height``; when it ends, its
    status is shown as ``[status N]`` and the screen stays."""

    def __init__(self, world: World, command: list[str], width: int, height: int) -> None:
        self._name = f"agentgate-{os.getpid()}-{secrets.token_hex(3)}"
        self._env = world.env | {"TMUX_TMPDIR": str(world.root)}
        shown = 'env "$@"; echo "[status $?]"; exec sleep 600'
        given = [f"{name}={value}" for name, value in world.env.items()]
        # fmt: off
        self._tmux(
            "-f", os.devnull, "new-session", "-d", "-s", "main", "-x", str(width), "-y", str(height),
            "-c", str(world.project), "--", "sh", "-c", shown, "sh", *given, *command,
        )
        # fmt: on

    def _tmux(self, *words: str) -> str:
        run = subprocess.run(
            ["tmux", "-u", "-L", self._name, *words],
            env=self._env,
            capture_output=True,
            encoding="utf-8",
            timeout=20,
        )
        assert run.returncode == 0, f"tmux {words}: {run.stderr}"
        return run.stdout

    def __enter__(self) -> Tmux:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self._tmux("kill-server")

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "main")

    @property
    def size(self) -> tuple[int, int]:
        width, height = self._tmux(
            "display-message", "-p", "-t", "main", "#{pane_width} #{pane_height}"
        ).split()
        return int(width), int(height)

    @property
    def shell(self) -> int:
        """The pid of the shell that runs the command."""
        return int(self._about("#{pane_pid}"))

    def _about(self, what: str) -> str:
        return self._tmux("display-message", "-p", "-t", "main", what)

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names of them."""
        self._tmux("send-keys", "-t", "main", *names)

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-t", "main", "-x", str(width), "-y", str(height))

    def click(self, x: int, y: int) -> None:
        """Press and release the left button at column ``x`` of row ``y``, from 0, as a terminal says it."""
        for end in "Mm":
            self._tmux("send-keys", "-t", "main", "-l", f"\x1b[<0;{x + 1};{y + 1}{end}")

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-t", "main", "-l", text)
        self.keys("Enter")

    def wait(self, condition: str | Callable[[], object], seconds: float = PATIENCE) -> str:
        """Until the text is on the screen, or the condition holds; returns the screen."""
        end = time.monotonic() + seconds
        while True:
            screen = self.screen
            if condition in screen if isinstance(condition, str) else condition():
                return screen
            assert time.monotonic() < end, f"not seen: {condition}\n{screen}"
            time.sleep(0.1)

    def wait_alert(self, target: str) -> None:
        """Until the alert line of a narrow screen, the last but one, names ``target``."""
        self.wait(lambda: target in self.screen.splitlines()[-2])

    def verdict(self, key: str) -> None:
        """Answer what waits. Only a key that the room says came too early is pressed again: any other
        second press would be for the next question."""
        self.wait("1 waiting")
        for _ in range(10):
            time.sleep(0.9)
            self.keys(LEADER, key)
            time.sleep(0.3)
            if "read it first" not in self.screen:
                return
        raise AssertionError(self.screen)


def children(pid: int) -> list[int]:
    """The children of ``pid``, oldest first."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def descendants(pid: int) -> list[int]:
    """The children of ``pid``, theirs, and so on."""
    found = children(pid)
    for child in found:
        found += children(child)
    return found


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
