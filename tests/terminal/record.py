"""Makes the recordings: what real programs write to a terminal of 24 x 80, and what tmux then shows.

``python tests/terminal/record.py [NAME...]`` writes ``recordings/NAME.json``: steps of what was typed, what
came of it, and the rows of the screen after it, by tmux, which has nothing in common with our emulator.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from redraws import FRAMES, in_tens
from terminal_kit import child

from agentgate.pty import Pty
from agentgate.tui.terminal.vt import Vt

HERE = Path(__file__).parent / "recordings"
SERVER = "agentgate-record"
QUIET = 0.6


def drain(pty: Pty, vt: Vt) -> bytes:
    """What comes until nothing does for a while; asked questions are answered as in the pane."""
    import threading

    seen = b""
    while True:
        timer = threading.Timer(QUIET, pty.interrupt)
        timer.start()
        data = pty.read()
        timer.cancel()
        if not data:
            return seen
        seen += data
        if reply := vt.feed(data):
            pty.write(reply)


def record(argv: list[str], keys: list[str], cwd: Path, **env: str) -> Iterator[tuple[str, bytes]]:
    pty, vt = Pty.open(24, 80), Vt(24, 80)
    with child(pty, *argv, cwd=cwd, **env):
        yield "", drain(pty, vt)
        for typed in keys:
            pty.write(typed.encode())
            yield typed, drain(pty, vt)
    pty.close()


def tmux(*argv: str) -> str:
    return subprocess.run(
        ["tmux", "-L", SERVER, "-f", "/dev/null", *argv], capture_output=True, text=True, check=True
    ).stdout


def screens(steps: list[tuple[str, bytes]]) -> Iterator[list[str]]:
    """What tmux shows after each step."""
    with tempfile.TemporaryDirectory() as folder:
        fifo = Path(folder) / "fifo"
        subprocess.run(["mkfifo", fifo], check=True)
        tmux("new-session", "-d", "-x", "80", "-y", "24", f"stty raw -echo; cat {fifo}; sleep 60")
        tmux("set", "-g", "status", "off")
        tmux("resize-window", "-x", "80", "-y", "24")
        try:
            with open(fifo, "wb", buffering=0) as pipe:
                for _, out in steps:
                    pipe.write(out)
                    time.sleep(0.5)
                    yield [line.rstrip() for line in tmux("capture-pane", "-p").split("\n")[:24]]
        finally:
            tmux("kill-server")


def repository(folder: Path) -> None:
    commits = "".join(
        f"commit refs/heads/main\ncommitter Ann <ann@example.org> {n * 86400} +0000\ndata <<E\nChange {n}: "
        f"das Übliche\n\nSome words on why.\nE\n"
        for n in range(30)
    )
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    subprocess.run(["git", "fast-import", "--quiet"], input=commits.encode(), cwd=folder, check=True)


def program(name: str, folder: Path) -> list[tuple[str, bytes]]:
    if name == "vim":
        (folder / "poem.py").write_text("# é 你好\n" + "def f(x):\n    return x  # long\n\n" * 20)
        edits = ["G", "o", "déjà vu: 你好\r  tail", "\x1b"]
        windows = [":split\r", "\x17w/ret\r", "10G3dd", "u", ":q!\r", ":q!\r"]
        argv = [*"vim -u NONE -i NONE -c".split(), "syntax on", "-c", "set nu hls ruler", "poem.py"]
        return list(record(argv, edits + windows, folder))
    if name == "less":
        repository(folder)
        keys = ["git log --graph --color\r", " ", "/Change 3\r", "n", "G", "g", "q"]
        env = {"PAGER": "less", "LESS": "R", "GIT_CONFIG_NOSYSTEM": "1"}
        return list(record(["bash", "--norc"], keys, folder, **env))
    if name == "htop":
        with subprocess.Popen(["sleep", "600"]) as sleeper:
            try:
                argv = ["htop", "-d", "100", "-p", str(sleeper.pid)]
                return list(record(argv, ["\x1bOQ", "\x1b", "q"], folder))
            finally:
                sleeper.kill()
    return [("", frame) for frame in in_tens(name)]


def main(names: list[str]) -> None:
    HERE.mkdir(exist_ok=True)
    for name in names or ["vim", "less", "htop", "ink", "ratatui"]:
        with tempfile.TemporaryDirectory() as folder:
            steps = program(name, Path(folder))
        with contextlib.closing(screens(steps)) as shown:
            kept = [
                {"keys": keys, "out": out.decode("utf-8", "surrogateescape"), "screen": screen}
                for (keys, out), screen in zip(steps, shown, strict=True)
            ]
        for step in kept if name in FRAMES else ():
            del step["out"]  # the test makes it anew
        text = json.dumps(kept, ensure_ascii=False, indent=1)
        (HERE / f"{name}.json").write_text(text + "\n", encoding="utf-8", errors="surrogateescape")
        print(name, len(kept), "steps", len(text), "bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
