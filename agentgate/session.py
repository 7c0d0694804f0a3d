"""One agent run: puts policy, gate, audit, proxy and a backend together, starts and ends them.

Guarantees: ``start`` either runs the agent behind the chosen gate or raises; it never runs it ungated.
After ``close`` the agent's tree has ended, every question has an answer and the audit log holds every
decision.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Coroutine

from agentgate.actions import Action, Answer, Kind, Source, Verdict
from agentgate.audit.heads import Heads
from agentgate.audit.write import AuditWriter
from agentgate.gate import build
from agentgate.gate.decide import Decider
from agentgate.gate.events import AgentEnded, AgentStarted, Ask, Hub, Notice, PolicyChanged
from agentgate.gate.gate import Gate
from agentgate.intent.words import for_action
from agentgate.intercept.backend import DOCTOR, Backend, GateUnavailable, Launch
from agentgate.intercept.dns.service import Names
from agentgate.intercept.proxy.dial import Resolve, lookup
from agentgate.intercept.proxy.server import Proxy
from agentgate.intercept.proxy.upstream import BadUpstream, Upstream
from agentgate.limits import inherited, raise_open_files
from agentgate.policy.errors import PolicyError
from agentgate.policy.match import Context
from agentgate.policy.model import Policy
from agentgate.policy.store import Check, PolicyFile, find_policy
from agentgate.policy.suggest import Draft, suggest
from agentgate.settings import GateChoice, SecretsChoice, Settings
from agentgate.statedir import state_directory

__all__ = ["Session"]

_RULE_MAX = 4096  # characters of a command line that "always" makes a rule of; a longer one may be cut
_WATCH = 1.0  # seconds between looks at the policy file


class Session:
    """``hub`` tells what happens; ``gate`` holds the questions; ``mark`` is a word that only the
    operator's screen knows, so that the agent's terminal cannot paint a believable question."""

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
        self.audit = AuditWriter(
            settings.audit,
            session=self.id,
            agent=settings.agent,
            complain=lambda text: self.hub.post(Notice(text, urgent=True)),
            told=self._recording,
            heads=Heads(state_directory(settings.env)),
        )
        self.proxy: Proxy | None = None
        self.names: Names | None = None
        self.backend: Backend | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def gate_kind(self) -> str:
        """kernel, shim, or "none" before the start."""
        return self.backend.kind if self.backend else "none"

    @property
    def holds_reads(self) -> bool:
        """Whether reads of secrets are asked about in this session; False before the start."""
        return self.backend.holds_reads if self.backend else False

    def own_paths(self) -> list[str]:
        """The gate's own files and directories: guarded by name."""
        return build.own_paths(self.settings, self.policy_file.path)

    def context(self) -> Context:
        return build.context(self.settings)

    def _decider(self, policy: Policy) -> Decider:
        grants = self.gate.decider.grants if hasattr(self, "gate") else None
        return build.decider(self.settings, policy, self.policy_file.path, grants)

    async def start(self, stdio: tuple[int, int, int], *, controlling: bool) -> int:
        """Run the agent with ``stdio`` as its 0, 1 and 2; returns its pid.

        Raises GateUnavailable when the chosen gate cannot run here, OSError when the command cannot; then
        the session is closed and nothing is left of it.
        """
        try:
            pid = await self._start(stdio, controlling)
        except BaseException:
            await self.close()
            raise
        self.hub.post(AgentStarted(pid))
        self._spawn(self._report_end())
        self._spawn(self._watch_policy())
        return pid

    async def _start(self, stdio: tuple[int, int, int], controlling: bool) -> int:
        queue = self.hub.subscribe()
        await self.audit.start()
        self._spawn(self.audit.follow(queue))
        self.backend = self._backend()
        reads = any(rule.action is Kind.FS_READ and not rule.disabled for rule in self.policy.rules)
        if reads and not self.holds_reads:
            self.hub.post(Notice("the policy has rules for fs_read, but reads are not held in this session"))
        try:
            upstream = Upstream.from_env(self.settings.env)
        except BadUpstream as error:
            raise GateUnavailable(f"the connections cannot be decided: {error}") from None
        raise_open_files()
        self.proxy = Proxy(
            self._decide_connection,
            self.backend.attribute,
            secret="" if self.backend.attribute else secrets.token_hex(16),
            refuse=lambda action, why: self.gate.refuse(action, "proxy", why),
            agent=self.settings.agent,
            upstream=upstream,
            resolve=self._resolve,
        )
        port = await self.proxy.start()
        env = dict(self.settings.env)
        env.update(self.proxy.environment())
        env["AGENTGATE"] = self.id
        for name in ("TMUX", "TMUX_PANE"):  # the pane is not the operator's multiplexer
            env.pop(name, None)
        project = str(self.settings.project)
        if self.backend.kind == "kernel":
            self.names = self._name_service(self.proxy)
            await self.names.start()
        launch = Launch(
            self.settings.command, project, env, stdio, controlling, proxy_port=port, names=self.names,
            keep=self.settings.keep,
        )  # fmt: skip
        with inherited():
            return await self.backend.start(launch)

    def _backend(self) -> Backend:
        if self.settings.gate is GateChoice.SHIM:
            if self.settings.keep:
                raise GateUnavailable(
                    "--keep needs the kernel gate: the shim gate loses what outlives the agent"
                )
            from agentgate.intercept.shim.backend import ShimBackend

            return ShimBackend(self.gate, agent=self.settings.agent)
        from agentgate.intercept.kernel.support import missing

        lacking = missing()
        if lacking:
            raise GateUnavailable(
                f"the kernel gate cannot run here: {lacking}. {DOCTOR}; --gate shim runs the portable gate, "
                "which holds only what goes through PATH and the proxy"
            )
        from agentgate.intercept.kernel.backend import KernelBackend

        return KernelBackend(
            self.gate, self.policy, self.context(), build.places(self.settings), self.own_paths(),
            enforce=self.settings.enforce, network=self.settings.network,
            hold_reads=self.settings.secrets is SecretsChoice.ASK,
        )  # fmt: skip

    def _name_service(self, proxy: Proxy) -> Names:
        names = Names(
            proxy,
            lambda action: self._decide_connection(action, "dns"),
            lambda action, why: self.gate.refuse(action, "relay", why),
            lambda text: self.hub.post(Notice(text)),
        )
        proxy.translate(names.translate)
        return names

    async def _decide_connection(self, action: Action, gate: str = "proxy") -> Answer:
        if not self.settings.network:
            return self.gate.refuse(action, gate, "--no-net: no connections in this session")
        return await self.gate.decide(action._replace(intent=for_action(action)), gate)

    async def wait(self) -> int:
        """The agent's exit status, once it ended."""
        assert self.backend is not None
        return await self.backend.wait()

    async def _report_end(self) -> None:
        self.hub.post(AgentEnded(await self.wait()))

    async def close(self) -> None:
        """End the agent's tree, deny what is pending, write the record. Safe to call twice."""
        self.gate.close("the session ended")
        async with contextlib.AsyncExitStack() as last:  # each one is done, whatever becomes of the others
            last.push_async_callback(self.audit.close)
            last.push_async_callback(self._end_tasks)
            if self.proxy:
                last.push_async_callback(self.proxy.close)
            if self.names:
                last.push_async_callback(self.names.close)
            if self.backend:
                last.push_async_callback(self.backend.stop)

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
        if self.backend:
            self.backend.use(policy)
        self.gate.use(decider)
        self.hub.post(PolicyChanged(self.policy_file.label))

    def _recording(self, why: str, full: bool) -> None:
        """Decisions cannot be recorded, because of ``why`` ("": they can again). So nothing is allowed, and
        once as much waits for the disk as may (``full``) nothing is decided at all."""
        reason = f"the record cannot be written: {why}" if why else ""
        self.gate.hold(reason, full)
        if self.backend:
            self.backend.hold(reason, full)

    def draft(self, ask: Ask) -> Draft:
        """The rule that "allow always" would write for this question."""
        return suggest(ask.action)

    def may_always(self, ask: Ask) -> str:
        """Empty when "always" can be offered for this question, else why not."""
        if not self.settings.always:
            return "--no-always: every answer is given once"
        if ask.action.kind is Kind.EXEC and len(ask.action.target) > _RULE_MAX:
            return "this command line is too long for a rule"
        if ask.ruling.source is Source.GUARD:
            return f"guard {ask.ruling.guard}: it {ask.ruling.reason}; allowed only once at a time"
        return ""

    def allow_always(self, ask: Ask, draft: Draft) -> None:
        """Write ``draft`` before the rule that asked, put the new policy in force, allow ``ask``.

        Raises PolicyError or OSError; then nothing is changed and the question is still pending.
        """
        refusal = self.may_always(ask)
        if refusal:
            raise PolicyError(refusal, self.policy_file.label)
        # The rules may have other numbers than when it was asked.
        policy = self.policy_file.add(draft, self.gate.decider.rule(ask.action).rule, self._decider)
        self.use(policy)
        self.gate.answer(ask.number, Verdict.ALLOW)

    def edit_policy(self, edit: Callable[[PolicyFile, Check], Policy]) -> None:
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
