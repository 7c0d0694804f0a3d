"""The thread that moves the bytes of all tunnels, so that neither a drawn screen holds up a download nor a
download the screen: the interpreter's lock is free while the kernel moves pages.

One thread and one selector for all tunnels: an idle tunnel costs two descriptors and nothing else. Sockets
are handed over for good; the event loop must not watch them any more.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from agentgate.intercept.proxy.tunnel import Carriers, Traffic, Tunnel
from agentgate.intercept.proxy.wire import abort

__all__ = ["Pump"]

_SWEEP = 30.0  # seconds between looks at half-closed tunnels


@dataclass(eq=False, slots=True)
class _Lease:
    """A tunnel in the pump, and who waits for its end."""

    tunnel: Tunnel
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Future[Traffic]
    used: float = field(default_factory=time.monotonic)


def _settle(ended: asyncio.Future[Traffic], traffic: Traffic) -> None:
    if not ended.done():
        ended.set_result(traffic)


def _owned(sock: socket.socket) -> socket.socket:
    own = socket.socket(fileno=sock.detach())
    own.setblocking(False)
    return own


class Pump:
    """``start``, then ``carry`` for each tunnel, then ``stop``; all three from the event loop's thread."""

    def __init__(self, *, half_closed: float, splices: bool = True, name: str = "proxy pump") -> None:
        self._half_closed = half_closed
        self._carriers = Carriers(splices=splices)
        self._orders: deque[tuple[str, _Lease | None]] = deque()  # append and popleft are atomic
        self._leases: set[_Lease] = set()  # the thread's own, like the next
        self._half: set[_Lease] = set()  # of these, the half-closed ones
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._running = False

    def start(self) -> None:
        """Once. Raises OSError when there are no descriptors left."""
        self._selector = selectors.DefaultSelector()
        self._bell, self._ear = socket.socketpair()
        self._bell.setblocking(False)
        self._ear.setblocking(False)
        self._selector.register(self._ear, selectors.EVENT_READ, None)
        self._running = True
        self._thread.start()

    def stop(self) -> None:
        """Reset what is still open and end the thread. The second call does nothing."""
        self._running = False
        if self._thread.is_alive():
            self._order("stop", None)
            self._thread.join()

    async def carry(
        self, client: socket.socket, server: socket.socket, *, from_client: bytes, from_server: bytes
    ) -> Traffic:
        """Carry bytes until both sides have ended or one is broken; both are closed in any case.

        The sockets given are empty shells from here on: a close by the caller cannot pull a descriptor
        from under the thread. ``from_client`` and ``from_server`` were read before and go first.
        Cancelling cuts the tunnel.
        """
        loop = asyncio.get_running_loop()
        client, server = _owned(client), _owned(server)
        lease = _Lease(Tunnel(client, server, from_client, from_server), loop, loop.create_future())
        if not self._running:
            abort(client)
            abort(server)
            return lease.tunnel.traffic(orderly=False)
        self._order("open", lease)
        try:
            return await lease.ended
        except asyncio.CancelledError:
            self._order("drop", lease)
            raise

    def _order(self, what: str, lease: _Lease | None) -> None:
        self._orders.append((what, lease))
        try:
            self._bell.send(b"\0")
        except OSError:  # full: it will ring anyway; closed: the thread has ended, and with it all tunnels
            pass

    # What follows runs in the thread.

    def _run(self) -> None:
        try:
            while self._obey():
                patience = min(_SWEEP, self._half_closed) if self._half else None
                for key, events in self._selector.select(patience):
                    if key.data is None:
                        self._ear.recv(4096)
                    else:
                        lease, sock = key.data
                        self._turn(lease, sock, events)
                if patience is not None:
                    self._sweep()
        finally:
            self._running = False
            unopened = [lease for what, lease in self._orders if lease and what == "open"]
            for lease in [*self._leases, *unopened]:
                self._end(lease, orderly=False)
            self._carriers.close()
            self._selector.close()
            self._bell.close()
            self._ear.close()

    def _obey(self) -> bool:
        while self._orders:
            what, lease = self._orders.popleft()
            if lease is None:
                return False
            if what == "open":
                self._leases.add(lease)
                self._watch(lease)
            elif lease in self._leases:
                self._end(lease, orderly=False)
        return True

    def _turn(self, lease: _Lease, sock: socket.socket, events: int) -> None:
        if lease not in self._leases:  # ended by the other socket's event of this round
            return
        lease.used = time.monotonic()
        try:
            lease.tunnel.turn(
                sock,
                self._carriers,
                readable=bool(events & selectors.EVENT_READ),
                writable=bool(events & selectors.EVENT_WRITE),
            )
            if not lease.tunnel.done:
                self._watch(lease)
                if lease.tunnel.half_closed:
                    self._half.add(lease)
                return
        except OSError:
            self._end(lease, orderly=False)
        else:
            self._end(lease, orderly=True)

    def _watch(self, lease: _Lease) -> None:
        """Let the selector wait for what the tunnel can use, and for nothing else."""
        known = self._selector.get_map()
        for sock in (lease.tunnel.client, lease.tunnel.server):
            read, write = lease.tunnel.wants(sock)
            events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
            key = known.get(sock)
            if key is None:
                if events:
                    self._selector.register(sock, events, (lease, sock))
            elif not events:
                self._selector.unregister(sock)
            elif key.events != events:
                self._selector.modify(sock, events, key.data)

    def _end(self, lease: _Lease, *, orderly: bool) -> None:
        self._leases.discard(lease)
        self._half.discard(lease)
        tunnel = lease.tunnel
        known = self._selector.get_map()
        for sock in (tunnel.client, tunnel.server):
            if sock in known:
                self._selector.unregister(sock)
            if orderly:
                sock.close()
            else:
                abort(sock)
        tunnel.up.release(self._carriers)
        tunnel.down.release(self._carriers)
        try:
            lease.loop.call_soon_threadsafe(_settle, lease.ended, tunnel.traffic(orderly=orderly))
        except RuntimeError:  # the loop has ended
            pass

    def _sweep(self) -> None:
        """Cut tunnels whose one side has ended and whose other side has been silent too long: nobody may be
        left there, and nothing else would ever end them."""
        oldest = time.monotonic() - self._half_closed
        for lease in list(self._half):
            if lease.used <= oldest:
                self._end(lease, orderly=False)
