"""A room that fails: the terminal is whole, what waited is denied, the agent is ended, a log is left."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from agentgate.escape import printable
from agentgate.tui import crash

ROOM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from room_kit import INSTALL, install, make_session
from agentgate.tui import app, performing, running
from agentgate.tui.inputs import Move

where = Path(sys.argv[2])
session = make_session(where, "bash", "-c", "echo $$ > pid; exec sleep 60")

def boom(*args):
    raise RuntimeError("boom \\x1b]0;owned\\x07")

async def boom_soon():
    boom()

async def asked():
    answer = await session.gate.ask(install("chalk"), INSTALL, "shim")
    (where / "answer").write_text(answer.verdict.value)

def begin(room):
    room.spawn(asked())
    match sys.argv[3]:
        case "timer":
            room.set_timer(1.0, boom)
        case "task":
            room.call_later(lambda: room.set_timer(1.0, lambda: room.spawn(boom_soon())))
        case "handler":
            performing.HANDLERS[Move] = boom

started = app.ControlRoom._start
async def start(room):
    await started(room)
    begin(room)
app.ControlRoom._start = start
sys.exit(running.run_tui(session))
"""


@pytest.mark.parametrize("how", ["timer", "task", "handler"])
def test_a_failure_leaves_a_whole_terminal_a_denied_action_and_a_log(tmp_path: Path, how: str) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (30, 110))
    before = termios.tcgetattr(slave)
    state = tmp_path / "state"
    env = os.environ | {"XDG_STATE_HOME": str(state), "TERM": "xterm-256color", "HOME": str(tmp_path)}
    room = subprocess.Popen(
        [sys.executable, "-c", ROOM, str(Path(__file__).parent), str(tmp_path), how],
        stdin=slave, stdout=slave, stderr=slave, env=env, cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    seen, end, typed = b"", time.monotonic() + 60, False
    try:
        while time.monotonic() < end and (room.poll() is None or select.select([master], [], [], 0)[0]):
            if select.select([master], [], [], 0.1)[0]:
                seen += os.read(master, 65536)
            if how == "handler" and not typed and b"1 waiting" in seen:
                typed = True
                os.write(master, b"\x1d\t3j")  # ctrl+], tab, audit, down
        assert room.wait(10) == 70
        after = termios.tcgetattr(slave)
    finally:
        if room.poll() is None:
            os.kill(room.pid, signal.SIGKILL)
            room.wait()
        os.close(master)
        os.close(slave)
    assert after == before
    assert seen.rfind(b"\x1b[?1049l") > seen.rfind(b"\x1b[?1049h") >= 0
    text = seen.decode(errors="replace")
    assert "Traceback" not in text
    assert "]0;owned" not in text.replace(printable("\x1b]0;owned\x07"), "")
    last = text[text.rindex("\x1b[?1049l") :].strip().splitlines()[-1]
    logs = list((state / "agentgate").glob("crash-*.log"))
    assert len(logs) == 1
    assert "the control room failed (RuntimeError: boom" in last
    assert last.endswith(f"the details are in {logs[0]}")
    assert logs[0].stat().st_mode & 0o777 == 0o600
    assert 'raise RuntimeError("boom' in logs[0].read_text() or "RuntimeError: boom" in logs[0].read_text()
    assert (tmp_path / "answer").read_text() == "deny"
    pid = int((tmp_path / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()


def test_only_so_many_logs_are_kept_and_none_is_written_over(tmp_path: Path) -> None:
    for number in range(crash.KEPT + 5):
        (tmp_path / f"crash-2020010{number % 10}-00000{number}-1.log").write_text("old")
    log = crash.leave_log(ValueError("x"), tmp_path)
    assert log is not None
    assert len(list(tmp_path.glob("crash-*.log"))) == crash.KEPT
    assert log.exists()
    assert crash.leave_log(ValueError("x"), tmp_path / "crash.txt" / "no") is not None
    (tmp_path / "file").write_text("")
    assert crash.leave_log(ValueError("x"), tmp_path / "file") is None
    assert "could not be written" in crash.line(ValueError("x"), None)
