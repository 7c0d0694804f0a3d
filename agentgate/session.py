"""One session: puts policy, gate, audit and one or more agents together, starts and ends them.

Guarantees: ``start`` and ``add`` either run the agent behind the chosen gate or raise; they never run it
ungated. After ``close`` every agent's tree has ended, every question has an answer and the audit log holds
every decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace

from agentgate.actions import Kind
from agentgate.agent import AgentRun
from agentgate.answering import Answering
from agentgate.audit.heads import Heads
from agentgate.audit.past import Recorded
from agentgate.audit.write import AuditWriter
from agentgate.gate import build
from agentgate.gate.decide import Decider
from agentgate.gate.entrance import Entrance
from agentgate.gate.events import AgentEnded, AgentStarted, Ask, Hub, Notice, PolicyChanged
from agentgate.gate.gate import Gate
from agentgate.gate.timeout import Timeout
from agentgate.intercept.backend import Backend, GateUnavailable
from agentgate.intercept.proxy.dial import Resolve, lookup
from agentgate.intercept.proxy.server import Proxy
from agentgate.policy.errors import PolicyError
from agentgate.policy.match import Context
from agentgate.policy.model import Policy
from agentgate.policy.store import Check, PolicyFile, find_policy
from agentgate.policy.suggest import Draft, suggest
from agentgate.settings import Settings, agent_name
from agentgate.statedir import state_directory

__all__ = ["PolicyEdit", "Session"]

PolicyEdit = Callable[[PolicyFile, Check], Policy]
"""One method of the policy's file, its check being this session's."""

_WATCH = 1.0  # seconds between looks at the policy file


class Session:
    """``hub`` tells what happens; ``gate`` holds the questions of all ``agents``, in order of their start
    (``closed`` are those that were there before, of whom it is still known what they changed);
    ``mark`` is a word that only the operator's screen knows, so that an agent's terminal cannot paint a
    believable question."""

    def __init__(self, settings: Settings, *, resolve: Resolve = lookup) -> None:
        """Load the policy. ``resolve`` looks names up for what was allowed.

        Raises PolicyError (one line with file:line:column) or OSError."""
        self.settings = settings
        self._resolve = resolve
        self.id = os.urandom(4).hex()
        self.mark = os.urandom(2).hex()
        self.hub = Hub()
        self.policy_file = find_policy(settings.policy, settings.env, str(settings.project))
        self.policy = self.policy_file.load()
        self.gate = Gate(self._decider(self.policy), self.hub)
        self.answering = Answering(self)
        self.timeout = Timeout(self.gate, settings.timeout) if settings.timeout else None
        self.recorded = Recorded(settings.audit)  # the past that rules are held against
        self.audit = AuditWriter(
            settings.audit,
            session=self.id,
            agent=settings.agent,
            complain=lambda text: self.hub.post(Notice(text, urgent=True)),
            told=self._recording,
            heads=Heads(state_directory(settings.env)),
        )
        self.agents: list[AgentRun] = []
        self.closed: list[AgentRun] = []
        self._first: AgentRun | None = None
        self._named: set[str] = set()
        self._held = ("", False)
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def backend(self) -> Backend | None:
        """The first agent's."""
        return self._first.backend if self._first else None

    @property
    def proxy(self) -> Proxy | None:
        """The first agent's."""
        return self._first.proxy if self._first else None

    @property
    def gate_kind(self) -> str:
        """kernel, shim, or "none" before the start."""
        return self.backend.kind if self.backend else "none"

    @property
    def holds_reads(self) -> bool:
        """Whether reads of secrets are asked about in this session; False before the start."""
        return self._first.holds_reads if self._first else False

    def own_paths(self) -> list[str]:
        """The gate's own files and directories: guarded by name."""
        return build.own_paths(self.settings, self.policy_file.path)

    def context(self) -> Context:
        return build.context(self.settings)

    def _decider(self, policy: Policy) -> Decider:
        old = self.gate.decider if hasattr(self, "gate") else None
        grants, answers = (old.grants, old.answers) if old else (None, None)
        return build.decider(self.settings, policy, self.policy_file.path, grants, answers)

    async def start(self, stdio: tuple[int, int, int], *, controlling: bool) -> int:
        """Run the agent of the settings with ``stdio`` as its 0, 1 and 2; returns its pid.

        Raises GateUnavailable when the chosen gate cannot run here, OSError when the command cannot; then
        the session is closed and nothing is left of it.
        """
        try:
            queue = self.hub.subscribe()
            await self.audit.start()
            self._spawn(self.audit.follow(queue))
            if self.timeout:
                self._spawn(self.timeout.run())
            self._first = self.prepare(self.settings.command)
            pid = await self._run(self._first, stdio, controlling)
        except BaseException:
            await self.close()
            raise
        reads = any(rule.action is Kind.FS_READ and not rule.disabled for rule in self.policy.rules)
        if reads and not self.holds_reads:
            self.hub.post(Notice("the policy has rules for fs_read, but reads are not held in this session"))
        self._spawn(self._watch_policy())
        return pid

    async def add(self, run: AgentRun, stdio: tuple[int, int, int], *, controlling: bool) -> int:
        """Run one more agent, which was prepared, beside the others; returns its pid.

        Raises as ``start``; then nothing is left of it and the others know nothing of it.
        """
        why = "the session ended" if self._closed else self._held[0]
        if why:
            raise GateUnavailable(f"no agent is started: {why}")
        return await self._run(run, stdio, controlling)

    def prepare(self, command: tuple[str, ...]) -> AgentRun:
        """An agent for ``command`` under a name that no other had in this session."""
        settings = self.settings
        base = settings.agent if command[0] == settings.command[0] else agent_name(command)
        names = itertools.chain((base,), (f"{base}-{number}" for number in itertools.count(2)))
        name = next(name for name in names if name not in self._named)
        self._named.add(name)
        settings = replace(settings, command=command, agent=name)
        return AgentRun(settings, Entrance(self.gate, name), self.own_paths(), self.id, self._resolve)

    async def _run(self, run: AgentRun, stdio: tuple[int, int, int], controlling: bool) -> int:
        run.remember(self.answering.remembered)
        self.agents.append(run)  # from here on it is told of a new policy, and of new answers
        try:
            pid = await run.start(self.policy, stdio, controlling=controlling)
            if self._closed:
                raise GateUnavailable("the session ended")
        except BaseException:
            self.agents.remove(run)
            await run.close()
            raise
        self.hub.post(AgentStarted(pid, run.name))
        self._spawn(self._report_end(run))
        return pid

    async def wait(self) -> int:
        """The first agent's exit status, once it ended."""
        assert self._first is not None
        return await self._first.wait()

    async def _report_end(self, run: AgentRun) -> None:
        self.hub.post(AgentEnded(await run.wait(), run.name))

    async def remove(self, name: str) -> None:
        """End the agent ``name`` if it still runs, and forget it. Its questions are denied."""
        for run in [run for run in self.agents if run.name == name]:
            await run.close("the agent was closed")
            self.agents.remove(run)
            self.closed.append(run)

    async def close(self) -> None:
        """End every agent's tree, deny what is pending, write the record. Safe to call twice."""
        self._closed = True
        self.gate.close("the session ended")
        async with contextlib.AsyncExitStack() as last:  # each one is done, whatever becomes of the others
            last.push_async_callback(self.audit.close)
            last.push_async_callback(self._end_tasks)
            last.push_async_callback(self._end_agents)

    async def _end_agents(self) -> None:
        """All at once: the end of a tree that is deaf takes seconds."""
        ends = await asyncio.gather(*(run.close() for run in self.agents), return_exceptions=True)
        for error in ends:
            if isinstance(error, BaseException):
                raise error

    async def _end_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def use(self, policy: Policy) -> None:
        """Put ``policy`` in force everywhere: gate, backend, and the questions that it answers.

        Raises PolicyError when it cannot be compiled here (a variable is not set); the old one stays.
        """
        decider = self._decider(policy)
        self.policy = policy
        for run in self.agents:
            run.use(policy)
        self.gate.use(decider)
        self.hub.post(PolicyChanged(self.policy_file.label))

    def _recording(self, why: str, full: bool) -> None:
        """Decisions cannot be recorded, because of ``why`` ("": they can again). So nothing is allowed, and
        once as much waits for the disk as may (``full``) nothing is decided at all."""
        reason = f"the record cannot be written: {why}" if why else ""
        self._held = (reason, full)
        self.gate.hold(reason, full)
        for run in self.agents:
            run.hold(reason, full)

    def draft(self, ask: Ask) -> Draft:
        """The rule that "allow always" would write for this question."""
        return suggest(ask.action)

    def may_always(self, ask: Ask) -> str:
        """Empty when "always" can be offered for this question, else why not."""
        return self.answering.refusal(ask)

    def allow_always(self, ask: Ask, draft: Draft) -> None:
        """Write ``draft`` before the rule that asked, put the new policy in force, allow ``ask``.

        Raises PolicyError or OSError; then nothing is changed and the question is still pending.
        """
        self.answering.write(ask, draft)

    def edit_policy(self, edit: PolicyEdit) -> None:
        """Make one edit of the policy file (one of its methods, or ``undo``) and put the outcome in force.

        Raises PolicyError or OSError; then nothing is changed.
        """
        self.use(edit(self.policy_file, self._decider))

    async def _watch_policy(self) -> None:
        """Load the policy when its file was changed outside; a bad one is refused with its reason, once."""
        while True:
            await asyncio.sleep(_WATCH)
            if self.policy_file.news():
                self._reload()

    def _reload(self) -> None:
        try:
            self.use(self.policy_file.load(self._decider))
        except PolicyError as error:
            self.hub.post(PolicyChanged(self.policy_file.label, str(error)))
            self.hub.post(Notice(f"policy not loaded, the old one stays in force: {error}", urgent=True))

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
