"""What the warden knows of names: which pool address stands for which, and where connections go instead.

The app's DNS forwarder answers a lookup with an address out of its pool, and tells the warden first what
it stands for. A connect to that address is decided as ``name:port`` and goes to the app's relay, which
looks the name up; one to port 53 of any address goes to the forwarder.
"""

from __future__ import annotations

import _socket
import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Any

from agentgate.intercept.kernel.addresses import Address, plain
from agentgate.intercept.kernel.netns import Netns

__all__ = ["NAME_SERVICES", "Names"]

_DNS = 53
# Name services that would look names up outside: nscd, systemd-resolved, avahi. The C library tries them
# in every second program and says nothing when they are not there; then it asks over DNS, as on machines
# where they do not run. So they are not there, and nobody is asked at each start of ``ls -l``.
NAME_SERVICES = frozenset(
    {
        "/run/nscd/socket",
        "/var/run/nscd/socket",
        "/run/systemd/resolve/io.systemd.Resolve",
        "/run/avahi-daemon/socket",
    }
)


@dataclass
class Names:
    """``relay`` and ``dns`` are TCP ports of the app on 127.0.0.1; all is 0 or None where there are no names
    in this session. ``pool`` is the network of addresses that stand for names."""

    network: Netns | None = None
    relay: int = 0
    dns: int = 0
    pool: ipaddress.IPv4Network | None = None
    why: str = "there is no network for it"
    _names: dict[Address, str] = field(default_factory=dict)

    def learn(self, message: dict[str, Any]) -> None:
        """From now on ``address`` stands for ``name``, and ``forget`` for none."""
        if message["forget"]:
            self._names.pop(ipaddress.IPv4Address(message["forget"]), None)
        self._names[ipaddress.IPv4Address(message["address"])] = message["name"]

    def name(self, address: Address) -> str:
        """The name that ``address`` stands for, or nothing."""
        return self._names.get(plain(address), "") if self._names else ""

    def pooled(self, address: Address) -> bool:
        """Whether it is an address that can only stand for a name."""
        return self.pool is not None and plain(address) in self.pool

    def is_lookup(self, sock: _socket.socket, port: int) -> bool:
        """Whether a connect to ``port`` of anywhere asks for names over TCP."""
        return port == _DNS and bool(self.dns) and sock.type == socket.SOCK_STREAM

    def is_inner(self, port: int) -> bool:
        """Whether only the warden leads connections to this port of this machine."""
        return bool(port) and port in (self.relay, self.dns)

    def isolated(self, sock: _socket.socket) -> bool:
        """Whether ``sock`` can reach nothing outside the session, wherever it sends."""
        return self.network is not None and self.network.owns(sock)
