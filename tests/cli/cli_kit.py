"""What the tests of the command line share: the real program as a subprocess, and an operator's terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import agentgate
from agentgate.tui.terminal.vt import Vt

_LOGIN = "import os, sys; os.login_tty(int(sys.argv[1])); os.execvp(sys.argv[2], sys.argv[2:])"
TOOLS = ("sh", "cat", "ls", "head", "rmdir", "sleep", "stty", "true", "echo", "env")
NPM = """\
#!/bin/sh
echo "npm $*" >> "$RAN"
echo "really: npm $*"
"""
POLICY = """\
default: allow
rules:
  # every install is looked at
  - match:
      action: exec
      target_glob: "*npm install*"
    decision: ask
    reason: "every install is looked at"
  - match:
      action: exec
      target_glob: "*npm publish*"
    decision: deny
    reason: "not from here"
"""


class World:
    """A project with a policy, a home, a program ``npm`` that only says it ran; nothing of this machine's
    settings takes part."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.gate = "shim"
        self.project = root / "project"
        self.home = root / "home"
        self.bin = root / "bin"
        self.ran_log = root / "ran"
        for folder in (self.project, self.home, self.bin):
            folder.mkdir()
        self.policy = self.project / "policy.yaml"
        self.audit = self.project / ".agentgate" / "audit.jsonl"
        npm = self.bin / "npm"
        npm.write_text(NPM)
        npm.chmod(0o755)
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
        self.env = {
            # No second npm: a shell that may not run the first looks for the next one.
            "PATH": str(self.bin),
            "HOME": str(self.home),
            "RAN": str(self.ran_log),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "100",
            "PYTHONPATH": str(Path(agentgate.__file__).parent.parent),
        }

    def with_policy(self, text: str = POLICY) -> World:
        self.policy.write_text(text)
        return self

    @property
    def ran(self) -> list[str]:
        """The npm commands that really ran."""
        return self.ran_log.read_text().splitlines() if self.ran_log.exists() else []

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "agentgate", *words]

    def agentgate(self, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
        """Run to the end without a terminal: no controlling one either."""
        options = {
            "cwd": self.project,
            "env": self.env,
            "stdin": subprocess.DEVNULL,
            "capture_output": True,
            "encoding": "utf-8",
            "errors": "surrogateescape",
            "timeout": 60,
            "start_new_session": True,
        }
        return subprocess.run(self.command(*words), **(options | more))


class Terminal:
    """An operator's terminal with ``words`` running on it, and an emulator that knows what is on it."""

    def __init__(self, world: World, *words: str, rows: int = 30, cols: int = 100) -> None:
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        self.resize(rows, cols)
        self._before = termios.tcgetattr(slave)
        self._slave = slave  # kept, so that its settings can be looked at afterwards
        self._vt = Vt(rows, cols)
        self._rows: dict[int, str] = {}
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _LOGIN, str(slave), *words],
            pass_fds=[slave],
            env=world.env,
            cwd=world.project,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(20)
        self.hang_up()

    def hang_up(self) -> None:
        for descriptor in (self._slave, self._master):
            if descriptor >= 0:
                os.close(descriptor)
        self._slave = self._master = -1

    @property
    def restored(self) -> bool:
        """Whether the terminal's settings are those from before the program."""
        return termios.tcgetattr(self._slave) == self._before

    def resize(self, rows: int, cols: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))
        if hasattr(self, "_vt"):
            self._vt.resize(rows, cols)

    def type(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self._master, data) :]

    def pump(self, seconds: float = 0.05) -> None:
        if not select.select([self._master], [], [], seconds)[0]:
            return
        with contextlib.suppress(OSError):
            data = os.read(self._master, 65536)
            self.seen += data
            reply = self._vt.feed(data)
            if reply:
                self.type(reply)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, row by row, without the spaces at the ends."""
        for number, runs in self._vt.frame().rows.items():
            self._rows[number] = "".join(text for text, _style in runs).rstrip()
        return [self._rows.get(number, "") for number in range(max(self._rows, default=0) + 1)]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def alternate(self) -> bool:
        return self._vt.alternate_screen

    def wait(self, condition: str | Callable[[], bool], seconds: float = 40) -> None:
        """Until the text is on the screen, or the condition holds."""
        holds = (lambda: condition in self.text) if isinstance(condition, str) else condition
        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                raise AssertionError(f"not seen: {condition}\n{self.text}\n{self.seen[-2000:]!r}")
            self.pump()

    def rest(self, seconds: float) -> None:
        """Let time pass, reading."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pump(0.02)

    def answer(self, key: str) -> None:
        """Press a key on a question once it has been there for its half second."""
        self.wait("[a]llow")
        self.rest(0.7)
        self.type(key)

    def status(self) -> int:
        """The program's exit status, its last output read."""
        end = time.monotonic() + 40
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self.pump()
        for _ in range(5):
            self.pump(0.02)
        return self.process.returncode


def on_terminal(world: World, *agent: str, options: tuple[str, ...] = (), **size: int) -> Terminal:
    """``agentgate run`` on a terminal, behind the world's gate."""
    return Terminal(world, *world.command("run", "--gate", world.gate, *options, "--", *agent), **size)
