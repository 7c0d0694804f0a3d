"""The first words of a connection to a name: a TLS greeting must name the server that was decided on.

A name that is not in the greeting, or a connection without TLS, leaves nothing that could differ here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from agentgate.escape import printable
from agentgate.intercept.proxy.greeting import LONGEST, BadGreeting, server_name

__all__ = ["Greeting", "Mismatch"]

_CHUNK = 64 * 1024


class Mismatch(Exception):
    """The greeting names another server, or is none though it begins like one."""


class Greeting:
    """Reads what the client says first, while what the server says goes through: many protocols begin with
    the server, and the client of such a one may wait for ever."""

    def __init__(
        self, client: socket.socket, server: socket.socket, name: str, said: bytes, early: bytes
    ) -> None:
        """``said`` and ``early`` were already read, of the client and of the server."""
        self._client, self._server = client, server
        self._name = name
        self._said = bytearray(said)
        self._back = bytearray(early)  # not yet taken by the client
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()

    async def run(self) -> tuple[bytes, bytes]:
        """(the client's bytes, the server's bytes) that are still to be passed on.

        Raises Mismatch and OSError. Reads by readiness and not by awaiting: a cancelled read may lose what
        it had.
        """
        if self._said and self._agrees():
            return bytes(self._said), bytes(self._back)
        self._loop.add_reader(self._client, self._step, self._from_client)
        self._loop.add_reader(self._server, self._step, self._from_server)
        try:
            await self._done
        finally:
            self._loop.remove_reader(self._client)
            self._loop.remove_reader(self._server)
            self._loop.remove_writer(self._client)
        return bytes(self._said), bytes(self._back)

    def _step(self, read: Callable[[], None]) -> None:
        try:
            read()
        except BlockingIOError:
            pass
        except (OSError, Mismatch) as error:
            if not self._done.done():
                self._done.set_exception(error)

    def _end(self) -> None:
        if not self._done.done():
            self._done.set_result(None)

    def _from_client(self) -> None:
        data = self._client.recv(_CHUNK)
        self._said += data
        if self._agrees() or not data:
            self._end()

    def _agrees(self) -> bool:
        """Whether what was said is enough to be passed on. Raises Mismatch."""
        try:
            name = server_name(bytes(self._said[: LONGEST + _CHUNK]))
        except BadGreeting as error:
            raise Mismatch(str(error)) from None
        if name and name != self._name:
            raise Mismatch(
                f"the TLS greeting names {printable(name, 253)}, the connection was decided as {self._name}"
            )
        return name is not None

    def _from_server(self) -> None:
        data = self._server.recv(_CHUNK)
        if not data:
            self._loop.remove_reader(self._server)  # the pump will find the end again
            if not self._said:
                self._end()
            return
        self._back += data
        self._drain()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            count = self._client.send(self._back)
            del self._back[:count]
        if self._back:
            self._loop.remove_reader(self._server)
            self._loop.add_writer(self._client, self._step, self._drain)
        else:
            self._loop.remove_writer(self._client)
            self._loop.add_reader(self._server, self._step, self._from_server)
