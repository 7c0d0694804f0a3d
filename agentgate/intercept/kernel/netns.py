"""A network that leads nowhere, in which the session's UDP sockets live.

A socket belongs for ever to the network namespace that it was made in. A small helper process, forked by
the warden before the agent, enters a new one (network_namespaces(7)), in which every address is this
machine's ("AnyIP": a route of type local for everything, ip-route(8)), and makes sockets there for the
warden, which gives them to the caller. Whatever is then done with such a socket - sendto, sendmmsg,
IP_PKTINFO, from another thread, after being passed on - no datagram leaves that namespace. What can be
reached there is the session's own programs, and the DNS forwarder on port 53 of every address.

The helper keeps nothing but its link to the warden; it dies with the warden, has no capability left and
cannot be traced.
"""

from __future__ import annotations

import _socket
import contextlib
import fcntl
import os
import signal
import socket
import struct
from typing import NoReturn

from agentgate.intercept.kernel import caps, libc

__all__ = ["Netns", "NoNamespace"]

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_SET_NO_NEW_PRIVS = 1, 4, 15, 38
_SO_NETNS_COOKIE = 71  # socket(7); Linux 5.14
_COOKIE = 8  # bytes
_DNS = 53
_IP_PKTINFO, _IPV6_RECVPKTINFO, _IPV6_FREEBIND = 8, 49, 78  # linux/in.h, linux/in6.h
_START, _REQUEST = 10.0, 1.0  # seconds that the warden waits, at most once: the helper is given up then
_FAMILIES = {b"4": socket.AF_INET, b"6": socket.AF_INET6}


class NoNamespace(Exception):
    """There can be no such network here; the message says why in one line."""


class Netns:
    """The warden's end. ``pid`` is the helper's; ``make`` makes UDP sockets in its network."""

    def __init__(self, app: socket.socket | None) -> None:
        """Fork the helper. It sends the two port 53 sockets (IPv4, and IPv6 where there is one) over
        ``app``, a seqpacket socket, as SCM_RIGHTS, or, when it fails, the reason as text.

        Must be called from a process with one thread.
        """
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._cookie = b""
        warden = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _helper(theirs, app, warden)
        theirs.close()
        self._pidfd = libc.pidfd_open(self.pid)

    def ready(self) -> None:
        """Wait until the network is there. Raises NoNamespace."""
        self._link.settimeout(_START)
        try:
            said = self._link.recv(512)
        except OSError as error:
            said = str(error).encode()
        self._link.settimeout(_REQUEST)
        if len(said) != 1 + _COOKIE or said[:1] != b"+":
            self.close()
            raise NoNamespace(said[1:].decode("utf-8", "replace") or "its helper ended")
        self._cookie = said[1:]

    def make(self, family: int) -> int:
        """A new UDP socket, close-on-exec. Raises OSError; after one that is the helper's, always."""
        word = b"4" if family == socket.AF_INET else b"6"
        try:
            self._link.send(word)
            said, descriptors, _, _ = socket.recv_fds(self._link, 64, 1)
        except OSError:
            self.close()  # a late answer would be taken for the next request's
            raise
        if not descriptors:
            code = int(said or b"0")
            if not said:
                self.close()
            raise OSError(code or 105, os.strerror(code or 105))  # ENOBUFS
        return descriptors[0]

    def owns(self, sock: _socket.socket) -> bool:
        """Whether ``sock`` was made in this network."""
        try:
            return bool(sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, _COOKIE) == self._cookie)
        except OSError:
            return False

    def close(self) -> None:
        """End the helper; the sockets that it made work on."""
        self._link.close()
        if self._pidfd >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
            os.close(self._pidfd)
            self._pidfd = -1


# -- what follows runs in the helper


def _helper(link: socket.socket, app: socket.socket | None, warden: int) -> NoReturn:
    try:
        os.setsid()  # out of the groups that terminals and kill(0) signal
        _alone({link.fileno()} | ({app.fileno()} if app else set()))
        try:
            cookie, servers = _build()
        except OSError as error:
            _say(link, app, f"{error.strerror or error}", [])
            os._exit(1)
        _powerless(warden)
        _say(None, app, "", servers)
        for server in servers:
            server.close()
        if app:
            app.close()
        link.send(b"+" + cookie)
        _serve(link)
    finally:
        os._exit(1)


def _alone(kept: set[int]) -> None:
    """Close every other descriptor: terminals, the warden's link and its standard error among them."""
    for number in map(int, os.listdir("/proc/self/fd")):
        if number not in kept:
            with contextlib.suppress(OSError):
                os.close(number)


def _say(
    link: socket.socket | None, app: socket.socket | None, text: str, servers: list[socket.socket]
) -> None:
    with contextlib.suppress(OSError):
        if link:
            link.send(b"-" + text.encode())
    with contextlib.suppress(OSError):
        if app:
            socket.send_fds(app, [b"-" + text.encode()], [server.fileno() for server in servers])


def _build() -> tuple[bytes, list[socket.socket]]:
    """Enter the new network and furnish it: its cookie and the servers' sockets. Raises OSError."""
    try:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    except OSError:
        if os.geteuid() != 0:
            raise
        libc.unshare(_CLONE_NEWNET)  # root needs no user namespace for it
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        cookie = sock.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, _COOKIE)
        up = struct.pack("16sh14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING, netdevice(7)
        fcntl.ioctl(sock, 0x8914, up)  # SIOCSIFFLAGS
    _all_local(socket.AF_INET, socket.inet_pton(socket.AF_INET, "127.0.0.1"))
    servers = [_server(socket.AF_INET, "0.0.0.0")]
    with contextlib.suppress(OSError):  # a kernel without IPv6
        _all_local(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, "::1"))
        servers.append(_server(socket.AF_INET6, "::"))
    return cookie, servers


def _all_local(family: int, source: bytes) -> None:
    """``ip route add local default dev lo src SOURCE table local`` (rtnetlink(7))."""

    def attribute(kind: int, value: bytes) -> bytes:
        return struct.pack("=HH", 4 + len(value), kind) + value

    table_local, proto_static, scope_host, type_local = 255, 4, 254, 2
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, table_local, proto_static, scope_host, type_local, 0)
    body += attribute(4, struct.pack("=I", socket.if_nametoindex("lo")))  # RTA_OIF
    # without it a socket's own address would be the one it talks to; programs take it for the machine's
    body += attribute(7, source)  # RTA_PREFSRC
    newroute, flags = 24, 0x1 | 0x4 | 0x400 | 0x100  # REQUEST | ACK | CREATE | REPLACE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.settimeout(_START)
        netlink.send(struct.pack("=IHHII", 16 + len(body), newroute, flags, 1, 0) + body)
        (code,) = struct.unpack_from("=i", netlink.recv(4096), 16)
    if code:
        raise OSError(-code, os.strerror(-code))


def _server(family: int, address: str) -> socket.socket:
    """A socket on port 53 of every address, which is told which one was meant and can answer from it.
    Without SO_REUSEADDR: nobody else can take a more specific address from it."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    sock.bind((address, _DNS))
    return sock


def _powerless(warden: int) -> None:
    caps.none()
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
    libc.prctl(_PR_SET_DUMPABLE, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # last: a change of credentials clears it
    if os.getppid() != warden:
        os._exit(1)


def _serve(link: socket.socket) -> None:
    """One socket for each word, until the warden's end is closed."""
    while word := link.recv(16):
        try:
            with socket.socket(_FAMILIES[word], socket.SOCK_DGRAM) as sock:
                socket.send_fds(link, [b"+"], [sock.fileno()])
        except OSError as error:
            link.send(b"%d" % (error.errno or 0))
