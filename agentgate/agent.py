"""One agent of a session: its program behind a gate of its own, with its own way to the network.

What a session has once - the policy, the gate that decides, the record - is the session's. Here is what
every agent has for itself: the backend (for the kernel gate a warden process, with a filter and a Landlock
domain that no other agent shares), the proxy, the names that it looks up, and what was there before it
changed something. So whatever belongs to one agent, its listeners, terminals and processes, is a stranger's
to every other.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Sequence

from agentgate.actions import Action, Answer
from agentgate.changes.keeping import Keeping
from agentgate.gate import build
from agentgate.gate.entrance import Entrance
from agentgate.gate.events import Notice
from agentgate.gate.remembered import Remembered
from agentgate.intent.words import for_action
from agentgate.intercept.backend import DOCTOR, Backend, GateUnavailable, Launch
from agentgate.intercept.dns.service import Names
from agentgate.intercept.proxy.dial import Resolve
from agentgate.intercept.proxy.server import Proxy
from agentgate.intercept.proxy.upstream import BadUpstream, Upstream
from agentgate.limits import inherited, raise_open_files
from agentgate.policy.model import Policy
from agentgate.settings import GateChoice, SecretsChoice, Settings

__all__ = ["AgentRun"]


class AgentRun:
    """``settings`` are this agent's: its command, its name. ``entrance`` is its way to the session's gate,
    ``own`` are the gate's own files, ``session`` the session's id."""

    def __init__(
        self, settings: Settings, entrance: Entrance, own: list[str], session: str, resolve: Resolve
    ) -> None:
        self.settings = settings
        self.gate = entrance
        self._own = own
        self._session = session
        self._resolve = resolve
        self.keeping = Keeping(settings, session)
        self.proxy: Proxy | None = None
        self.names: Names | None = None
        self.backend: Backend | None = None
        self._starting: asyncio.Task[int] | None = None
        self._closing = asyncio.Lock()
        self._closed = ""
        self._answers: tuple[Remembered, ...] = ()

    @property
    def name(self) -> str:
        """Unique in the session."""
        return self.settings.agent

    @property
    def holds_reads(self) -> bool:
        """Whether reads of secrets are asked about; False before the start."""
        return self.backend.holds_reads if self.backend else False

    async def start(self, policy: Policy, stdio: tuple[int, int, int], *, controlling: bool) -> int:
        """Run the agent with ``stdio`` as its 0, 1 and 2; returns its pid.

        Raises GateUnavailable or OSError as ``Session.start``; then nothing is left of it.
        """
        if self._closed:
            raise GateUnavailable(self._closed)
        self._starting = asyncio.create_task(self._start(policy, stdio, controlling))
        try:
            return await self._starting
        except BaseException as error:
            broken_off = self._closed  # by ``close``, not by whoever waits for us
            await self.close()
            if broken_off and isinstance(error, asyncio.CancelledError) and not _cancelled():
                raise GateUnavailable(broken_off) from None
            raise

    async def _start(self, policy: Policy, stdio: tuple[int, int, int], controlling: bool) -> int:
        settings = self.settings
        self.backend = self._backend(policy)
        self.backend.remember(self._answers)
        try:
            upstream = Upstream.from_env(settings.env)
        except BadUpstream as error:
            raise GateUnavailable(f"the connections cannot be decided: {error}") from None
        raise_open_files()
        self.proxy = Proxy(
            self._decide_connection,
            self.backend.attribute,
            secret="" if self.backend.attribute else secrets.token_hex(16),
            refuse=lambda action, why: self.gate.refuse(action, "proxy", why),
            agent=self.name,
            upstream=upstream,
            resolve=self._resolve,
        )
        port = await self.proxy.start()
        env = dict(settings.env)
        env.update(self.proxy.environment())
        env["AGENTGATE"] = self._session
        for name in ("TMUX", "TMUX_PANE"):  # the pane is not the operator's multiplexer
            env.pop(name, None)
        if self.backend.kind == "kernel":
            self.names = self._name_service(self.proxy)
            await self.names.start()
        store = self.keeping.begin() if self.backend.kind == "kernel" else ""
        launch = Launch(
            settings.command, str(settings.project), env, stdio, controlling, proxy_port=port,
            names=self.names, keep=settings.keep, store=store,
        )  # fmt: skip
        with inherited():
            return await self.backend.start(launch)

    def _backend(self, policy: Policy) -> Backend:
        settings = self.settings
        if settings.gate is GateChoice.SHIM:
            if settings.keep:
                raise GateUnavailable(
                    "--keep needs the kernel gate: the shim gate loses what outlives the agent"
                )
            from agentgate.intercept.shim.backend import ShimBackend

            return ShimBackend(self.gate)
        from agentgate.intercept.kernel.support import missing

        lacking = missing()
        if lacking:
            raise GateUnavailable(
                f"the kernel gate cannot run here: {lacking}. {DOCTOR}; --gate shim runs the portable gate, "
                "which holds only what goes through PATH and the proxy"
            )
        from agentgate.intercept.kernel.backend import KernelBackend

        return KernelBackend(
            self.gate, policy, build.context(settings), build.places(settings), self._own,
            enforce=settings.enforce, network=settings.network,
            hold_reads=settings.secrets is SecretsChoice.ASK,
        )  # fmt: skip

    def _name_service(self, proxy: Proxy) -> Names:
        names = Names(
            proxy,
            lambda action: self._decide_connection(action, "dns"),
            lambda action, why: self.gate.refuse(action, "relay", why),
            lambda text: self.gate.post(Notice(text)),
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

    def use(self, policy: Policy) -> None:
        """Put ``policy`` in force for what is caught from now on."""
        if self.backend:
            self.backend.use(policy)

    def remember(self, answers: tuple[Remembered, ...]) -> None:
        """As ``Backend.remember``; before the start too."""
        self._answers = answers
        if self.backend:
            self.backend.remember(answers)

    def hold(self, why: str, full: bool) -> None:
        """As ``Backend.hold``."""
        if self.backend:
            self.backend.hold(why, full)

    def forget(self, paths: Sequence[str]) -> None:
        """As ``Backend.forget``."""
        if self.backend and paths:
            self.backend.forget(*paths)

    async def close(self, why: str = "the session ended") -> None:
        """End the agent's tree and its connections, deny what it waits for and say ``why``; a start under way
        is broken off. Safe to call twice, and at any moment."""
        self._closed = self._closed or why
        self.gate.close(why)
        async with self._closing, contextlib.AsyncExitStack() as last:
            if self._starting and not self._starting.done():
                self._starting.cancel()
                await asyncio.wait([self._starting])
            # each one is done, whatever becomes of the others
            if self.proxy:
                last.push_async_callback(self.proxy.close)
            if self.names:
                last.push_async_callback(self.names.close)
            last.push_async_callback(asyncio.to_thread, self.keeping.end)
            if self.backend:
                last.push_async_callback(self.backend.stop)


def _cancelled() -> bool:
    """Whether the running task itself was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
