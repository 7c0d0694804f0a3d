"""`run_tui` on a real terminal: what is left behind when the room is left."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path
from typing import IO

import pytest

PROGRAM = """
import sys
from pathlib import Path
from agentgate.settings import GateChoice, Settings
from agentgate.tui.running import run
here = Path.cwd()
audit = here / ".agentgate" / "audit.jsonl"
sys.exit(run(Settings(tuple(sys.argv[1:]), "demo", here, audit, gate=GateChoice.SHIM)))
"""


class Terminal:
    """A program on a pty of 100 x 30 cells, and all that it wrote."""

    def __init__(
        self, cwd: Path, *command: str, stderr: IO[bytes] | None = None, controlling: bool = True
    ) -> None:
        self.master, slave = pty.openpty()
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.modes = termios.tcgetattr(slave)
        self.slave = slave
        self.output = b""
        env = {**os.environ, "TERM": "xterm-256color", "HOME": str(cwd)}
        env["PYTHONPATH"] = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *command],
            cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=stderr or slave, start_new_session=True,
            preexec_fn=(lambda: ioctl(0, termios.TIOCSCTTY, 0)) if controlling else None,
        )  # fmt: skip

    def text(self) -> str:
        return re.sub(rb"\x1b(\[[0-9;:?<>=$]*[a-zA-Z]|\][^\x07]*\x07|.)", b"", self.output).decode(
            errors="replace"
        )

    def read(self, seconds: float = 0.1) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.output += os.read(self.master, 65536)

    def until(self, part: str, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while part not in self.text():
            assert time.monotonic() < end, f"{part!r} did not come: {self.text()[-2000:]!r}"
            self.read()

    def status(self, seconds: float = 20.0) -> int:
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, f"still running: {self.text()[-2000:]!r}"
            self.read()
        for _ in range(5):
            self.read(0.05)
        return self.process.returncode

    def send(self, data: bytes) -> None:
        os.write(self.master, data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


def test_the_exit_status_is_the_agents_and_one_line_is_left(tmp_path: Path) -> None:
    terminal = Terminal(
        tmp_path, "bash", "-c", "tty; echo TERM=$TERM $COLORTERM $TERM_PROGRAM; sleep 0.5; exit 5"
    )
    try:
        terminal.until("TERM=xterm-256color truecolor agentgate")
        assert terminal.status() == 5
        assert "/dev/pts/" in terminal.text()
        left = terminal.output.split(b"\x1b[?1049l")[1]  # after the alternate screen
        assert b"agentgate: 0 decisions, 0 denied; audit in .agentgate/audit.jsonl" in left
        assert b"\x1b]2;demo - agentgate\x07" in terminal.output
        assert terminal.output.count(b"\x1b[22;2t") == terminal.output.count(b"\x1b[23;2t") == 1
        assert termios.tcgetattr(terminal.slave) == terminal.modes
    finally:
        terminal.close()


def test_a_question_is_in_the_window_title_and_a_key_of_the_terminal_answers_it(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "default: allow\nrules:\n  - {match: {action: exec, target_glob: 'rm *'}, decision: ask}\n"
    )
    (tmp_path / "victim.txt").touch()
    terminal = Terminal(tmp_path, "bash", "-c", "rm victim.txt; echo status $?; sleep 0.3")
    try:
        terminal.until("rm victim.txt")
        while b"\x1b]2;(1) waiting - agentgate\x07" not in terminal.output:
            terminal.read()
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            terminal.read()
        terminal.send(b"\x1da")  # ctrl+] and a, in one write
        terminal.until("status 0")
        assert terminal.status() == 0
        assert not (tmp_path / "victim.txt").exists()
        assert b"1 decision, 0 denied" in terminal.output
    finally:
        terminal.close()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_the_room_and_the_agent_and_restores_the_terminal(tmp_path: Path, name: str) -> None:
    terminal = Terminal(tmp_path, "bash", "-c", "echo $$ > pid; echo started; exec sleep 60")
    try:
        terminal.until("started")
        terminal.process.send_signal(getattr(signal, name))
        assert terminal.status() == 128 + getattr(signal, name)
        assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
        assert b"\x1b[?1049l" in terminal.output
        assert termios.tcgetattr(terminal.slave) == terminal.modes
    finally:
        terminal.close()


@pytest.mark.parametrize("controlling", [True, False], ids=["hangup", "no-signal"])
def test_a_terminal_that_goes_away_takes_the_room_and_the_agent_with_it(
    tmp_path: Path, controlling: bool
) -> None:
    """As when a connection drops: what waits is denied, nothing of the agent is left, nothing hangs."""
    (tmp_path / "policy.yaml").write_text(
        "default: allow\nrules:\n  - {match: {action: exec, target_glob: 'rm *'}, decision: ask}\n"
    )
    (tmp_path / "victim.txt").touch()
    terminal = Terminal(
        tmp_path, "bash", "-c", "echo $$ > pid; rm victim.txt; sleep 60", controlling=controlling
    )
    try:
        terminal.until("rm victim.txt")
        os.close(terminal.slave)
        os.close(terminal.master)
        terminal.process.wait(20)
        assert (tmp_path / "victim.txt").exists()
        assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()
        assert '"verdict":"deny"' in (tmp_path / ".agentgate" / "audit.jsonl").read_text().replace(" ", "")
    finally:
        if terminal.process.poll() is None:
            terminal.process.kill()
            terminal.process.wait()


def test_a_command_that_cannot_run_leaves_a_clean_terminal_and_the_reason(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "/no/such/program")
    try:
        assert terminal.status() != 0
        assert "/no/such/program" in terminal.output.split(b"\x1b[?1049l")[1].decode()
        assert termios.tcgetattr(terminal.slave) == terminal.modes
    finally:
        terminal.close()


def test_the_room_is_seen_where_standard_error_goes_to_a_file(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as log:
        terminal = Terminal(tmp_path, "bash", "-c", "echo seen; sleep 0.3", stderr=log)
        try:
            terminal.until("seen")
            assert terminal.status() == 0
            assert (tmp_path / "log").read_bytes() == b""
        finally:
            terminal.close()
