"""How fast and how frugal the terminal pane is. Run it: ``python tests/benchmarks/bench_pane.py``.

The app runs as an operator has it, 160 x 50 on a pty of its own; what is timed is what comes out of it.

echo        from a key to its echo among the bytes that the app draws. Targets: p95 under 15 ms while nothing
            else happens, under 30 ms while 20 rows are redrawn at 60 fps.
processor   of the app while nothing happens. Target: under 1 % of a core.
flood       ``seq 1 500000``, from the enter key to the prompt after it, beside tmux in the same place: at
            most three times as long.
verdict     in the whole control room behind the kernel gate, while ``yes`` runs in the pane: from the key
            that allows to the held process going on. Target: under 100 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from agentgate.pty import Pty

ROWS, COLS = 50, 160
KEYS = "бгджзилпфцчшщъыьэюя"  # letters that occur in nothing else that is drawn
SHIM = "import os, sys; os.login_tty(int(sys.argv[1])); os.execvp(sys.argv[2], sys.argv[2:])"

ECHO = """
import os, tty
tty.setraw(0)
os.write(1, b'r\\xe2\\x9c\\x93dy')
while data := os.read(0, 1024):
    os.write(1, data)
"""
REDRAW = """
import os, select, time, tty
tty.setraw(0)
frame, due = 0, time.monotonic()
os.write(1, b'\\x1b[2Jr\\xe2\\x9c\\x93dy')
while True:
    ready, _, _ = select.select([0], [], [], max(0, due - time.monotonic()))
    if ready:
        os.write(1, b'\\x1b[25;1H' + os.read(0, 1024))
        continue
    due += 1 / 60
    frame += 1
    rows = ''.join(f'\\x1b[{y};1H\\x1b[3{y % 7 + 1}m{frame:08} ' + 'lorem ipsum ' * 8 for y in range(2, 22))
    os.write(1, rows.encode())
"""


def start(argv: list[str], rows: int, cols: int) -> tuple[Pty, subprocess.Popen[bytes]]:
    """``argv`` on a new pty."""
    pty = Pty.open(rows, cols)
    env = dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor", PS1="$ ")
    process = subprocess.Popen(
        [sys.executable, "-c", SHIM, str(pty.slave), *argv], pass_fds=[pty.slave], env=env
    )
    pty.close_slave()
    return pty, process


def run_app(argv: list[str]) -> None:
    """The app under test, with ``argv`` in its pane."""
    from textual.app import App, ComposeResult
    from textual.containers import Horizontal
    from textual.widgets import Footer, OptionList

    from agentgate.tui.terminal.pane import TerminalPane

    class Bench(App[None], inherit_bindings=False):
        ENABLE_COMMAND_PALETTE = False
        CSS = "OptionList { width: 38; }"

        def compose(self) -> ComposeResult:
            with Horizontal():
                yield TerminalPane()
                yield OptionList(*(f"item {n}" for n in range(30)))
            yield Footer()

        def on_mount(self) -> None:
            self.pane = self.query_one(TerminalPane)
            self.pane.focus()
            self.call_after_refresh(self.begin)

        def begin(self) -> None:
            self.pty, self.process = start(argv, *self.pane.grid_size)
            self.pane.attach(self.pty)

        def on_terminal_pane_closed(self) -> None:
            self.process.wait()
            self.exit()

    Bench().run()


class Operator:
    """The app (or ``instead`` of it another program) on a pty, and someone who types at it."""

    def __init__(self, *argv: str, instead: bool = False) -> None:
        app = [] if instead else [sys.executable, __file__, "--app"]
        self.pty, self.process = start([*app, *argv], ROWS, COLS)

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        while self.process.poll() is None:  # it may have much to draw before it goes
            self.drain(0.1)
        self.pty.close()

    def wait_for(self, wanted: str, timeout: float = 60) -> float:
        """Read what the app draws up to ``wanted``; seconds that took."""
        begin = time.perf_counter()
        seen, needle = b"", wanted.encode()
        while needle not in seen:
            if time.perf_counter() - begin > timeout:
                raise TimeoutError(f"{wanted!r} did not come; last drawn: {seen[-300:]!r}")
            data = self.pty.read()
            if not data:
                raise EOFError(f"the app ended before {wanted!r}: {seen[-2000:]!r}")
            seen = seen[-64:] + data
        return time.perf_counter() - begin

    def drain(self, seconds: float) -> bytes:
        """Read whatever the app draws for a while."""
        timer = threading.Timer(seconds, self.pty.interrupt)
        timer.start()
        seen = b""
        while data := self.pty.read():
            seen += data
        return seen

    def cpu(self) -> float:
        """CPU seconds the app has used (Linux)."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def latency(name: str, script: str, count: int) -> None:
    with Operator(sys.executable, "-c", script) as operator:
        operator.wait_for("r✓dy")
        operator.drain(1.0)
        times = []
        for n in range(count):
            key = KEYS[n % len(KEYS)]
            operator.pty.write(key.encode())
            times.append(operator.wait_for(key) * 1000)
            operator.drain(0.02 + n % 7 * 0.003)
    times.sort()
    p50, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    print(f"key -> echo, {name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, max {times[-1]:.1f} ms")


def idle(seconds: float) -> None:
    with Operator("bash", "--norc") as operator:
        operator.wait_for("$ ")
        operator.drain(2.0)
        before = operator.cpu()
        operator.drain(seconds)
        print(f"idle: {(operator.cpu() - before) / seconds * 100:.2f} % of a core over {seconds:.0f} s")


def redraw_cpu(seconds: float) -> None:
    with Operator(sys.executable, "-c", REDRAW) as operator:
        operator.wait_for("r✓dy")
        operator.drain(1.0)
        before = operator.cpu()
        operator.drain(seconds)
        print(f"20 rows at 60 fps: {(operator.cpu() - before) / seconds * 100:.0f} % of a core")


def flood(runs: int = 3) -> None:
    def seq(*argv: str, instead: bool = False) -> float:
        with Operator(*argv, instead=instead) as operator:
            operator.wait_for("$ ")
            operator.drain(1.0)
            times = []
            for n in range(runs):
                operator.pty.write(f"seq 1 500000; echo d$((0))ne{n}\r".encode())
                times.append(operator.wait_for(f"d0ne{n}"))
                operator.drain(0.3)
        return statistics.median(times)

    ours = seq("bash", "--norc")
    if shutil.which("tmux") is None:
        print(f"seq 1 500000: {ours:.2f} s (no tmux here to compare with)")
        return
    tmux = ["tmux", "-L", f"bench-{os.getpid()}", "-f", "/dev/null"]
    try:
        theirs = seq(*tmux, "new-session", "bash", "--norc", instead=True)
    finally:
        subprocess.run([*tmux, "kill-server"], capture_output=True)
    print(f"seq 1 500000: {ours:.2f} s, tmux {theirs:.2f} s: {ours / theirs:.1f} times as long")


POLICY = """\
default: ask
rules:
  - match: {action: exec}
    decision: allow
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
"""
HELD = """
yes &
n=0
while :; do n=$((n+1)); : > "$0/$n"; echo $EPOCHREALTIME >> times; done
"""


def verdict(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as base, contextlib.ExitStack() as stack:
        project, outside, home = (Path(base) / name for name in ("project", "outside", "home"))
        for folder in (project, outside, home):
            folder.mkdir()
        (project / "policy.yaml").write_text(POLICY)
        times = project / "times"
        argv = [sys.executable, "-m", "agentgate", "tui", "--", "bash", "-c", HELD, str(outside)]
        stack.enter_context(contextlib.chdir(project))
        env = {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])}
        operator = Operator("env", *(f"{name}={value}" for name, value in env.items()), *argv, instead=True)
        stack.enter_context(operator)
        took: list[float] = []
        early = 0
        operator.wait_for("\x1b]2;(1) waiting")
        operator.drain(4.0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            operator.drain(1.0)  # the next one is held at once, and must have been drawn for half a second
            pressed = time.time()
            operator.pty.write(b"\x1da")
            while not times.exists() or len(times.read_text().splitlines()) <= len(took):
                if b"read it first" in operator.drain(0.01):  # drawn late: nobody has seen it yet
                    early += 1
                    operator.drain(1.0)
                    pressed = time.time()
                    operator.pty.write(b"\x1da")
                if time.time() > pressed + 20:
                    raise TimeoutError("the verdict did not arrive")
            took.append((float(times.read_text().splitlines()[-1]) - pressed) * 1000)
    took.sort()
    p50, p95 = statistics.median(took), took[int(len(took) * 0.95)]
    print(
        f"verdict while yes runs for {seconds:.0f} s: p50 {p50:.0f} ms, p95 {p95:.0f} ms, "
        f"max {took[-1]:.0f} ms (n={len(took)}, {early} keys too early)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="keys per latency run")
    parser.add_argument("--seconds", type=float, default=10, help="length of the CPU runs")
    parser.add_argument("--flood", type=float, default=60, help="length of the run with yes")
    parser.add_argument("--app", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.app:
        run_app(options.app)
        return
    latency("idle", ECHO, options.count)
    latency("20 rows redrawn at 60 fps", REDRAW, options.count)
    idle(options.seconds)
    redraw_cpu(options.seconds)
    flood()
    verdict(options.flood)


if __name__ == "__main__":
    main()
