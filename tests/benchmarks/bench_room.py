"""How the whole control room feels. Run it: ``python tests/benchmarks/bench_room.py``.

``agentgate tui -- bash`` as an operator has it, behind the kernel gate, 160 x 50 on a pty of its own.

verdict     from the key to the held process going on: bash's redirection into a file outside the project is
            held; the moment after it returned, bash writes down the time. In AGENT mode the key is the ``a``
            behind ``ctrl+]``, in CONTROL it is ``a``. Target: under 50 ms.
processor   of the app and of the warden while nothing happens, and while an action waits. Targets: an idle
            app under 2 % of a core, a waiting action nothing that could be measured.
echo        from a key to its echo in the shell's own line editor. Target: p95 under 30 ms.
start       from the start of ``agentgate run -- true`` to its first instruction. Target: 350 ms.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from agentgate.pty import Pty
from agentgate.tui.terminal.vt import Vt

ROWS, COLS = 50, 160
LOGIN = "import os, sys; os.login_tty(int(sys.argv[1])); os.execvp(sys.argv[2], sys.argv[2:])"
KEYS = "бгджзилпфцчшщъыьэюя"  # letters that occur in nothing else that is drawn
LEADER = "\x1d"
POLICY = """\
default: ask
rules:
  - match: {action: exec}
    decision: allow
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
"""


class Room:
    """The control room on a pty, somebody who looks and types, and a stage for the agent."""

    def __init__(self, base: Path) -> None:
        self.project, self.outside = base / "project", base / "outside"
        for folder in (self.project, self.outside, base / "home"):
            folder.mkdir()
        (self.project / "policy.yaml").write_text(POLICY)
        self.times = self.project / "times"
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(base / "home"),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "PS1": "r✓dy ",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        command = [sys.executable, "-m", "agentgate", "tui", "--gate", "kernel", "--", "bash", "--norc"]
        self._pty = Pty.open(ROWS, COLS)
        self._vt = Vt(ROWS, COLS)
        self._rows: dict[int, str] = {}
        self.process = subprocess.Popen(
            [sys.executable, "-c", LOGIN, str(self._pty.slave), *command],
            pass_fds=[self._pty.slave],
            cwd=self.project,
            env=env,
        )
        self._pty.close_slave()
        self.wait(lambda: "r✓dy" in self.screen())

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._pty.close()

    @property
    def warden(self) -> int:
        """The one child of the app."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return int(" ".join(path.read_text() for path in children).split()[0])

    def type(self, text: str) -> None:
        self._pty.write(text.encode())

    def look(self, seconds: float) -> bytes:
        """Read what is drawn; once, or nothing for so long."""
        timer = threading.Timer(seconds, self._pty.interrupt)
        timer.start()
        data = self._pty.read()
        timer.cancel()
        if data == b"":
            raise SystemExit(f"the control room ended: {self.screen()}")
        self._vt.feed(data or b"")
        return data or b""

    def rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.look(left)

    def screen(self) -> str:
        for number, runs in self._vt.frame().rows.items():
            self._rows[number] = "".join(text for text, _style in runs)
        return "\n".join(self._rows.values())

    def wait(self, condition: Callable[[], object], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"it did not happen:\n{self.screen()}")
            self.look(0.01)

    def hold(self, name: str) -> None:
        """Let bash write a file outside the project, and wait until the question can be answered."""
        self.type(f" : > ../outside/{name}; echo $EPOCHREALTIME >> times\r")
        self.wait(lambda: f"outside/{name}" in self.screen() and "held for" in self.screen())
        self.rest(0.8)

    def went_on(self) -> list[float]:
        """When each held write went on, in Unix time."""
        if not self.times.exists():
            return []
        return [float(line) for line in self.times.read_text().split()]


def _spread(times: list[float]) -> str:
    times = sorted(time * 1000 for time in times)
    p95 = times[min(int(len(times) * 0.95), len(times) - 1)]
    return f"median {statistics.median(times):6.1f} ms   p95 {p95:6.1f} ms   max {times[-1]:6.1f} ms"


def verdicts(room: Room, count: int, *, control: bool) -> str:
    times = []
    for number in range(count):
        before = len(room.went_on())
        room.hold(f"{'c' if control else 'a'}{number:03}")
        room.type(LEADER + "\t" if control else LEADER)
        room.rest(0.3)
        pressed = time.time()
        room.type("a")
        room.wait(lambda before=before: len(room.went_on()) > before)
        times.append(room.went_on()[-1] - pressed)
        room.rest(0.2)
        if control:
            room.type("\x1b")
            room.rest(0.3)
    return _spread(times)


def echo(room: Room, count: int) -> str:
    times = []
    for number in range(count):
        key = KEYS[number % len(KEYS)].encode()
        begin, seen = time.perf_counter(), b""
        room.type(key.decode())
        while key not in seen:
            seen = seen[-8:] + room.look(5)
        times.append(time.perf_counter() - begin)
        room.rest(0.02 + number % 7 * 0.003)
    room.type("\x15")  # the line is not a command
    room.rest(0.2)
    return _spread(times)


def _spent(pid: int) -> float:
    """Processor seconds of all threads (proc_pid_stat(5) counts in hundredths, schedstat in nanoseconds)."""
    return (
        sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def processor(room: Room, seconds: float) -> str:
    app, warden = room.process.pid, room.warden
    room.rest(1.5)  # what went before is drawn
    before = _spent(app), _spent(warden)
    room.rest(seconds)
    used = [
        (after - start) / seconds * 100
        for after, start in zip((_spent(app), _spent(warden)), before, strict=True)
    ]
    return f"app {used[0]:5.2f} %   warden {used[1]:5.2f} %   of a core over {seconds:.0f} s"


def start(base: Path, count: int) -> str:
    """The agent's first instruction is the dynamic loader's; its process' last exec is as near as that can
    be seen from outside without slowing it: a program that prints the clock and ends."""
    project = base / "start"
    project.mkdir()
    (project / "policy.yaml").write_text("default: allow\n")
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    clock = ["bash", "--norc", "-c", "echo $EPOCHREALTIME"]

    def run(*before: str) -> float:
        began = time.time()
        out = subprocess.run(
            [*before, *clock], cwd=project, env=env, stdout=subprocess.PIPE, check=True
        ).stdout
        return float(out) - began

    gate = (sys.executable, "-m", "agentgate", "run", "--gate", "kernel", "--")
    run(*gate)
    bare = [run() for _ in range(count)]
    gated = [run(*gate) for _ in range(count)]
    return f"{_spread(gated)}   (without a gate {statistics.median(bare) * 1000:.1f} ms)"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20, help="verdicts in each mode, and starts")
    parser.add_argument("--keys", type=int, default=200, help="keys echoed")
    parser.add_argument("--seconds", type=float, default=5, help="length of the processor runs")
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="agentgate-bench-")).resolve()
    try:
        print(f"load before: {' '.join(Path('/proc/loadavg').read_text().split()[:3])}", flush=True)
        print(f"start                {start(base, options.count)}", flush=True)
        room = Room(base)
        try:
            print(f"processor, idle      {processor(room, options.seconds)}", flush=True)
            print(f"echo                 {echo(room, options.keys)}", flush=True)
            print(f"verdict in AGENT     {verdicts(room, options.count, control=False)}", flush=True)
            print(f"verdict in CONTROL   {verdicts(room, options.count, control=True)}", flush=True)
            room.hold("waits")
            print(f"processor, waiting   {processor(room, options.seconds)}", flush=True)
        finally:
            room.close()
        print(f"load after: {' '.join(Path('/proc/loadavg').read_text().split()[:3])}")
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
