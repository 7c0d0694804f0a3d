"""connect, bind, listen and the sockets that are never made, on the caller's own socket.

``pidfd_getfd`` gives the warden a duplicate of the caller's socket; the address that was decided is the
one that is used, read once from the caller's memory.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Callable

from agentgate.actions import Kind
from agentgate.intercept.kernel import libc
from agentgate.intercept.kernel.caller import Caller
from agentgate.intercept.kernel.effect import Effect
from agentgate.intercept.kernel.files import Handler, fail, signed, with_umask
from agentgate.intercept.kernel.listeners import Address, Listeners
from agentgate.intercept.kernel.places import find, reach

__all__ = ["Sockets", "host_port"]

_FAMILY = struct.Struct("=H")
_ADDRESS_MAX = 128
_TYPES = {1: "stream", 2: "datagram", 3: "raw", 4: "rdm", 5: "seqpacket", 6: "dccp", 10: "packet"}


def host_port(address: Address, port: int) -> str:
    """``1.2.3.4:80`` or ``[::1]:80``; a v4-mapped address is the v4 address that it reaches."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return f"{address.ipv4_mapped}:{port}"
        return f"[{address.compressed}]:{port}"
    return f"{address}:{port}"


def _inet(raw: bytes) -> tuple[Address, int] | None:
    """Address and port of a sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)); None for another family."""
    family = _FAMILY.unpack_from(raw)[0] if len(raw) >= 2 else 0
    if family == socket.AF_INET and len(raw) >= 8:
        return ipaddress.IPv4Address(raw[4:8]), int.from_bytes(raw[2:4], "big")
    if family == socket.AF_INET6 and len(raw) >= 24:
        return ipaddress.IPv6Address(raw[8:24]), int.from_bytes(raw[2:4], "big")
    return None


def _is_loopback(address: Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _spelled_out(raw: bytes) -> bytes:
    """The unspecified address means this machine to connect(2): decided and used as what it means."""
    found = _inet(raw)
    if found is None:
        return raw
    address = found[0]
    if address == ipaddress.IPv4Address(0):
        return raw[:4] + ipaddress.IPv4Address("127.0.0.1").packed + raw[8:]
    if address == ipaddress.IPv6Address(0):
        return raw[:8] + ipaddress.IPv6Address(1).packed + raw[24:]
    if getattr(address, "ipv4_mapped", None) == ipaddress.IPv4Address(0):
        return raw[:8] + ipaddress.IPv6Address("::ffff:127.0.0.1").packed + raw[24:]
    return raw


class _Socket:
    """A duplicate of the caller's socket, held for one effect."""

    def __init__(self, caller: Caller, number: int) -> None:
        descriptor = caller.proc.descriptor(signed(number))
        try:
            self.sock = socket.socket(fileno=descriptor)
        except OSError:  # ENOTSOCK
            os.close(descriptor)
            raise

    def moved(self) -> bool:
        return False

    def close(self) -> None:
        self.sock.close()


class Sockets:
    """The socket calls of one session. ``proxy_port`` is the session's own proxy; ``report`` is told
    (local port, caller) for every connection to it, so that the proxy knows whose it is."""

    def __init__(self, proxy_port: int, report: Callable[[int, Caller], None]) -> None:
        self._proxy_port = proxy_port
        self._report = report
        self._own = Listeners()
        self.handlers: dict[str, Handler] = {
            "connect": self._connect,
            "bind": self._bind,
            "listen": self._listen,
            "socket": self._socket,
            "socketpair": self._socketpair,
        }

    # -- sockets that are never made

    @staticmethod
    def _refuse(family: int, kind: int) -> Effect:
        name = (
            socket.AddressFamily(family).name if family in set(socket.AddressFamily) else f"family {family}"
        )
        what = f"{name.removeprefix('AF_').lower()}:{_TYPES.get(kind & 0xF, str(kind & 0xF))}"
        reason = "such a socket could send to addresses that nobody decided"
        return Effect(
            "socket", lambda: -1, Kind.NET_EGRESS, f"socket:{what}", refused=reason
        )  # fmt: skip

    def _socket(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        return self._refuse(signed(args[0]), args[1])

    def _socketpair(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        return self._refuse(signed(args[0]), args[1])

    # -- connect

    @staticmethod
    def _address(caller: Caller, args: tuple[int, ...]) -> bytes:
        size = signed(args[2])
        if not 0 <= size <= _ADDRESS_MAX:
            raise fail(errno.EINVAL)
        return caller.memory(args[1], size) if size else b""

    def _connect(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        raw = _spelled_out(self._address(caller, args))
        held = _Socket(caller, args[0])
        family = _FAMILY.unpack_from(raw)[0] if len(raw) >= 2 else 0
        if family == socket.AF_UNIX:
            return self._connect_unix(caller, held, raw)

        def perform() -> int:
            libc.connect(held.sock.fileno(), raw)
            return 0

        effect = Effect("connect", perform, keeps=[held])
        found = _inet(raw)
        if found is None:
            return effect  # AF_UNSPEC and netlink: reaches no host
        address, port = found
        # whatever the socket's mode is now: another thread can change it until the call is made
        effect.blocking = True
        if _is_loopback(address) and port == self._proxy_port:
            effect.perform = lambda: self._to_proxy(effect, caller, held, raw)
        elif not (_is_loopback(address) and self._own.owns(held.sock, address, port)):
            effect.kind, effect.target = Kind.NET_EGRESS, host_port(address, port)
        return effect

    def _to_proxy(self, effect: Effect, caller: Caller, held: _Socket, raw: bytes) -> int:
        try:
            libc.connect(held.sock.fileno(), raw)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise
            port = held.sock.getsockname()[1]
            effect.done = lambda: self._report(port, caller)
            raise
        port = held.sock.getsockname()[1]
        effect.done = lambda: self._report(port, caller)
        return 0

    def _connect_unix(self, caller: Caller, held: _Socket, raw: bytes) -> Effect:
        name = raw[2:]
        if not name or name[:1] == b"\0":
            return self._connect_abstract(held, raw)
        found = reach(caller, libc.AT_FDCWD, name.split(b"\0", 1)[0])
        address = _FAMILY.pack(socket.AF_UNIX) + found.again + b"\0"

        def perform() -> int:
            libc.connect(held.sock.fileno(), address)
            return 0

        effect = Effect("connect", perform, blocking=True, keeps=[held, found])
        if not self._own.owns_file(found.status):
            effect.kind = Kind.NET_EGRESS
            effect.target = "unix:" + os.fsdecode(found.path or name)
        return effect

    def _connect_abstract(self, held: _Socket, raw: bytes) -> Effect:
        def perform() -> int:
            libc.connect(held.sock.fileno(), raw)
            return 0

        effect = Effect("connect", perform, blocking=True, keeps=[held])
        if raw[2:] and not self._own.owns_name(held.sock, raw[2:]):
            effect.kind, effect.target = Kind.NET_EGRESS, "unix:@" + os.fsdecode(raw[3:])
        return effect

    # -- bind and listen

    def _bind(self, caller: Caller, args: tuple[int, ...]) -> Effect:
        raw = self._address(caller, args)
        held = _Socket(caller, args[0])
        family = _FAMILY.unpack_from(raw)[0] if len(raw) >= 2 else 0
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
                address = raw if plain else _FAMILY.pack(socket.AF_UNIX) + place.name + b"\0"
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
        loopback = _is_loopback(address)

        def perform() -> int:
            held.sock.listen(min(signed(args[1]), 65535))
            if inet and loopback:
                # a connection that was broken off meanwhile takes the socket's address along
                if not _is_loopback(ipaddress.ip_address(held.sock.getsockname()[0].split("%")[0])):
                    held.sock.shutdown(socket.SHUT_RDWR)
                    raise fail(errno.EACCES)
                self._own.listens(held.sock)
            return 0

        effect = Effect("listen", perform, keeps=[held])
        if not loopback:
            effect.kind, effect.target = Kind.NET_EGRESS, "listen://" + host_port(address, own[1])
        return effect
