"""The portable gate: runs the agent with shims first on its PATH.

Holds: a command that is looked up on PATH and has a shim asks the gate, waits, and runs or not. Does not
hold: a program by its absolute path, a changed PATH (a login shell may reset it), what a program does once
it runs. The session's proxy decides the connections of programs that honour its environment variables.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from agentgate.gate.broker import Broker
from agentgate.gate.command import Places
from agentgate.gate.entrance import Entrance
from agentgate.gate.private import private_directory
from agentgate.gate.remembered import Remembered
from agentgate.intercept.backend import Attribute, GateUnavailable, Launch
from agentgate.intercept.shim import tree
from agentgate.intercept.shim.install import available, install
from agentgate.policy.model import Policy

__all__ = ["ShimBackend"]


def resolve(command: str, path: str, cwd: str) -> str:
    """The absolute path of the program that ``command`` names for a process in ``cwd``.

    Raises FileNotFoundError or PermissionError, as execve(2) would.
    """
    if os.sep in command:
        candidates = [os.path.join(cwd, command)]
    else:
        candidates = [os.path.join(cwd, entry, command) for entry in path.split(os.pathsep)]
    refused = ""
    for candidate in candidates:
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.stat(candidate).st_mode):
                if os.access(candidate, os.X_OK):
                    return candidate
                refused = refused or candidate
    if refused:
        raise PermissionError(errno.EACCES, "this file is not executable", refused)
    where = "no such program" if os.sep in command else "no such program on PATH"
    raise FileNotFoundError(errno.ENOENT, where, command)


class ShimBackend:
    """The portable gate around one agent."""

    kind = "shim"
    holds_reads = False
    attribute: Attribute | None = None  # a proxy's client cannot be told from any other process here

    def __init__(self, gate: Entrance) -> None:
        self._gate = gate
        self._broker: Broker | None = None
        self._directory = ""
        self._process: asyncio.subprocess.Process | None = None
        self._root: tree.Found | None = None

    async def start(self, launch: Launch) -> int:
        """Run the agent, return its pid. Raises FileNotFoundError or another OSError when the command
        cannot run, GateUnavailable when there is no place for the shims. Then nothing is left behind."""
        path = launch.env.get("PATH") or os.defpath
        temporary = launch.env.get("TMPDIR") or "/tmp"
        program = resolve(launch.command[0], path, launch.cwd)
        try:
            self._directory = private_directory(launch.env)
        except OSError as error:
            raise GateUnavailable(f"the portable gate cannot run here: {error}") from error
        try:
            shims = os.path.join(self._directory, "bin")
            await asyncio.to_thread(lambda: install(shims, available(path)))
            self._broker = Broker(
                self._gate,
                places=Places.of(path, (launch.cwd, temporary, "/tmp", "/var/tmp")),
                directory=self._directory,
            )
            await self._broker.start()
            env = {**launch.env, **self._broker.environment(), "PATH": f"{shims}{os.pathsep}{path}"}
            for name in ("NO_PROXY", "no_proxy"):  # nothing but the proxy sees connections to this machine
                env.pop(name, None)
            return await self._launch(launch, program, env)
        except BaseException:
            await self.stop()
            raise

    async def _launch(self, launch: Launch, program: str, env: Mapping[str, str]) -> int:
        assert self._broker is not None
        ready, ready_child = os.pipe()
        go_child, go = os.pipe()
        launcher = str(Path(__file__).with_name("launch.py"))
        words = [ready_child, go_child, os.getpid(), int(launch.controlling), int("LC_CTYPE" in env)]
        try:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", launcher, *map(str, words), program, *launch.command),
                    stdin=launch.stdio[0],
                    stdout=launch.stdio[1],
                    stderr=launch.stdio[2],
                    cwd=launch.cwd,
                    env=env,
                    pass_fds=(ready_child, go_child),
                )
            finally:
                os.close(ready_child)
                os.close(go_child)
            self._root = tree.snapshot().get(self._process.pid)
            # The agent's own start was decided by its operator: what a script does to find its
            # interpreter is not asked about.
            self._broker.approve(self._process.pid, program, launch.command)
            os.write(go, b"1")
            failed = await asyncio.to_thread(os.read, ready, 16)
        finally:
            os.close(ready)
            os.close(go)
        if failed:
            number = int(failed)
            raise OSError(number, os.strerror(number), launch.command[0])
        return self._process.pid

    async def wait(self) -> int:
        """The agent's exit status, 128 + signal when one ended it."""
        assert self._process is not None, "not started"
        status = await self._process.wait()
        return status if status >= 0 else 128 - status

    async def stop(self) -> None:
        """End the agent and all of its tree that can be found (five seconds at most), then the broker."""
        if self._process is not None and self._root is not None and self._broker is not None:
            await tree.end(self._root, self._broker.environment()["AGENTGATE_TOKEN"].encode())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._process.wait()
        if self._broker is not None:
            await self._broker.close()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = ""

    def use(self, policy: Policy) -> None:
        """Nothing to do: the broker asks the gate, which has the new policy."""

    def remember(self, answers: Iterable[Remembered]) -> None:
        """Likewise."""

    def forget(self, *paths: str) -> None:
        """Nothing is known of any path here."""

    def hold(self, why: str, wait: bool) -> None:
        """Likewise."""
