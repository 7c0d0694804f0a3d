"""What a session needs of the part that runs the agent and catches its actions.

Two of these exist: ``kernel`` (seccomp and Landlock, nothing escapes) and ``shim`` (PATH shims, for
where the kernel gate cannot be). The session does not care which it has.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from agentgate.actions import Process
from agentgate.gate.remembered import Remembered
from agentgate.policy.model import Policy

__all__ = [
    "DOCTOR",
    "Announce",
    "Attribute",
    "Backend",
    "Destination",
    "Directions",
    "GateUnavailable",
    "Launch",
    "NameService",
]

# (ip, port) of a client of the proxy -> its process chain; None: not a process of this session
Attribute = Callable[[tuple[str, int]], Awaitable[tuple[Process, ...] | None]]


DOCTOR = "agentgate doctor says what holds here and what to do"


class GateUnavailable(RuntimeError):
    """This gate cannot run here; the message says what is missing and what to do, in one line."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A connection that was led to the relay: whose it is, and where it was decided to go."""

    chain: tuple[Process, ...]
    name: str
    port: int


# (ip, port) of a client of the relay -> where it goes; None: nothing that was decided
Directions = Callable[[tuple[str, int]], Awaitable[Destination | None]]
# Say (address, name, forgotten address or nothing) and return once the gate will act on it
Announce = Callable[[str, str, str], Awaitable[None]]


class NameService(Protocol):
    """What makes names work for programs that know no proxy. ``relay_port`` and ``dns_port`` are TCP ports
    on 127.0.0.1, ``pool`` the network of addresses that stand for names."""

    relay_port: int
    dns_port: int
    pool: str

    def serve(self, sockets: list[socket.socket], announce: Announce, directions: Directions) -> None:
        """Answer DNS on these UDP sockets, which are the service's from here on."""

    def unavailable(self, why: str) -> None:
        """There will be none in this session."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What to run. ``stdio`` are descriptors that become 0, 1 and 2; with ``controlling`` the agent gets
    a new session with stdio[0], a pty's slave, as its controlling terminal. The caller closes its own."""

    command: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    stdio: tuple[int, int, int]
    controlling: bool
    proxy_port: int = 0  # the session's own proxy on loopback, which needs no decision to be reached
    names: NameService | None = None
    keep: bool = False  # go on until the last process that the agent started has ended
    store: str = ""  # the directory that keeps what was there before a change; "" keeps nothing


class Backend(Protocol):
    """Runs one agent. ``kind`` is the word shown in the header: ``kernel`` or ``shim``. ``holds_reads``:
    whether reads of secrets are decided."""

    kind: str
    holds_reads: bool

    @property
    def attribute(self) -> Attribute | None:
        """Tells the proxy whose a connection is; None where that cannot be known."""

    async def start(self, launch: Launch) -> int:
        """Run the agent, return its pid. Raises GateUnavailable, or OSError when the command cannot run."""

    async def wait(self) -> int:
        """The agent's exit status (0-255, or 128 + signal), once the session is over: with the agent, or
        with the last process that it left where those are kept."""

    async def stop(self) -> None:
        """End the agent and everything it started, then return."""

    def use(self, policy: Policy) -> None:
        """Put another policy in force for actions caught from now on."""

    def remember(self, answers: Iterable[Remembered]) -> None:
        """Let these answers hold from now on, and no others; the newest first."""

    def forget(self, *paths: str) -> None:
        """What was at these paths was taken back by the operator: what is known of them no longer holds."""

    def hold(self, why: str, wait: bool) -> None:
        """Allow nothing from now on, because of ``why``; with ``wait`` answer nothing at all. "" ends it."""
