"""The app's end of the kernel gate: starts the warden, turns its messages into questions and records."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import Iterable
from typing import Any

from agentgate.actions import Action, Answer, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.record import Record
from agentgate.escape import printable
from agentgate.gate.command import Places
from agentgate.gate.entrance import Entrance
from agentgate.gate.events import AgentLeft, Decided, GateLost, Notice
from agentgate.gate.remembered import Remembered
from agentgate.intent.words import for_action
from agentgate.intercept.backend import DOCTOR, GateUnavailable, Launch
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.arrivals import Arrivals, Naming
from agentgate.intercept.kernel.link import LinkError, Unpacker, pack
from agentgate.intercept.kernel.probe import SECOND_LISTENER
from agentgate.intercept.kernel.procs import children, descendants
from agentgate.intercept.kernel.support import missing
from agentgate.policy.match import Context
from agentgate.policy.model import Policy

__all__ = ["KernelBackend", "missing"]

# The warden must run exactly the modules that the app runs: the same search path, no site hooks, nothing
# from the working directory or the environment.
_BOOT = (
    "import json,sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from agentgate.intercept.kernel.__main__ import main; import socket; "
    "sys.exit(main(socket.socket(fileno=int(sys.argv[1]))))"
)
_PR_SET_CHILD_SUBREAPER = 36


class KernelBackend:
    """One agent behind the kernel gate. ``attribute`` tells the proxy whose a connection is."""

    kind = "kernel"

    def __init__(
        self,
        gate: Entrance,
        policy: Policy,
        context: Context,
        places: Places,
        own: Iterable[str],
        *,
        enforce: bool,
        network: bool,
        hold_reads: bool,
    ) -> None:
        self._gate = gate
        self._policy = policy
        self._context = context
        self._places = places
        self._own = list(own)
        self._enforce = enforce
        self._network = network
        self.holds_reads = hold_reads
        self.held = 0  # calls that the warden took, and
        self.warden_cpu = 0.0  # the processor seconds it spent: both known once the agent ended
        self._process: asyncio.subprocess.Process | None = None
        self._link: socket.socket | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._starting: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._questions: dict[int, asyncio.Task[None]] = {}
        self._arrivals = Arrivals()
        self._naming: Naming | None = None
        self._started: asyncio.Future[int] | None = None
        self._ended: asyncio.Future[int] | None = None
        self._stopping = False
        self._held = ("", False)
        self._answers: list[Remembered] = []
        self._command = ""
        self._root = 0  # the agent's first process

    # -- life

    async def start(self, launch: Launch) -> int:
        loop = asyncio.get_running_loop()
        self._started, self._ended = loop.create_future(), loop.create_future()
        self._command = launch.command[0]
        # A task of its own, which ``stop`` waits for: who is cancelled in the middle of starting a process
        # knows nothing of it.
        self._starting = asyncio.create_task(self._start_warden(launch))
        await asyncio.shield(self._starting)
        return await asyncio.shield(self._started)

    async def _start_warden(self, launch: Launch) -> None:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)  # should the warden die, its tree comes to us
        ours, theirs = socket.socketpair()
        path = [entry for entry in sys.path if os.path.isabs(entry)]
        # the warden's own 0, 1 and 2 are others, so the agent's must have other numbers on the way
        stdio = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3) for descriptor in launch.stdio]
        if launch.names:
            self._naming = Naming(launch.names, self._arrivals, self._send)
            self._naming.begin()
        helper = (self._naming.theirs,) if self._naming else ()
        order = self._naming.order() if self._naming else None
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", _BOOT, str(theirs.fileno()), json.dumps(path),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(theirs.fileno(), *stdio, *helper), start_new_session=launch.controlling, cwd="/",
                env={"LANG": "C.UTF-8"} | {key: os.environ[key] for key in ("TZ",) if key in os.environ},
            )  # fmt: skip
        finally:
            theirs.close()
            if self._naming:
                self._naming.passed()
            for descriptor in stdio:
                os.close(descriptor)
        ours.setblocking(False)
        self._link = ours
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._send(
            {
                "command": list(launch.command), "cwd": launch.cwd, "env": dict(launch.env),
                "stdio": stdio, "controlling": launch.controlling,
                "project": self._context.project, "home": self._context.home, "own": self._own,
                "tools": sorted(self._places.tools), "writable": self._places.writable,
                "enforce": self._enforce, "network": self._network, "hold_reads": self.holds_reads,
                "proxy_port": launch.proxy_port, "policy": self._policy.to_wire(), "names": order,
                "keep": launch.keep, "store": launch.store,
            }
        )  # fmt: skip
        if self._held[0]:  # it was said while the warden was on its way
            self.hold(*self._held)
        if self._answers:
            self.remember(self._answers)
        self._reading = asyncio.create_task(self._read(reader))

    async def wait(self) -> int:
        assert self._ended is not None
        return await asyncio.shield(self._ended)

    async def stop(self) -> None:
        """End the tree through the warden; where the warden is gone or does not obey, directly."""
        self._stopping = True
        if self._starting:
            await asyncio.wait([self._starting])
        if self._naming:
            self._naming.close()
        if self._process is None:
            return
        if self._process.returncode is None:
            self._send({"type": "stop"})
            try:
                await asyncio.wait_for(self._process.wait(), 8)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await _end_orphans(self._root)
        if self._reading:
            await asyncio.wait([self._reading], timeout=2)
            self._reading.cancel()
        if self._writer:
            self._writer.close()

    def use(self, policy: Policy) -> None:
        self._policy = policy
        self._send({"type": "policy", "policy": policy.to_wire()})

    def remember(self, answers: Iterable[Remembered]) -> None:
        self._answers = list(answers)
        self._send({"type": "answers", "answers": [answer.to_wire() for answer in self._answers]})

    def forget(self, *paths: str) -> None:
        """What was at these paths was taken back by the operator: the warden looks at it anew."""
        self._send({"type": "forget", "paths": paths})

    def hold(self, why: str, wait: bool) -> None:
        self._held = (why, wait)
        self._send({"type": "hold", "why": why, "wait": wait})

    async def attribute(self, client: tuple[str, int]) -> tuple[Process, ...] | None:
        """The process chain behind a connection to the proxy; None when it is nobody's of this session."""
        return await self._arrivals.attribute(client)

    # -- messages

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer and not self._writer.is_closing():
            self._writer.write(pack(message))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        unpacker = Unpacker()
        why = "the warden ended"
        try:
            while data := await reader.read(1 << 18):
                for message in unpacker.feed(data):
                    self._hear(message)
        except (LinkError, OSError, KeyError, TypeError, ValueError) as error:
            why = f"the warden's link broke: {error}"
        await self._lost(why)

    async def _lost(self, why: str) -> None:
        """The link is at its end. In order after "ended"; else nothing more can be decided."""
        assert self._process and self._started and self._ended
        for task in list(self._questions.values()):
            task.cancel()
        if not self._process.stderr or self._stopping:
            words = b""
        else:
            with contextlib.suppress(TimeoutError):
                words = await asyncio.wait_for(self._process.stderr.read(), 2)
        if self._ended.done():
            self._fail(GateUnavailable("the kernel gate was stopped before it started"))
            return
        last = printable(words.decode("utf-8", "replace").strip().rpartition("\n")[2], 200)
        reason = f"{why} ({last})" if last else why
        await _end_orphans(self._root)
        if not self._started.done():
            self._fail(GateUnavailable(f"the kernel gate could not start: {reason}. {DOCTOR}"))
        elif not self._stopping and self._started.exception() is None:
            self._gate.close(f"the gate is gone: {why}")
            what = f"{reason}; nothing pending was done, the agent's tree was ended"
            self._gate.post(GateLost(what, self._gate.agent))
        self._ended.set_result(128 + signal.SIGKILL)

    def _hear(self, message: dict[str, Any]) -> None:
        assert self._started and self._ended
        match message["type"]:
            case "decided":
                self._decided(message)
            case "ask":
                self._ask(message)
            case "withdrawn":
                task = self._questions.pop(message["number"], None)
                if task:
                    task.cancel()
            case "connection":
                self._arrivals.told(message)
            case "named":
                assert self._naming
                self._naming.heard(message)
            case "started":
                self._root = message["pid"]
                self._started.set_result(self._root)
            case "kept":
                self._gate.post(AgentLeft(message["status"], message["left"], self._gate.agent))
            case "failed":
                self._failed(message)
            case "ended":
                self.held, self.warden_cpu = message["held"], message["cpu"]
                if not self._ended.done():
                    self._ended.set_result(message["status"])
            case "notice":
                self._gate.post(Notice(printable(message["text"], 300)))
            case "fault":
                text = (
                    f"the gate refused a call that it could not understand: {printable(message['text'], 300)}"
                )
                self._gate.post(Notice(text, urgent=True))

    def _failed(self, message: dict[str, Any]) -> None:
        code, text = message["errno"], message["text"]
        if text.startswith("run "):
            self._fail(OSError(code, os.strerror(code), self._command))
            return
        why = SECOND_LISTENER if code == errno.EBUSY else printable(text, 300)
        self._fail(GateUnavailable(f"the kernel gate could not start: {why}. {DOCTOR}"))

    def _fail(self, error: Exception) -> None:
        """Let ``start`` raise ``error``."""
        assert self._started
        if not self._started.done():
            self._started.set_exception(error)
            self._started.exception()  # seen, also when nobody waits any more

    def _decided(self, message: dict[str, Any]) -> None:
        settings = [
            (
                tuple(map(Process.from_wire, chain)),
                Kind(kind),
                syscall,
                cwd,
                tuple(argv),
                Answer.from_wire(answer),
            )
            for chain, kind, syscall, cwd, argv, answer in message["settings"]
        ]
        records = []
        for time, number, target, origin in message["rows"]:
            chain, kind, syscall, cwd, argv, answer = settings[number]
            action = Action(kind, target, argv, cwd, chain, syscall, origin)
            if kind in (Kind.EXEC, Kind.FS_READ) or answer.verdict is Verdict.DENY:
                action = self._with_intent(action)
            records.append(Record(time, action, answer.ruling, answer, 0, "kernel", self._gate.agent))
        self._gate.post(Decided(tuple(records)))

    def _ask(self, message: dict[str, Any]) -> None:
        number = message["number"]
        action = self._with_intent(Action.from_wire(message["action"]))
        task = asyncio.create_task(self._question(number, action, Ruling.from_wire(message["ruling"])))
        self._questions[number] = task
        task.add_done_callback(lambda _: self._questions.pop(number, None))

    def _with_intent(self, action: Action) -> Action:
        intent = for_action(action, self._gate.decider.secret(action))
        return action._replace(intent=intent) if intent else action

    async def _question(self, number: int, action: Action, ruling: Ruling) -> None:
        answer = await self._gate.ask(action, ruling, "kernel")
        allow = answer.verdict is Verdict.ALLOW
        # What a rule or an answer for longer allows ends with that, not with the process.
        grant = answer.source is Source.OPERATOR
        self._send({"type": "answer", "number": number, "allow": allow, "why": answer.why, "grant": grant})


async def _end_orphans(root: int) -> None:
    """End what the warden left: its children come to us, because we are a subreaper too. ``root`` is the
    agent's first process, which ends by itself when the warden does. What another agent's warden has below
    it is none of this."""
    orphans = {root} if root else set()
    for _ in range(200):
        left = _strays()
        orphans |= left
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        _reap(orphans)
        if not left:
            return
        await asyncio.sleep(0.01)


def _strays() -> set[int]:
    """The children of ours that run under a filter which we do not have, with all below them: a warden runs
    under none, and whoever it guards is not our child as long as it lives."""
    ours = _filters(os.getpid())
    found = {pid for pid in children(os.getpid()) if _filters(pid) > ours}
    for pid in list(found):
        found |= descendants(pid)
    return found


def _reap(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ChildProcessError):  # not our child, or reaped already
            os.waitpid(pid, os.WNOHANG)


def _filters(pid: int) -> int:
    """How many seccomp filters ``pid`` runs under: the agent's one more than this app's other children."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("Seccomp_filters:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0
