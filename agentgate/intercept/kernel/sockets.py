"""connect, bind, listen on the caller's own socket; UDP sockets; and the sockets that are never made.

``pidfd_getfd`` gives the warden a duplicate of the caller's socket; the address that was decided is the
one that is used, read once from the caller's memory. UDP sockets are made in a network that leads nowhere
(``netns.py``): where their datagrams go needs no decision.
"""

from __future__ import annotations

import _socket
import errno
import ipaddress
import os
import socket
from collections.abc import Callable

from agentgate.actions import Kind
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.addresses import (
    FAMILY,
    Address,
    host_port,
    inet,
    is_loopback,
    on_loopback,
    spelled_out,
)
from agentgate.intercept.kernel.bound import bound_name
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.connecting import Connecting, hear_alarms
from agentgate.intercept.kernel.effect import Descriptor, Effect
from agentgate.intercept.kernel.handler import Handler, fail, signed, with_umask
from agentgate.intercept.kernel.kinds import never
from agentgate.intercept.kernel.listeners import Listeners
from agentgate.intercept.kernel.names import NAME_SERVICES, Names
from agentgate.intercept.kernel.places import find, reach

__all__ = ["Sockets"]

_ADDRESS_MAX = 128


class _Socket:
    """A duplicate of the caller's socket, held for one effect."""

    def __init__(self, caller: Caller, number: int) -> None:
        descriptor = caller.proc.descriptor(signed(number))
        try:
            # without the class of Python's own, whose every look at the family makes an enum's member
            self.sock = _socket.socket(-1, -1, 0, descriptor)  # its protocol is of no interest
        except OSError:  # ENOTSOCK
            os.close(descriptor)
            raise

    def moved(self) -> bool:
        return False

    def close(self) -> None:
        self.sock.close()


def _connected(held: _Socket, raw: bytes) -> int:
    libc.connect(held.sock.fileno(), raw)
    return 0


Report = Callable[[int, Caller, str, int], None]
"""Told of a connection that the warden led to the app: its local port, the caller and, to the relay, the
name and the port that it is for."""


class Sockets:
    """The socket calls of one session. ``proxy_port`` is the session's own proxy; ``report`` is told of
    every connection to it and to the relay, so that they know whose it is."""

    def __init__(self, proxy_port: int, report: Report, names: Names) -> None:
        self._proxy_port = proxy_port
        self._report = report
        self._names = names
        self._own = Listeners()
        hear_alarms()
        self.handlers: dict[str, Handler] = {
            "connect": self._connect,
            "bind": self._bind,
            "listen": self._listen,
            "socket": self._socket,
            "socketpair": self._socketpair,
        }

    # -- sockets that are made elsewhere, or never

    def _socket(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        family, kind, protocol = signed(args[0]), signed(args[1]), signed(args[2])
        internet = family in (socket.AF_INET, socket.AF_INET6)
        if not internet or kind & 0xF != socket.SOCK_DGRAM or protocol not in (0, socket.IPPROTO_UDP):
            return never(family, kind, protocol)
        if kind & ~(0xF | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC):
            raise fail(errno.EINVAL)
        network = self._names.network
        if network is None:
            return never(family, kind, protocol, f"no datagrams in this session: {self._names.why}")

        def perform() -> Descriptor:
            descriptor = network.make(family)
            os.set_blocking(descriptor, not kind & socket.SOCK_NONBLOCK)
            return Descriptor(descriptor, cloexec=bool(kind & socket.SOCK_CLOEXEC))

        return Effect("socket", perform)

    def _socketpair(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        return never(signed(args[0]), args[1], signed(args[2]))

    # -- connect

    @staticmethod
    def _address(caller: Caller, args: tuple[int, ...]) -> bytes:
        size = signed(args[2])
        if not 0 <= size <= _ADDRESS_MAX:
            raise fail(errno.EINVAL)
        return caller.memory(args[1], size) if size else b""

    def _connect(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        raw = spelled_out(self._address(caller, args))
        held = _Socket(caller, args[0])
        family = FAMILY.unpack_from(raw)[0] if len(raw) >= 2 else 0
        if family == socket.AF_UNIX:
            return self._connect_unix(caller, held, raw)

        effect = Effect("connect", lambda: _connected(held, raw), keeps=[held])
        found = inet(raw)
        if found is None:
            return effect  # AF_UNSPEC and netlink: reaches no host
        if held.sock.type == socket.SOCK_DGRAM and self._names.isolated(held.sock):
            return effect
        self._directed(effect, caller, held, raw, *found)
        return effect

    def _directed(
        self, effect: Effect, caller: Caller, held: _Socket, raw: bytes, address: Address, port: int
    ) -> None:
        """Where a connection out goes, and what is decided about it."""
        names, here = self._names, is_loopback(address)
        name = names.name(address)
        if here and port == self._proxy_port:
            self._to_app(effect, caller, held, raw, "", 0)
        elif here and self._own.owns(held.sock, address, port):
            effect.perform = Connecting(caller, held.sock, raw)
        elif names.is_lookup(held.sock, port):
            effect.perform = Connecting(caller, held.sock, on_loopback(raw, names.dns))
        elif name and held.sock.type == socket.SOCK_STREAM:
            effect.kind, effect.target = Kind.NET_EGRESS, f"{name}:{port}"
            self._to_app(effect, caller, held, on_loopback(raw, names.relay), name, port)
        elif names.pooled(address) or (here and names.is_inner(port)):
            held.close()
            raise fail(errno.ECONNREFUSED if here else errno.EHOSTUNREACH)
        else:
            if here and held.sock.type == socket.SOCK_STREAM:
                effect.check = lambda: self._own.somebody(held.sock, address, port)
            scheme = "udp://" if held.sock.type == socket.SOCK_DGRAM else ""
            effect.kind, effect.target = Kind.NET_EGRESS, scheme + host_port(address, port)
            effect.perform = Connecting(caller, held.sock, raw, near=here)

    def _to_app(self, effect: Effect, caller: Caller, held: _Socket, raw: bytes, name: str, to: int) -> None:
        """To the proxy or the relay, which are told whose connection it is before the caller hears."""
        connecting = Connecting(caller, held.sock, raw)

        def told() -> None:
            self._report(held.sock.getsockname()[1], caller, name, to)

        def perform() -> int:
            try:
                connecting()
            except OSError as error:
                if error.errno == errno.EINPROGRESS:
                    effect.done = told
                raise
            effect.done = told
            return 0

        effect.perform = perform

    def _connect_unix(self, caller: Caller, held: _Socket, raw: bytes) -> Effect:
        name = raw[2:]
        if not name or name[:1] == b"\0":
            return self._connect_abstract(caller, held, raw)
        name = name.split(b"\0", 1)[0]
        found = reach(caller, libc.AT_FDCWD, name)
        address = FAMILY.pack(socket.AF_UNIX) + found.again + b"\0"
        # what has no path any more is shown as it was called, which no rule for a path takes for one
        path = os.fsdecode(found.path or b"?" + name)

        if path in NAME_SERVICES:
            held.close()
            found.close()
            raise fail(errno.ECONNREFUSED)
        effect = Effect("connect", Connecting(caller, held.sock, address), keeps=[held, found])
        if not self._own.owns_file(found.status):
            effect.kind = Kind.NET_EGRESS
            effect.target = f"unix:{path}"
            bound = bound_name(found.status)
            if bound and bound != found.path:
                effect.origin = "unix:" + os.fsdecode(bound)
        return effect

    def _connect_abstract(self, caller: Caller, held: _Socket, raw: bytes) -> Effect:
        effect = Effect("connect", Connecting(caller, held.sock, raw), keeps=[held])
        if raw[2:] and not self._own.owns_name(held.sock, raw[2:]):
            effect.kind, effect.target = Kind.NET_EGRESS, "unix:@" + os.fsdecode(raw[3:])
        return effect

    # -- bind and listen

    def _bind(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        raw = self._address(caller, args)
        held = _Socket(caller, args[0])
        family = FAMILY.unpack_from(raw)[0] if len(raw) >= 2 else 0
        if family == socket.AF_UNIX and raw[2:3] not in (b"", b"\0"):
            return self._bind_file(caller, held, raw)

        def perform() -> int:
            libc.bind(held.sock.fileno(), raw)
            if family == socket.AF_UNIX:
                self._own.named(held.sock)
            return 0

        # an inet address is nobody's business until something listens there
        return Effect("bind", perform, keeps=[held])

    def _bind_file(self, caller: Caller, held: _Socket, raw: bytes) -> Effect:
        path = raw[2:].split(b"\0", 1)[0]
        place = find(caller, libc.AT_FDCWD, path)
        relative = path[:1] != b"/"
        plain = relative or caller.path(libc.AT_FDCWD, path) == path  # the same to the warden

        def make() -> None:
            # bind(2) knows no directory descriptor, and the address as it is given is what getsockname(2)
            # tells the caller and its peers. Nobody in the tree can turn a link meanwhile: that would be
            # held, and the warden is busy here; what was turned before is found by looking once more.
            again = find(caller, libc.AT_FDCWD, path)
            same = os.path.samestat(os.fstat(again.fd), os.fstat(place.fd)) and again.name == place.name
            again.close()
            if not same:
                raise fail(errno.EACCES)
            os.chdir(f"/proc/{caller.tid}/cwd" if plain and relative else f"/proc/self/fd/{place.fd}")
            try:
                address = raw if plain else FAMILY.pack(socket.AF_UNIX) + place.name + b"\0"
                libc.bind(held.sock.fileno(), address)
            finally:
                os.chdir("/")
            self._own.bound(place.fd, place.name)

        def perform() -> int:
            with_umask(caller, make)
            return 0

        def check() -> None:
            if place.status() is not None:
                raise fail(errno.EADDRINUSE)
            if not os.access(b"/proc/self/fd/%d" % place.fd, os.W_OK | os.X_OK, effective_ids=True):
                raise fail(errno.EACCES)

        return Effect(
            "bind", perform, Kind.FS_WRITE, os.fsdecode(place.path), check=check, keeps=[held, place]
        )  # fmt: skip

    def _listen(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        held = _Socket(caller, args[0])
        inet = held.sock.family in (socket.AF_INET, socket.AF_INET6)
        own = held.sock.getsockname()
        address = ipaddress.ip_address(own[0].split("%")[0] if inet else "127.0.0.1")
        loopback = is_loopback(address)

        def perform() -> int:
            held.sock.listen(min(signed(args[1]), 65535))
            if inet and loopback:
                # a connection that was broken off meanwhile takes the socket's address along
                if not is_loopback(ipaddress.ip_address(held.sock.getsockname()[0].split("%")[0])):
                    held.sock.shutdown(socket.SHUT_RDWR)
                    raise fail(errno.EACCES)
                self._own.listens(held.sock)
            return 0

        effect = Effect("listen", perform, keeps=[held])
        # beside another's listener (SO_REUSEPORT) it would be given a share of that one's connections
        if not loopback or (inet and self._own.taken(held.sock, address, own[1])):
            effect.kind, effect.target = Kind.NET_EGRESS, "listen://" + host_port(address, own[1])
        return effect
