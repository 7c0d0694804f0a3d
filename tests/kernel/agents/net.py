"""One way to reach out: ``net.py WAY HOST PORT``, or ``net.py WAY NAME`` for unix sockets. Sends "hello"
where it gets through; prints the outcome."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import time

from raw import call, outcome, report

way, *where = sys.argv[1:]
FASTOPEN_CONNECT, MSG_FASTOPEN = 30, 0x20000000
libc = ctypes.CDLL(None, use_errno=True)


def address() -> tuple[str, int]:
    return where[0], int(where[1])


def said(sock: socket.socket) -> None:
    sock.sendall(b"hello")
    sock.close()


def stream(family: int, *, options: int = 0) -> None:
    sock = socket.socket(family, socket.SOCK_STREAM | options)
    sock.connect(address())
    said(sock)


def not_blocking() -> None:
    sock = socket.socket()
    sock.setblocking(False)
    code = sock.connect_ex(address())
    if code == errno.EINPROGRESS:
        select.select([], [sock], [], 10)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    said(sock)


def raw_address() -> None:
    """An address that another thread could change: connect(2) with a pointer, by hand."""
    sock = socket.socket()
    host, port = address()
    raw = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)
    if libc.connect(sock.fileno(), raw, 16) < 0:
        raise OSError(ctypes.get_errno(), "connect")
    said(sock)


def fastopen(by: str) -> None:
    sock = socket.socket()
    if by == "sendto":
        sock.sendto(b"hello", MSG_FASTOPEN, address())
    else:
        sock.sendmsg([b"hello"], [], MSG_FASTOPEN, address())
    sock.close()


def fastopen_sendmmsg() -> None:
    """MSG_FASTOPEN in a call of several messages."""
    sock = socket.socket()
    host, port = address()
    name = struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)
    call("sendmmsg", sock.fileno(), messages(name, b"hello"), 1, MSG_FASTOPEN)
    sock.close()


def messages(name: bytes, text: bytes) -> bytes:
    """One struct mmsghdr. What it points to lives as long as the process."""
    kept = [ctypes.create_string_buffer(name, len(name)), ctypes.create_string_buffer(text, len(text))]
    vector = ctypes.create_string_buffer(struct.pack("@PN", ctypes.addressof(kept[1]), len(text)))
    _kept.extend([*kept, vector])
    header = struct.pack(
        "@PIPNPNi", ctypes.addressof(kept[0]), len(name), ctypes.addressof(vector), 1, 0, 0, 0
    )
    return header.ljust(56, b"\0") + bytes(8)


_kept: list[object] = []


def fastopen_later(option: bool) -> None:
    """A connection that is refused, or left out, and then written to all the same."""
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, FASTOPEN_CONNECT, 1)
    sock.connect_ex(address())
    if option:
        sock.setsockopt(socket.IPPROTO_TCP, FASTOPEN_CONNECT, 1)
    sock.sendto(b"hello", address()) if option else sock.send(b"hello")
    sock.close()


def detour(family: int, level: int, option: int) -> None:
    """A source route or a routing header over the host that is meant, to another that is connected to."""
    sock = socket.socket(family)
    if family == socket.AF_INET:
        value = bytes((1, 131, 7, 4)) + socket.inet_aton("127.0.0.9")
    else:
        hop = socket.inet_pton(socket.AF_INET6, "::1")
        value = struct.pack("=BBBBBBH", 0, 2, 4, 0, 0, 0, 0) + hop  # of segments (RFC 8754)
        if option == 6:  # a control message of a header for mobile hosts (RFC 6275)
            value = struct.pack("=BBBBI", 0, 2, 2, 1, 0) + hop
            value = struct.pack("@Nii", 16 + len(value), level, 57) + value
    sock.setsockopt(level, option, value)
    if where:
        sock.setblocking(False)
        sock.connect_ex(address())


def reuse() -> None:
    """A listener beside another's at the same address."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(address())
        sock.listen()


def given(path: str) -> None:
    """Write to a connection that another process made, and passes on."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        _, descriptors, _, _ = socket.recv_fds(sock, 10, 1)
    said(socket.socket(fileno=descriptors[0]))


def stolen(pid: int, number: int) -> None:
    """Write to a connection of another process, whose descriptor is duplicated (pidfd_getfd(2))."""
    said(socket.socket(fileno=call("pidfd_getfd", os.pidfd_open(pid), number, 0)))


def reopened(pid: int, number: int) -> None:
    """The same through its entry in /proc, which sockets do not allow (proc_pid_fd(5))."""
    os.close(os.open(f"/proc/{pid}/fd/{number}", os.O_RDWR))


def add_address() -> None:
    """Give this machine an address: ``ip address add 127.99.99.99/32 dev lo`` (rtnetlink(7))."""
    body = struct.pack("=BBBBI", socket.AF_INET, 32, 0, 254, socket.if_nametoindex("lo"))
    for kind in (1, 2):
        body += struct.pack("=HH", 8, kind) + socket.inet_aton("127.99.99.99")
    with socket.socket(16, socket.SOCK_RAW, 0) as sock:
        sock.send(struct.pack("=IHHII", 16 + len(body), 20, 1 | 4 | 0x400, 1, 0) + body)
        (code,) = struct.unpack_from("=i", sock.recv(4096), 16)
    if code:
        raise OSError(-code, os.strerror(-code))


def fastopen_connect() -> None:
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, FASTOPEN_CONNECT, 1)
    sock.connect(address())
    said(sock)


def datagram(family: int) -> None:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.sendto(b"hello", address())
    sock.close()


def unix(name: str, kind: int = socket.SOCK_STREAM) -> None:
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.connect("\0" + name[1:] if name[:1] == "@" else name)
    said(sock)


def removed(name: str, link: str) -> None:
    """By a descriptor and a link in the project, after the socket lost its name."""
    descriptor = os.open(name, os.O_PATH)
    sys.stdout.write("held\n")
    sys.stdout.flush()
    while os.path.exists(name):
        time.sleep(0.01)
    os.symlink(f"/proc/{os.getpid()}/fd/{descriptor}", link)
    unix(link)


def unix_datagram(name: str) -> None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.sendto(b"hello", "\0" + name[1:] if name[:1] == "@" else name)
    sock.close()


def pair_datagram(name: str) -> None:
    """A connected pair that is used to send elsewhere."""
    one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    one.sendto(b"hello", "\0" + name[1:] if name[:1] == "@" else name)


def own_listener() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
    ):
        client.sendall(b"hello")
        assert server.accept()[0].recv(5) == b"hello"


def own_unix(name: str) -> None:
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind("\0" + name[1:] if name[:1] == "@" else name)
        server.listen()
        client.connect("\0" + name[1:] if name[:1] == "@" else name)
        said(client)
        assert server.accept()[0].recv(5) == b"hello"


def listening(host: str, port: int) -> None:
    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
        pass


def listen_unbound() -> None:
    with socket.socket() as sock:
        sock.listen()


def listened_elsewhere() -> None:
    """A listener of our own with the same port at another loopback address, then connect to the first."""
    with socket.create_server(("127.0.0.77", address()[1])):
        stream(socket.AF_INET)


def listened_before() -> None:
    """A listener of our own with that port, ended; then somebody else's takes its place."""
    with socket.create_server(address()):
        pass
    sys.stdout.write("free\n")
    sys.stdout.flush()
    while not os.path.exists("go"):
        time.sleep(0.01)
    stream(socket.AF_INET)


def in_another_namespace(then: str) -> None:
    """The same in a network namespace of our own, where the name or the port is free."""
    pid = os.fork()
    if not pid:
        try:
            if libc.unshare(0x10000000 | 0x40000000) < 0:
                os._exit(3)
            if then == "unix":
                sock = socket.socket(socket.AF_UNIX)
                sock.bind("\0" + where[0][1:])
                sock.listen()
            else:
                sock = socket.socket()
                fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
                sock.bind(address())
                sock.listen()
            os._exit(0)
        except BaseException:
            os._exit(4)
    if code := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(code)
    if then == "unix":
        unix(where[0])
    else:
        stream(socket.AF_INET)


def sendto_unconnected() -> None:
    """sendto with an address on a stream socket: needs a connection, makes none."""
    sock = socket.socket()
    sock.sendto(b"hello", address())


WAYS = {
    "v4": lambda: stream(socket.AF_INET),
    "v4 cloexec": lambda: stream(socket.AF_INET, options=socket.SOCK_CLOEXEC),
    "v6": lambda: stream(socket.AF_INET6),
    "not blocking": not_blocking,
    "raw address": raw_address,
    "fastopen sendto": lambda: fastopen("sendto"),
    "fastopen sendmsg": lambda: fastopen("sendmsg"),
    "fastopen connect": fastopen_connect,
    "fastopen sendmmsg": fastopen_sendmmsg,
    "fastopen written": lambda: fastopen_later(False),
    "fastopen sent": lambda: fastopen_later(True),
    "source route": lambda: detour(socket.AF_INET, 0, 4),
    "routing header": lambda: detour(socket.AF_INET6, 41, 57),
    "routing header 2292": lambda: detour(socket.AF_INET6, 41, 5),
    "packet options": lambda: detour(socket.AF_INET6, 41, 6),
    "reuse": reuse,
    "given": lambda: given(where[0]),
    "stolen": lambda: stolen(int(where[0]), int(where[1])),
    "reopened": lambda: reopened(int(where[0]), int(where[1])),
    "add address": add_address,
    "sendto": sendto_unconnected,
    "udp": lambda: datagram(socket.AF_INET),
    "udp6": lambda: datagram(socket.AF_INET6),
    "unix": lambda: unix(where[0]),
    "removed": lambda: removed(*where),
    "unix seqpacket": lambda: unix(where[0], socket.SOCK_SEQPACKET),
    "unix datagram": lambda: unix_datagram(where[0]),
    "unix datagram pair": lambda: pair_datagram(where[0]),
    "own listener": own_listener,
    "own unix": lambda: own_unix(where[0]),
    "listen": lambda: listening(*address()),
    "listen unbound": listen_unbound,
    "listened elsewhere": listened_elsewhere,
    "listened before": listened_before,
    "namespace": lambda: in_another_namespace("inet"),
    "namespace unix": lambda: in_another_namespace("unix"),
    "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
    "ping": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1),
    "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0),
    "vsock": lambda: socket.socket(40, socket.SOCK_STREAM),
    "alg": lambda: socket.socket(38, socket.SOCK_SEQPACKET),
    "sctp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132),
    "mptcp": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262),
    "raw6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58),
    "ping6": lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, 58),
    "udplite": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136),
    "dccp": lambda: socket.socket(socket.AF_INET, 6, 33),
    "l2tp": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 115),
    "vsock datagram": lambda: socket.socket(40, socket.SOCK_DGRAM),
    "xdp": lambda: socket.socket(44, socket.SOCK_RAW),
    "bluetooth": lambda: socket.socket(31, socket.SOCK_SEQPACKET, 0),
    "can": lambda: socket.socket(29, socket.SOCK_RAW, 1),
    "tipc": lambda: socket.socket(30, socket.SOCK_STREAM),
    "smc": lambda: socket.socket(43, socket.SOCK_STREAM),
    "rds": lambda: socket.socket(21, socket.SOCK_SEQPACKET),
    "key": lambda: socket.socket(15, socket.SOCK_RAW, 2),
    "netlink generic": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16),
    "netlink netfilter": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12),
    "tipc pair": lambda: socket.socketpair(30, socket.SOCK_STREAM),
    "netlink audit": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9),
    "netlink route": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
}
report(outcome(WAYS[way]))
