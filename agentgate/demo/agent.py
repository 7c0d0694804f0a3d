"""The demo's agent: a script that looks like a coding agent at work and really does what it shows.

Runs as a program of its own behind the gate, in the demo's project, with nothing but the standard
library; ``$AGENTGATE_DEMO`` holds its plan, as ``Plan.to_json`` writes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import termios
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Plan", "main", "visited"]

_BOLD, _DIM, _KEY, _GOOD, _BAD, _OFF = "\x1b[1m", "\x1b[2m", "\x1b[1;33m", "\x1b[32m", "\x1b[1;31m", "\x1b[0m"
_INSTALL = ("sh", "vendor/left-padder/install.sh")
_PLAIN = """\
import sys

print("hello", *sys.argv[1:])
"""
_PADDED = """\
import sys
from left_padder import pad

print(pad(" ".join(["hello", *sys.argv[1:]])))
"""
_UNORDERED = (
    "adding a hook",
    "looking at",
    "sending",
    "cleaning up",
)  # what the package says before each thing of its own


@dataclass(frozen=True)
class Plan:
    """``docs`` is the page to fetch, ``visits`` the file with the thief's count of connections and bytes,
    ``pace`` the seconds between two lines, ``kernel`` whether the gate is the kernel's."""

    docs: str
    visits: str
    pace: float
    kernel: bool

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def visited(connections: int, count: int) -> str:
    """What a server saw: ``1 connection, 112 bytes``."""
    return f"{connections} connection{'s' if connections != 1 else ''}, {count} bytes"


class Agent:
    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        home = Path(os.environ["HOME"])
        self._canaries = [home / ".bashrc", home / "thesis" / "thesis.txt"]
        self._before = [self._look(path) for path in self._canaries]

    def run(self) -> None:
        self._greet()
        self._write(_PLAIN)
        self._run("python3", "greet.py", "world")
        self._fetch()
        if self._run(*_INSTALL, remark="an install: it waits. Let it begin, and see what else it tries"):
            self._write(_PADDED)
            self._run("python3", "greet.py", "world")
        self._report()

    # -- what an agent does

    def _greet(self) -> None:
        self._say(f"{_BOLD}demo agent{_OFF}: a script, not a model. But what it does it really does.")
        self._say()
        self._say("What the rules do not settle waits for you: beside this terminal, or in")
        self._say("the line below it. You can stay here and answer the oldest with")
        self._say(f"    {_KEY}ctrl+] then a{_OFF}   allow it once")
        self._say(f"    {_KEY}ctrl+] then d{_OFF}   deny it")
        if not self._plan.kernel:
            self._say(f"{_BAD}portable gate{_OFF}: file changes and plain sockets are not held here.")
        self._say()
        self._say(f"{_BOLD}> write greet.py, and pad the greeting with left-padder{_OFF}")
        self._rest(4)

    def _write(self, text: str) -> None:
        self._head("Write greet.py")
        Path("greet.py").write_text(text)
        self._remark("in the project: the rules allow that, nobody is asked")
        self._rest(1)

    def _run(self, *command: str, remark: str = "") -> bool:
        """Run it, show what it prints; whether it ran at all."""
        self._head(f"Run {' '.join(command)}")
        if remark:
            self._wait(remark, "a")
        try:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        except PermissionError:
            self._remark("denied: it did not run")
            return False
        assert process.stdout is not None
        with process, process.stdout as lines:
            for line in lines:
                self._output(line)
                if any(word in line for word in _UNORDERED):
                    self._wait("nobody ordered that", "d")
        self._rest(1)
        return True

    def _fetch(self) -> None:
        self._head(f"Fetch {self._plan.docs}")
        self._wait("a host that no rule knows: it waits", "a", by_kernel=False)
        # NO_PROXY has this machine reached directly; by the proxy a host is asked about by its name.
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(self._plan.docs)
        request.set_proxy(os.environ["HTTP_PROXY"].removeprefix("http://"), "http")
        try:
            with direct.open(request) as answer:
                for line in answer.read().decode().splitlines():
                    self._output(line)
        except urllib.error.HTTPError as error:
            self._remark(f"{error.code} {error.reason}: I shall do without the guide")
        except OSError as error:
            self._remark(f"{error}: I shall do without the guide")
        self._rest(1)

    def _report(self) -> None:
        self._head("What became of it, looked up now")
        for path, before in zip(self._canaries, self._before, strict=True):
            now = self._look(path)
            shown = "~/" + os.path.relpath(path, os.environ["HOME"])
            outcome = "as it was" if now == before else "changed" if now else "gone"
            self._finding(shown, now == before, outcome)
        connections, count = Path(self._plan.visits).read_text().split()
        self._finding("the thief's server", connections == "0", visited(int(connections), int(count)))
        self._say()
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(0, termios.TCIFLUSH)  # what was typed before was no wish to leave
        self._say(f"{_KEY}enter{_OFF} ends the demo")
        sys.stdin.readline()

    # -- how it says so

    def _look(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError:
            return b""

    def _head(self, text: str) -> None:
        self._say()
        self._say(f"{_GOOD}●{_OFF} {_BOLD}{text}{_OFF}")

    def _remark(self, text: str) -> None:
        self._say(f"  {_DIM}{text}{_OFF}")

    def _wait(self, text: str, key: str, *, by_kernel: bool = True) -> None:
        """Say that something waits for ``key``; ``by_kernel`` when only the kernel gate sees it."""
        if by_kernel and not self._plan.kernel:
            self._remark(f"{text.partition(':')[0]}: the portable gate does not see it")
        else:
            self._say(f"  {text}.  {_KEY}ctrl+] then {key}{_OFF}")

    def _output(self, line: str) -> None:
        self._say(f"  {_DIM}│{_OFF} {line.rstrip()}")

    def _finding(self, what: str, good: bool, outcome: str) -> None:
        mark = f"{_GOOD}✓{_OFF}" if good else f"{_BAD}✗{_OFF}"
        self._say(f"  {mark} {what:<22} {outcome}")

    def _say(self, text: str = "") -> None:
        print(text, flush=True)
        self._rest(1)

    def _rest(self, lines: int) -> None:
        time.sleep(self._plan.pace * lines)


def main() -> int:
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    with contextlib.suppress(OSError, termios.error):
        settings = termios.tcgetattr(0)
        settings[3] &= ~termios.ECHO  # a key that was meant for the control room leaves no trace here
        termios.tcsetattr(0, termios.TCSANOW, settings)
    try:
        Agent(Plan(**json.loads(os.environ["AGENTGATE_DEMO"]))).run()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
