"""Runs commands behind the kernel gate with a scripted operator, and the same commands without it.

A ``World`` is one user with a project, a place outside it and a home directory. ``World.run`` runs a
command in a real session (``kernel_worker.py``) and returns what came of it; ``World.start`` gives a live
``Run`` to act upon; ``World.bare`` is the control: the same command, user, directory, no gate.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import agentgate

HERE = Path(__file__).resolve().parent
AGENTS = HERE / "agents"
ROOT = Path(agentgate.__file__).resolve().parent.parent
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SPARE_UID = 64123  # an ordinary user without a name

POLICY = """\
default: ask
rules:
  - match: {action: exec}
    decision: allow
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
"""
OPEN_POLICY = "default: allow\n"


@dataclass(frozen=True)
class Ask:
    """One question as the operator sees it."""

    number: int
    kind: str
    target: str
    origin: str
    syscall: str
    argv: tuple[str, ...]
    pid: int
    source: str
    guard: str
    gate: str
    chain: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, event: dict[str, Any]) -> Ask:
        action, ruling = event["action"], event["ruling"]
        return cls(
            event["number"], action["kind"], action["target"], action["origin"], action["syscall"],
            tuple(action["argv"]), action["chain"][0][0] if action["chain"] else 0, ruling[1], ruling[5],
            event["gate"], tuple((entry[0], " ".join(entry[1])) for entry in action["chain"]),
        )  # fmt: skip


Operator = Callable[[Ask], "str | None"]


def deny(ask: Ask) -> str:
    return "deny"


def allow(ask: Ask) -> str:
    return "allow"


def wait(ask: Ask) -> None:
    return None


def only(*patterns: str) -> Operator:
    """Allow what matches one of ``patterns`` ("kind target" globs), deny the rest."""

    def answer(ask: Ask) -> str:
        words = f"{ask.kind} {ask.target}"
        return "allow" if any(fnmatch.fnmatchcase(words, pattern) for pattern in patterns) else "deny"

    return answer


@dataclass
class Result:
    """What came of one command. ``status`` as a shell says it."""

    status: int
    out: str
    err: str
    asks: list[Ask] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    held: int = 0

    @property
    def targets(self) -> list[str]:
        """What was asked: "kind target"."""
        return [f"{ask.kind} {ask.target}" for ask in self.asks]

    @property
    def json(self) -> Any:
        """The last line of the output as JSON."""
        try:
            return json.loads(self.out.strip().rpartition("\n")[2])
        except ValueError:
            raise AssertionError(f"no JSON: status {self.status}\n{self.out}\n{self.err}") from None


class Worker:
    """One ``script``, started when it is needed, run as ``uid`` (None: as we are)."""

    def __init__(self, uid: int | None, script: Path = HERE / "kernel_worker.py") -> None:
        self.uid = uid
        self._script = script
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""

    def environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/nonexistent",
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def spawn(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        """A process as this worker's user."""
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.uid, "extra_groups": []}
        return subprocess.Popen(command, **options)

    def missing(self) -> str:
        """Why there can be no worker as this user; empty when there can."""
        check = "import agentgate.session, agentgate.intercept.kernel.backend as b; print(b.missing())"
        try:
            process = self.spawn(
                [sys.executable, "-c", check], env=self.environment(), cwd="/",
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as error:
            return f"this Python as another user ({error})"
        out = process.communicate(timeout=30)[0].decode().strip()
        return f"the kernel gate: {out}" if out else ""

    def tell(self, **message: Any) -> None:
        if self._process is None or self._process.poll() is not None:
            self.end()
            self._process = self.spawn(
                [sys.executable, str(self._script)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, env=self.environment(), cwd="/",
            )  # fmt: skip
            assert self.hear(time.monotonic() + 30) == {"ev": "ready"}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def hear(self, deadline: float) -> dict[str, Any] | None:
        """The next message; None at the deadline. Raises EOFError when the worker is gone."""
        assert self._process and self._process.stdout
        descriptor = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([descriptor], [], [], max(deadline - time.monotonic(), 0))[0]:
                return None
            data = os.read(descriptor, 1 << 20)
            if not data:
                raise EOFError("the app ended")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)  # type: ignore[no-any-return]

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def end(self) -> None:
        if self._process:
            for stream in (self._process.stdin, self._process.stdout):
                assert stream
                with contextlib.suppress(OSError):
                    stream.close()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        self._process, self._buffer = None, b""


class Run:
    """A command behind the gate, live. Leaving the context ends it."""

    def __init__(self, worker: Worker, out: Path, err: Path, operator: Operator) -> None:
        self._worker = worker
        self._out, self._err = out, err
        self.operator = operator
        self.asks: list[Ask] = []
        self.records: list[dict[str, Any]] = []
        self.notices: list[str] = []
        self.withdrawn: list[int] = []
        self.answers: list[bool] = []
        self.lost = ""
        self.status: int | None = None
        self.left: tuple[int, int] | None = None
        self.started: dict[str, int] = {}
        self.failed = ""
        self.held = 0
        self._closed = False

    @property
    def out(self) -> str:
        return self._out.read_text(errors="surrogateescape") if self._out.exists() else ""

    @property
    def err(self) -> str:
        return self._err.read_text(errors="surrogateescape") if self._err.exists() else ""

    def _hear(self, event: dict[str, Any]) -> None:
        match event["ev"]:
            case "ask":
                ask = Ask.of(event)
                self.asks.append(ask)
                verdict = self.operator(ask)
                if verdict:
                    self.answer(ask, verdict)
            case "records":
                self.records += event["rows"]
            case "withdrawn":
                self.withdrawn.append(event["number"])
            case "answered":
                self.answers.append(event["done"])
            case "notice":
                self.notices.append(event["text"])
            case "lost":
                self.lost = event["reason"]
            case "started":
                self.started = event
            case "failed":
                self.failed = f"{event['error']}: {event['text']}"
            case "left":
                self.left = (event["status"], event["left"])
            case "ended":
                self.status = event["status"]
            case "closed":
                self._closed = True
                self.held = event["held"]

    def until(self, true: Callable[[], object], what: str, seconds: float = 10.0) -> None:
        """Serve the session until ``true()``, looked at after every event and every 20 ms."""
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"not within {seconds} s: {what}\nasks {self.asks}\nnotices {self.notices}\n"
                    f"failed {self.failed}\nout {self.out[-2000:]}\nerr {self.err[-2000:]}"
                )
            event = self._worker.hear(min(deadline, time.monotonic() + 0.02))
            if event:
                self._hear(event)

    def serve(self, seconds: float) -> None:
        """Serve the session for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            event = self._worker.hear(end)
            if event:
                self._hear(event)

    def asked(self, pattern: str, seconds: float = 10.0) -> Ask:
        """The first question that matches "kind target", once there is one."""

        def found() -> list[Ask]:
            return [ask for ask in self.asks if fnmatch.fnmatchcase(f"{ask.kind} {ask.target}", pattern)]

        self.until(found, f"a question {pattern!r}", seconds)
        return found()[0]

    def says(self, text: str, seconds: float = 10.0) -> None:
        """Wait until ``text`` stands in the command's output."""
        self.until(lambda: text in self.out, f"output {text!r}", seconds)

    def answer(self, ask: Ask, verdict: str, note: str = "") -> None:
        self._worker.tell(op="answer", number=ask.number, verdict=verdict, note=note)

    def policy(self, text: str) -> None:
        self._worker.tell(op="policy", text=text)

    def type(self, text: str) -> None:
        self._worker.tell(op="type", text=text)

    def finish(self, seconds: float = 20.0) -> Result:
        """Serve until the command ended, then close the session."""
        self.until(lambda: self.status is not None or self.failed, "the end of the command", seconds)
        self.close()
        if self.failed:
            raise AssertionError(self.failed)
        assert self.status is not None
        return Result(
            self.status, self.out, self.err, self.asks, self.records, self.notices, self.held
        )  # fmt: skip

    def kill_app(self) -> None:
        """End the app the hard way. There is no session to close any more."""
        os.kill(self.started["app"], signal.SIGKILL)
        self._closed = True
        self._worker.end()

    def close(self, seconds: float = 15.0) -> None:
        """End the session: what is pending is denied, the tree is ended."""
        if self._closed:
            return
        self._worker.tell(op="close")
        self.until(lambda: self._closed, "the end of the session", seconds)


class World:
    """One user's project (the working directory), ``outside`` and ``home``, all in ``root``."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.root = Path(tempfile.mkdtemp(prefix="agentgate-kernel-")).resolve()
        self.root.chmod(0o755)
        self.project, self.outside, self.home = (self.root / n for n in ("project", "outside", "home"))
        for directory in (self.project, self.outside, self.home, self.root / "run"):
            directory.mkdir()
            self.give(directory)
        self._runs = 0

    @property
    def uid(self) -> int:
        return os.geteuid() if self.worker.uid is None else self.worker.uid

    def give(self, path: Path) -> Path:
        """Make ``path`` this user's."""
        if self.worker.uid is not None:
            os.chown(path, self.worker.uid, self.worker.uid, follow_symlinks=False)
        return path

    def file(self, path: Path, text: str | bytes = "", mode: int = 0o644) -> Path:
        """A file of this user's."""
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return self.give(path)

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            "PATH": SYSTEM_PATH, "LANG": "C.UTF-8", "HOME": str(self.home), "TERM": "xterm",
            "PYTHONPATH": f"{AGENTS}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1", "USER": "tester",
            "PYTHONSAFEPATH": "1", "TMPDIR": str(self.project), "PYTHON": sys.executable,
            **{f"GIT_{who}_{what}": f"{who.lower()}@example.com"
               for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
            **extra,
        }  # fmt: skip

    @contextlib.contextmanager
    def start(
        self, *command: object, operator: Operator = deny, policy: str = POLICY,
        env: dict[str, str] | None = None, stdin: Path | None = None, enforce: bool = False,
        network: bool = True, pty: bool = False, keep: bool = False, secrets: str = "ask",
        started: bool = True, undo: bool = True,
    ) -> Iterator[Run]:  # fmt: skip
        """Run ``command`` behind the gate; yields once it is started."""
        self._runs += 1
        where = self.root / "run"
        out, err = where / f"out{self._runs}", where / f"err{self._runs}"
        rules = where / f"policy{self._runs}.yaml"
        rules.write_text(policy)
        run = Run(self.worker, out, err, operator)
        self.worker.tell(
            op="run", command=list(map(str, command)), project=str(self.project),
            audit=str(where / "audit.jsonl"), policy=str(rules), enforce=enforce, network=network, keep=keep,
            secrets=secrets, undo=undo,
            env=self.environment(**(env or {})), out=str(out), err=str(err), pty=pty,
            **{"in": str(stdin or "/dev/null")},
        )  # fmt: skip
        try:
            if started:
                run.until(lambda: run.started or run.failed, "the start of the command", 15)
            yield run
            run.close()
        except BaseException:
            self.abandon()
            raise

    def run(self, *command: object, seconds: float = 20.0, **options: Any) -> Result:
        """Run ``command`` behind the gate to its end."""
        with self.start(*command, **options) as run:
            return run.finish(seconds)

    def bare(self, *command: object, env: dict[str, str] | None = None, seconds: float = 20.0) -> Result:
        """The control: the same without the gate."""
        process = self.worker.spawn(
            list(map(str, command)), cwd=self.project, env=self.environment(**(env or {})),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        code = process.returncode
        status = 128 - code if code < 0 else code
        return Result(status, out.decode(errors="surrogateescape"), err.decode(errors="surrogateescape"))

    def python(self, name: str, *args: object) -> list[str]:
        """The command line of ``agents/name.py``."""
        return [sys.executable, str(AGENTS / f"{name}.py"), *map(str, args)]

    def compiled(self, name: str, *flags: str) -> Path:
        """``agents/name.c`` as a program of the project."""
        program = self.project / name
        source = AGENTS / f"{name}.c"
        subprocess.run(["gcc", "-O1", "-w", *flags, "-o", program, source, "-pthread"], check=True)
        return self.give(program)

    def abandon(self) -> None:
        """After a failure: end the worker, and with it the tree."""
        with contextlib.suppress(OSError, AssertionError):
            os.kill(self.worker.pid, signal.SIGKILL)
        self.worker.end()

    def remove(self) -> None:
        subprocess.run(["chmod", "-R", "u+rwX", self.root], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.root, ignore_errors=True)


def alive(pid: int) -> bool:
    """Whether ``pid`` runs (a zombie does not)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def gone(pids: list[int], seconds: float = 5.0) -> list[int]:
    """Those of ``pids`` that still run after so long."""
    deadline = time.monotonic() + seconds
    while left := [pid for pid in pids if alive(pid)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.02)
    return []
