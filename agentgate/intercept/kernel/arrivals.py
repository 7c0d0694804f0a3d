"""The app's side of connections that the warden led to it, and of the names that it was told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

from agentgate.actions import Process
from agentgate.escape import printable
from agentgate.intercept.backend import Destination, NameService

__all__ = ["Arrivals", "Naming"]

_LATE = 2.0  # seconds that a connection waits for the warden's word on whose it is
_STALE = 5.0  # seconds after which such a word is no longer about this connection: ports are used again
_MOST = 4096
_SERVERS = 2  # sockets that the helper makes: IPv4 and IPv6


class Arrivals:
    """Whose a connection from a local port is. The warden's word may come before or after it."""

    def __init__(self) -> None:
        self._ports: dict[int, asyncio.Future[Destination]] = {}

    def told(self, message: dict[str, Any]) -> None:
        """The warden's word."""
        port = message["port"]
        future = self._port(port)
        if future.done():
            self._ports.pop(port)
            future = self._port(port)
        chain = tuple(map(Process.from_wire, message["chain"]))
        future.set_result(Destination(chain, message["name"], message["to"]))
        asyncio.get_running_loop().call_later(_STALE, self._forget, port, future)

    async def attribute(self, client: tuple[str, int]) -> tuple[Process, ...] | None:
        """The process chain behind a connection to the proxy; None when it is nobody's of this session."""
        found = await self._wait(client[1])
        return found.chain if found and not found.name else None

    async def directions(self, client: tuple[str, int]) -> Destination | None:
        """Where a connection to the relay goes; None when nothing was decided about it."""
        found = await self._wait(client[1])
        return found if found and found.name else None

    async def _wait(self, port: int) -> Destination | None:
        future = self._port(port)
        try:
            return await asyncio.wait_for(asyncio.shield(future), _LATE)
        except TimeoutError:
            return None
        finally:
            self._ports.pop(port, None)

    def _port(self, port: int) -> asyncio.Future[Destination]:
        if port not in self._ports:
            while len(self._ports) > _MOST:
                self._ports.pop(next(iter(self._ports)))
            self._ports[port] = asyncio.get_running_loop().create_future()
        return self._ports[port]

    def _forget(self, port: int, future: asyncio.Future[Destination]) -> None:
        if self._ports.get(port) is future:
            del self._ports[port]


class Naming:
    """Hands the helper's sockets to the name service, and the service's names to the warden by ``send``."""

    def __init__(
        self, service: NameService, arrivals: Arrivals, send: Callable[[dict[str, Any]], None]
    ) -> None:
        self._service = service
        self._arrivals = arrivals
        self._send = send
        self._announced: dict[str, asyncio.Future[None]] = {}
        self._link, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._link.setblocking(False)
        self._waiting = True

    @property
    def theirs(self) -> int:
        """The descriptor that the warden is to have."""
        return self._theirs.fileno()

    def order(self) -> dict[str, Any]:
        """What the warden is told."""
        service = self._service
        return {
            "app": self.theirs, "relay": service.relay_port, "dns": service.dns_port, "pool": service.pool
        }  # fmt: skip

    def begin(self) -> None:
        """Listen for the helper."""
        asyncio.get_running_loop().add_reader(self._link, self._hear)

    def passed(self) -> None:
        """The warden has its descriptor."""
        self._theirs.close()

    def _hear(self) -> None:
        try:
            said, descriptors, _, _ = socket.recv_fds(self._link, 512, _SERVERS)
        except BlockingIOError:
            return
        except OSError as error:
            said, descriptors = f"-{error}".encode(), []
        self.close()
        if descriptors:
            sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
            for sock in sockets:
                sock.setblocking(False)
            self._service.serve(sockets, self._announce, self._arrivals.directions)
        else:
            why = said[1:].decode("utf-8", "replace") or "its helper ended"
            self._service.unavailable(printable(why, 200))

    async def _announce(self, address: str, name: str, forget: str) -> None:
        """Return once the warden knows. Cancelled when it never will."""
        told = self._announced.get(address)
        if told is None or told.done():
            told = self._announced[address] = asyncio.get_running_loop().create_future()
            self._send({"type": "name", "address": address, "name": name, "forget": forget})
        await asyncio.shield(told)

    def heard(self, message: dict[str, Any]) -> None:
        """The warden knows."""
        told = self._announced.pop(message["address"], None)
        if told and not told.done():
            told.set_result(None)

    def close(self) -> None:
        if self._waiting:
            self._waiting = False
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(self._link)
            self._link.close()
            self._theirs.close()
