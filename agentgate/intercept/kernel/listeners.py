"""Which listeners are the session's own, and whether a connection would reach one of them.

A port says nothing of who listens: somebody else may listen on the same number at another loopback address,
in another network namespace, or after the agent's own listener is gone. So the kernel is asked who would
accept the connection (sock_diag(7)), and the answer is compared with the sockets seen to listen.
"""

from __future__ import annotations

import _socket
import contextlib
import errno
import os
import socket
import struct

from agentgate.intercept.kernel.addresses import Address

__all__ = ["Listeners"]


_SO_COOKIE, _SO_NETNS_COOKIE = 57, 71  # asm-generic/socket.h; numbers that are never used again
_SOCK_DIAG, _BY_FAMILY, _REQUEST, _LISTEN = 4, 20, 1, 1 << 10
_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_QUESTION = struct.Struct("=BBBxI")  # struct inet_diag_req_v2 up to its id
_ID = struct.Struct("=2s2s16s16sIQ")  # struct inet_diag_sockid: ours is "src", the caller "dst"
_ANY_COOKIE = (1 << 64) - 1
_MOST = 1024  # kept of each kind; the oldest becomes a listener like any other, which is asked about


def _cookie(sock: _socket.socket, which: int) -> int:
    raw = sock.getsockopt(socket.SOL_SOCKET, which, 8)
    return int.from_bytes(raw, "little" if struct.pack("=H", 1)[0] else "big")


class Listeners:
    """The session's own. Only those in the warden's network namespace count."""

    def __init__(self) -> None:
        self._diag = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG)
        # the kernel answers at once; a time limit of Python's own would take two more calls each time
        self._diag.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 1, 0))
        self._namespace = self._here(self._diag)
        self._ports: dict[int, None] = {}  # cookies
        self._names: dict[bytes, int] = {}  # abstract name: the socket's inode
        self._files: dict[tuple[int, int], int] = {}  # device and inode: held open, so they stay theirs

    @staticmethod
    def _here(sock: _socket.socket) -> int:
        try:
            return _cookie(sock, _SO_NETNS_COOKIE)
        except OSError:  # before Linux 5.14
            return 0

    # -- ports

    def listens(self, sock: _socket.socket) -> None:
        """``sock`` listens at a loopback address."""
        self._ports[_cookie(sock, _SO_COOKIE)] = None
        if len(self._ports) > _MOST:
            del self._ports[next(iter(self._ports))]

    def owns(self, sock: _socket.socket, address: Address, port: int) -> bool:
        """Whether ``sock`` connected to ``address`` and ``port`` would reach a listener of the session."""
        if not self._ports or self._here(sock) != self._namespace:
            return False
        with contextlib.suppress(OSError, struct.error):
            return self._receiver(address, port) in self._ports
        return False

    def somebody(self, sock: _socket.socket, address: Address, port: int) -> None:
        """Raises OSError (ECONNREFUSED) when nobody at all listens there: programs that wait for a server to
        come up try again and again, and nobody is to be asked about that."""
        if self._here(sock) == self._namespace and not self._receiver(address, port):
            raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))

    def taken(self, sock: _socket.socket, address: Address, port: int) -> bool:
        """Whether somebody else listens already where ``sock`` would."""
        if self._here(sock) != self._namespace:
            return False
        with contextlib.suppress(OSError, struct.error):
            return self._receiver(address, port) not in (0, *self._ports)
        return True

    def _receiver(self, address: Address, port: int) -> int:
        """The cookie of the socket that listens for connections to ``address``; 0 for none."""
        address = getattr(address, "ipv4_mapped", None) or address
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        ours = address.packed.ljust(16, b"\0")
        identity = _ID.pack(port.to_bytes(2, "big"), b"\0\0", ours, ours, 0, _ANY_COOKIE)
        body = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, _LISTEN) + identity
        self._diag.send(_HEADER.pack(_HEADER.size + len(body), _BY_FAMILY, _REQUEST, 0, 0) + body)
        answer = self._diag.recv(8192)
        if _HEADER.unpack_from(answer)[1] != _BY_FAMILY:
            return 0  # NLMSG_ERROR: nobody listens
        cookie = _ID.unpack_from(answer, _HEADER.size + 4)[5]
        return int(cookie)

    # -- unix sockets

    def named(self, sock: _socket.socket) -> None:
        """``sock`` was bound to an abstract name."""
        name = sock.getsockname()
        if isinstance(name, bytes) and self._here(sock) == self._namespace:
            self._names.pop(name, None)
            self._names[name] = os.fstat(sock.fileno()).st_ino
            if len(self._names) > _MOST:
                del self._names[next(iter(self._names))]

    def owns_name(self, sock: _socket.socket, name: bytes) -> bool:
        """Whether the abstract ``name`` (with its NUL) belongs to a socket of the session that still is."""
        inode = self._names.get(name)
        if inode is None or self._here(sock) != self._namespace:
            return False
        with contextlib.suppress(OSError), open("/proc/net/unix", "rb") as table:
            return any(line.split(None, 7)[6:7] == [b"%d" % inode] for line in table)
        return False

    def bound(self, directory: int, name: bytes) -> None:
        """A socket of the session was bound to ``name`` in the directory open as ``directory``."""
        try:
            fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        except OSError:
            return  # then it is a socket like any other
        status = os.fstat(fd)
        old = self._files.pop((status.st_dev, status.st_ino), None)
        if old is not None:
            os.close(old)
        self._files[status.st_dev, status.st_ino] = fd
        if len(self._files) > _MOST:
            os.close(self._files.pop(next(iter(self._files))))

    def owns_file(self, status: os.stat_result) -> bool:
        return (status.st_dev, status.st_ino) in self._files
