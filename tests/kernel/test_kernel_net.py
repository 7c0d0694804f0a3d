"""Connections: every way out is asked about or refused, and nothing arrives when it is denied."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import World, allow, deny, wait


class Server:
    """A listener outside the session that keeps what it is sent."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.accepted: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            if self.sock.type == socket.SOCK_DGRAM:
                while True:
                    self.accepted.append(self.sock.recv(100))
            while True:
                client, _ = self.sock.accept()
                client.settimeout(5)
                self.accepted.append(b"")
                with client, contextlib.suppress(OSError):
                    self.accepted[-1] = client.recv(100)

    @property
    def port(self) -> int:
        return int(self.sock.getsockname()[1])

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self._thread.join(5)


@contextlib.contextmanager
def serving(family: int, address: object, kind: int = socket.SOCK_STREAM) -> Iterator[Server]:
    sock = socket.socket(family, kind)
    try:
        sock.bind(address)  # type: ignore[arg-type]
        if kind != socket.SOCK_DGRAM:
            sock.listen()
    except OSError as error:
        sock.close()
        pytest.skip(f"not here: {address} ({error})")
    server = Server(sock)
    try:
        yield server
    finally:
        server.close()


INET = [
    # way, where the server listens, the address that is connected to, the target that is asked
    ("v4", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ("v4 cloexec", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ("raw address", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ("not blocking", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ("fastopen connect", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
    ("v6", "::1", "::1", "[::1]"),
    ("v6", "127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1"),
    ("v4", "127.0.0.5", "127.0.0.5", "127.0.0.5"),
    ("v4", "127.0.0.1", "0.0.0.0", "127.0.0.1"),  # "this host" is the loopback address to connect(2)
    ("v6", "::1", "::", "[::1]"),
]


@pytest.mark.parametrize(("way", "listens", "host", "named"), INET)
def test_connections_are_asked_by_address(
    worlds: World, way: str, listens: str, host: str, named: str
) -> None:
    family = socket.AF_INET6 if ":" in listens else socket.AF_INET
    with serving(family, (listens, 0)) as server:
        command = worlds.python("net", way, host, server.port)
        assert worlds.bare(*command).json == "ok" and server.accepted == [b"hello"]
        server.accepted.clear()
        refused = worlds.run(*command, operator=deny)
        assert refused.targets == [f"net_egress {named}:{server.port}"]
        assert refused.json == "EACCES" and server.accepted == []
        assert f"agentgate: denied net_egress {named}:{server.port}" in refused.err
        allowed = worlds.run(*command, operator=allow)
        assert allowed.json == "ok" and server.accepted == [b"hello"]


@pytest.mark.parametrize(
    "way",
    ["fastopen sendto", "fastopen sendmsg", "fastopen sendmmsg", "sendto"],
)
def test_no_way_around_connect(world: World, way: str) -> None:
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        command = world.python("net", way, "127.0.0.1", server.port)
        if way != "sendto":
            assert world.bare(*command).json == "ok"
            server.accepted.clear()
        result = world.run(*command, operator=allow)
        assert result.json in ("ENOTSUP", "EPIPE") and server.accepted == []


# What the kernel says where it has no such socket, or has it for root only.
ERRORS = {
    **dict.fromkeys(("raw", "raw6", "packet"), "EPERM"),
    **dict.fromkeys(("ping", "ping6", "unix datagram", "unix datagram pair"), "EACCES"),
    **dict.fromkeys(
        ("sctp", "mptcp", "udplite", "l2tp", "netlink audit", "netlink generic", "netlink netfilter"),
        "EPROTONOSUPPORT",
    ),
    "dccp": "ESOCKTNOSUPPORT",
}  # fmt: skip


@pytest.mark.parametrize("way", [
    "raw", "raw6", "ping", "ping6", "packet", "vsock", "vsock datagram", "alg", "sctp", "mptcp", "udplite",
    "dccp", "l2tp", "xdp", "bluetooth", "can", "tipc", "tipc pair", "smc", "rds", "key", "netlink audit",
    "netlink generic", "netlink netfilter", "unix datagram", "unix datagram pair",
])  # fmt: skip
def test_other_sockets_are_never_made(worlds: World, way: str) -> None:
    name = "@agentgate-" + uuid.uuid4().hex
    if way.startswith("unix"):
        context = serving(socket.AF_UNIX, "\0" + name[1:], socket.SOCK_DGRAM)
    else:
        context = serving(socket.AF_INET, ("127.0.0.1", 0), socket.SOCK_DGRAM)
    with context as server:
        where = (name,) if way.startswith("unix") else (server.sock.getsockname()[0], server.port)
        command = worlds.python("net", way, *where)
        control = worlds.bare(*command).json
        if way.startswith("unix"):
            assert control == "ok"
            while not server.accepted:
                pass
        server.accepted.clear()
        result = worlds.run(*command, operator=allow)
        assert result.json == ERRORS.get(way, "EAFNOSUPPORT") and result.asks == []
        [record] = [r for r in result.records if r["action"] == "net_egress"]
        assert (record["verdict"], record["source"]) == ("deny", "gate")
        assert server.accepted == []


@pytest.mark.parametrize(("way", "error", "target"), [
    ("raw", "EPERM", "socket:inet:raw:icmp"), ("packet", "EPERM", "socket:packet:raw"),
    ("ping", "EACCES", "socket:inet:datagram:icmp"), ("mptcp", "EPROTONOSUPPORT", "socket:inet:stream:mptcp"),
    ("sctp", "EPROTONOSUPPORT", "socket:inet:stream:sctp"), ("alg", "EAFNOSUPPORT", "socket:alg:seqpacket"),
    ("vsock", "EAFNOSUPPORT", "socket:vsock:stream"),
    ("netlink audit", "EPROTONOSUPPORT", "socket:netlink:raw"),
])  # fmt: skip
def test_such_sockets_seem_not_to_be_there(world: World, way: str, error: str, target: str) -> None:
    """By the errors that programs know for it; those that are tried in passing are refused without a word."""
    result = world.run(*world.python("net", way), operator=allow)
    assert result.json == error
    assert [r["target"] for r in result.records if r["action"] == "net_egress"] == [target]
    assert ("agentgate: denied" in result.err) is (way not in ("mptcp", "netlink audit"))


@pytest.mark.parametrize("way", ["fastopen written", "fastopen sent"])
def test_a_refused_connection_is_not_made_by_writing(worlds: World, way: str) -> None:
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        command = worlds.python("net", way, "127.0.0.1", server.port)
        if way == "fastopen written":
            assert worlds.bare(*command).json == "ok" and server.accepted == [b"hello"]
            server.accepted.clear()
        result = worlds.run(*command, operator=deny)
        assert result.json == "EPIPE" and server.accepted == []
        assert result.targets == [f"net_egress 127.0.0.1:{server.port}"]


@pytest.mark.parametrize("way", ["source route", "routing header", "routing header 2292", "packet options"])
def test_packets_go_where_the_connection_goes(worlds: World, way: str) -> None:
    """A source route sends what was decided for one host to another."""
    command = worlds.python("net", way)
    if worlds.bare(*command).json != "ok":
        pytest.skip(f"not here: {way}")
    result = worlds.run(*command, operator=allow, policy="default: allow\n")
    assert result.json == "EPERM"


def test_no_packet_takes_a_detour(world: World) -> None:
    """The same, seen on the wire: connected to 127.0.0.1, the first packet is for 127.0.0.9."""
    if os.geteuid() != 0:
        pytest.skip("not here: the right to watch the loopback device")
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        command = world.python("net", "source route", "127.0.0.1", server.port)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as wire:
            wire.bind(("lo", 0x0800))
            wire.settimeout(1.0)

            def strays() -> int:
                found = 0
                with contextlib.suppress(TimeoutError):
                    while True:
                        found += wire.recv(100)[30:34] == socket.inet_aton("127.0.0.9")
                return found

            world.bare(*command)
            assert strays()
            assert world.run(*command, operator=allow).json == "EPERM" and not strays()


def test_a_listener_beside_another_s_is_asked(world: World) -> None:
    """It would be given a share of the connections that are meant for the other."""
    with socket.socket() as theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        theirs.bind(("127.0.0.1", 0))
        theirs.listen()
        port = theirs.getsockname()[1]
        command = world.python("net", "reuse", "127.0.0.1", port)
        assert world.bare(*command).json == "ok"
        refused = world.run(*command, operator=deny)
        assert refused.json == "EACCES" and refused.targets == [f"net_egress listen://127.0.0.1:{port}"]
        assert world.run(*command, operator=allow).json == "ok"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alone = world.run(*world.python("net", "reuse", "127.0.0.1", port), operator=deny)
    assert (alone.json, alone.asks) == ("ok", [])


def test_a_connection_is_taken_from_another_after_asking_only(worlds: World) -> None:
    """A process outside makes a connection and passes it on over a unix socket."""
    path = worlds.outside / "giver.sock"
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as giver:
        giver.bind(str(path))
        path.chmod(0o777)
        giver.listen()

        def give() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = giver.accept()
                    with client, socket.create_connection(("127.0.0.1", server.port)) as made:
                        socket.send_fds(client, [b"x"], [made.fileno()])

        thread = threading.Thread(target=give, daemon=True)
        thread.start()
        command = worlds.python("net", "given", path)
        assert worlds.bare(*command).json == "ok"
        assert server.accepted == [b"hello"]
        server.accepted.clear()
        refused = worlds.run(*command, operator=deny, policy="default: allow\n")
        assert refused.json == "EACCES" and server.accepted == []
        assert [t for t in refused.targets if "net" in t] == [f"net_egress unix:{path}"]
        giver.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_no_connection_is_stolen(worlds: World) -> None:
    """A connection of another process of the same user, which a debugger could duplicate."""
    hold = "import socket, sys, time; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
    hold += "print(s.fileno(), flush=True); time.sleep(60)"
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        for control in (True, False):
            holder = worlds.worker.spawn(
                [sys.executable, "-c", hold, str(server.port)], stdout=subprocess.PIPE,
                env=worlds.environment(), cwd=worlds.project,
            )  # fmt: skip
            try:
                assert holder.stdout
                number = int(holder.stdout.readline())
                command = worlds.python("net", "stolen", holder.pid, number)
                if control:
                    if worlds.bare(*command).json != "ok":
                        pytest.skip("not here: the right to look into one's other processes (Yama)")
                    assert server.accepted == [b"hello"]
                    server.accepted.clear()
                    continue
                result = worlds.run(*command, operator=allow, policy="default: allow\n")
                assert result.json == "EPERM" and b"hello" not in server.accepted
                opened = worlds.run(
                    *worlds.python("net", "reopened", holder.pid, number), policy="default: allow\n"
                )
                assert opened.json != "ok"
            finally:
                holder.kill()
                holder.communicate()


def test_the_machine_s_network_stays(world: World) -> None:
    """Root changes addresses and routes by netlink messages on a socket that everybody may have."""
    if os.geteuid() != 0:
        pytest.skip("not here: the right to change the network")

    def there() -> bool:
        return "127.99.99.99" in Path("/proc/net/fib_trie").read_text()

    result = world.run(*world.python("net", "add address"), operator=allow, policy="default: allow\n")
    assert result.json == "EPERM" and not there()
    script = shlex.join(world.python("net", "add address")) + " && grep -c 127.99.99.99 /proc/net/fib_trie"
    control = world.bare("unshare", "-n", "sh", "-c", script)  # in a network of its own
    assert control.status == 0 and '"ok"' in control.out, control.err


def test_unix_sockets_by_path(worlds: World) -> None:
    path = worlds.outside / "service.sock"
    with serving(socket.AF_UNIX, str(path)) as server:
        worlds.give(path)
        (worlds.project / "link").symlink_to(path)
        for name in (path, worlds.project / "link", os.path.relpath(path, worlds.project)):
            command = worlds.python("net", "unix", name)
            assert worlds.bare(*command).json == "ok" and server.accepted == [b"hello"]
            server.accepted.clear()
            refused = worlds.run(*command, operator=deny)
            assert refused.targets == [f"net_egress unix:{path}"]
            assert refused.json == "EACCES" and server.accepted == []
            assert worlds.run(*command, operator=allow).json == "ok"
            assert server.accepted == [b"hello"]
            server.accepted.clear()


def test_a_socket_without_a_name_is_none_of_the_project_s(worlds: World) -> None:
    """A listener outside whose file was removed, reached by a link that a rule names."""
    path = worlds.outside / "gone.sock"
    rule = f'match: {{action: net_egress, target_glob: "unix:{worlds.project}/*.sock"}}'
    policy = f"default: allow\nrules:\n  - {rule}\n    decision: allow\n"
    with serving(socket.AF_UNIX, str(path)) as server:
        worlds.give(path)
        command = worlds.python("net", "removed", path, worlds.project / "own.sock")
        with worlds.start(*command, operator=deny, policy=policy) as run:
            run.says("held")
            path.unlink()
            result = run.finish()
        assert result.json == "EACCES" and server.accepted == []
        assert [t for t in result.targets if "net" in t] == [f"net_egress unix:?{worlds.project}/own.sock"]


@pytest.mark.parametrize("way", ["unix", "unix seqpacket"])
def test_abstract_unix_sockets(worlds: World, way: str) -> None:
    name = "@agentgate-" + uuid.uuid4().hex
    kind = socket.SOCK_SEQPACKET if "seq" in way else socket.SOCK_STREAM
    with serving(socket.AF_UNIX, "\0" + name[1:], kind) as server:
        command = worlds.python("net", way, name)
        assert worlds.bare(*command).json == "ok" and server.accepted == [b"hello"]
        server.accepted.clear()
        refused = worlds.run(*command, operator=deny)
        assert refused.targets == [f"net_egress unix:{name}"]
        assert refused.json == "EACCES" and server.accepted == []
        assert worlds.run(*command, operator=allow).json == "ok" and server.accepted == [b"hello"]


def test_what_is_its_own_is_free(worlds: World) -> None:
    for way, *where in (
        ("own listener",), ("own unix", "own.sock"), ("own unix", "@agentgate-" + uuid.uuid4().hex),
        ("netlink route",), ("listen", "127.0.0.1", 0), ("listen", "::1", 0),
    ):  # fmt: skip
        result = worlds.run(*worlds.python("net", way, *where), operator=deny)
        assert (result.json, result.targets) == ("ok", []), way


@pytest.mark.parametrize(("way", "where", "target"), [
    ("listen", ("0.0.0.0", 0), "listen://0.0.0.0:*"), ("listen", ("::", 0), "listen://[[]::]:*"),
    ("listen unbound", (), "listen://0.0.0.0:0"),
])  # fmt: skip
def test_listening_to_the_world_is_asked(
    world: World, way: str, where: tuple[object, ...], target: str
) -> None:
    with world.start(*world.python("net", way, *where), operator=wait) as run:
        run.answer(run.asked(f"net_egress {target}"), "deny")
        assert run.finish().json == "EACCES"
    assert world.run(*world.python("net", way, *where), operator=allow).json == "ok"


def test_an_own_port_is_own_at_its_address_only(world: World) -> None:
    """Listening at 127.0.0.77 says nothing of who listens at 127.0.0.1."""
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        command = world.python("net", "listened elsewhere", "127.0.0.1", server.port)
        assert world.bare(*command).json == "ok"
        server.accepted.clear()
        result = world.run(*command, operator=deny)
        assert result.targets == [f"net_egress 127.0.0.1:{server.port}"]
        assert server.accepted == []


def test_an_own_port_is_own_while_it_lasts(world: World) -> None:
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as free:
        port = free.port
    with world.start(*world.python("net", "listened before", "127.0.0.1", port), operator=deny) as run:
        run.says("free")
        with serving(socket.AF_INET, ("127.0.0.1", port)) as server:
            world.file(world.project / "go")
            result = run.finish()
            assert result.targets == [f"net_egress 127.0.0.1:{port}"]
            assert server.accepted == []


@pytest.mark.parametrize("way", ["namespace", "namespace unix"])
def test_a_network_namespace_lends_no_names(worlds: World, way: str) -> None:
    """In a namespace of its own the agent may listen where somebody else listens outside; that makes the
    outside listener none of its own."""
    name = "agentgate-" + uuid.uuid4().hex
    unix = way.endswith("unix")
    family, address = (socket.AF_UNIX, "\0" + name) if unix else (socket.AF_INET, ("127.0.0.1", 0))
    with serving(family, address) as server:
        where = ("@" + name,) if unix else ("127.0.0.1", server.port)
        command = worlds.python("net", way, *where)
        control = worlds.bare(*command)
        if control.status in (3, 4):
            pytest.skip("not here: user and network namespaces")
        assert control.json == "ok"
        server.accepted.clear()
        result = worlds.run(*command, operator=deny)
        assert server.accepted == []
        assert result.targets == [
            f"net_egress unix:@{name}" if unix else f"net_egress 127.0.0.1:{server.port}"
        ]


FULL = """\
import socket, sys, threading, os, time
sock = socket.socket()
if sys.argv[2] != "blocking": sock.setblocking(False)
if sys.argv[2] == "toggled":
    def later():
        while not os.path.exists("go"): time.sleep(0.01)
        sock.setblocking(True)
        open("toggled", "w").close()
    threading.Thread(target=later).start()
print(sock.connect_ex(("127.0.0.1", int(sys.argv[1]))), flush=True)
"""


@pytest.mark.parametrize("mode", ["blocking", "toggled"])
def test_a_slow_connection_holds_up_nobody(world: World, mode: str) -> None:
    """A listener whose queue is full lets connect(2) wait for minutes."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        filling = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            filling.append(sock)
        world.file(world.project / "slow.py", FULL)
        script = (
            f"{sys.executable} slow.py {port} {mode} & slow=$!\n"
            "while ! [ -e ready ]; do sleep 0.02; done\n"
            "for i in 1 2 3 4 5 6 7 8 9; do echo $i > file$i; done; echo all; kill -9 $slow\n"
        )
        with world.start("sh", "-c", script, operator=wait) as run:
            ask = run.asked(f"net_egress 127.0.0.1:{port}")
            world.file(world.project / "go")
            if mode == "toggled":
                run.until(lambda: (world.project / "toggled").exists(), "the change")
            run.answer(ask, "allow")
            run.serve(0.3)
            world.file(world.project / "ready")
            run.says("all", 5)
            assert run.finish().status == 0
        for sock in filling:
            sock.close()


def test_one_answer_for_one_process_and_host(world: World) -> None:
    script = (
        "import socket, sys\n"
        "for _ in range(3): socket.create_connection(('127.0.0.1', int(sys.argv[1]))).close()\n"
    )
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        result = world.run(sys.executable, "-c", script, server.port, operator=allow)
        assert result.status == 0 and len(result.asks) == 1


def test_no_net_denies_everything(world: World) -> None:
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        command = world.python("net", "v4", "127.0.0.1", server.port)
        result = world.run(*command, operator=allow, network=False, policy="default: allow\n")
        assert result.json == "EACCES" and result.asks == [] and server.accepted == []
        assert "--no-net" in result.err


FETCH = """\
import sys, urllib.error, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=10) as answer:
        print(answer.status)
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""


def test_the_proxy_decides_by_name(worlds: World) -> None:
    """Programs that use the proxy need no answer for the way to it; the host is what is asked about."""
    result = worlds.run(sys.executable, "-c", FETCH, "http://service.invalid/x", operator=deny)
    [ask] = result.asks
    assert (ask.kind, ask.target, ask.gate) == ("net_egress", "service.invalid:80", "proxy")
    assert ask.pid and ask.chain
    assert result.out.startswith("403") and "service.invalid" in result.out


def test_the_proxy_is_no_use_to_strangers(world: World) -> None:
    """Whoever is not of the session's tree gets nothing through its port, in either protocol."""
    script = "import os, sys, time; print(os.environ['HTTP_PROXY'], flush=True); time.sleep(30)"
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        with world.start(sys.executable, "-c", script, policy="default: allow\n") as run:
            run.says("http://127.0.0.1:")
            proxy = int(run.out.strip().rpartition(":")[2])
            for request, answer in (
                (f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), b"HTTP/1.1 403 "),
                (b"\5\1\0\5\1\0\1\x7f\0\0\1" + server.port.to_bytes(2, "big"), b"\5\0\5\2"),
            ):
                with socket.create_connection(("127.0.0.1", proxy), timeout=10) as stranger:
                    stranger.sendall(request)
                    said = b""
                    while data := stranger.recv(1000):
                        said += data
                    assert said.startswith(answer)
        assert server.accepted == [] and run.asks == []


SOCKS = """\
import os, socket, sys
proxy = int(os.environ["HTTP_PROXY"].rpartition(":")[2])
with socket.create_connection(("127.0.0.1", proxy), timeout=10) as sock:
    name = b"localhost"
    sock.sendall(b"\\5\\1\\0\\5\\1\\0\\3" + bytes((len(name),)) + name + int(sys.argv[1]).to_bytes(2, "big"))
    said = sock.recv(2) + sock.recv(10)
    sock.sendall(b"hello")
print(said[3])
"""


def test_the_proxy_speaks_socks_too(worlds: World) -> None:
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        command = (sys.executable, "-c", SOCKS, server.port)
        refused = worlds.run(*command, operator=deny)
        assert refused.targets == [f"net_egress localhost:{server.port}"] and server.accepted == []
        assert refused.json == 2
        assert refused.asks[0].pid and refused.asks[0].gate == "proxy"
        allowed = worlds.run(*command, operator=allow)
        assert allowed.json == 0 and server.accepted == [b"hello"]


def test_ignoring_the_proxy_is_decided_by_address(world: World) -> None:
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        result = world.run(
            sys.executable, "-c", FETCH, f"http://127.0.0.1:{server.port}/", operator=deny,
            env={"no_proxy": "*", "NO_PROXY": "*"},
        )  # fmt: skip
        assert result.targets == [f"net_egress 127.0.0.1:{server.port}"] and server.accepted == []


def test_enforce_denies_instead_of_asking(worlds: World) -> None:
    with serving(socket.AF_INET, ("127.0.0.1", 0)) as server:
        command = worlds.python("net", "v4", "127.0.0.1", server.port)
        result = worlds.run(*command, enforce=True, operator=allow)
        assert (result.json, result.asks, server.accepted) == ("EACCES", [], [])
        result = worlds.run("sh", "-c", f"echo x > {worlds.outside}/x", enforce=True, operator=allow)
        assert result.asks == [] and result.status and not (worlds.outside / "x").exists()
        assert [r["source"] for r in result.records if r["verdict"] == "deny"] == ["enforce"]


def test_a_socket_is_bound_where_it_was_decided(worlds: World) -> None:
    """Its address is what the caller gave; a link that is turned while the question waits leads nowhere."""
    script = (
        "import os, socket, sys\n"
        "full = os.path.abspath('full.sock')\n"
        "for name in ('plain.sock', full, '../project/up.sock', '/proc/self/cwd/proc.sock'):\n"
        "    s = socket.socket(socket.AF_UNIX); s.bind(name)\n"
        "    print(os.path.basename(s.getsockname()), s.getsockname() == name)\n"
        "s = socket.socket(socket.AF_UNIX); s.bind('link/s')\n"
    )
    first, second = worlds.outside / "first", worlds.outside / "second"
    for directory in (first, second):
        directory.mkdir()
        worlds.give(directory)
    link = worlds.project / "link"
    link.symlink_to(first)
    with worlds.start(sys.executable, "-c", script, operator=wait) as run:
        ask = run.asked(f"fs_write {first}/s")
        link.unlink()
        link.symlink_to(second)
        run.answer(ask, "allow")
        result = run.finish()
    assert result.status == 1 and list(second.iterdir()) == list(first.iterdir()) == []
    assert result.out.split() == [
        "plain.sock", "True", "full.sock", "True", "up.sock", "True", "proc.sock", "False",
    ]  # fmt: skip
    assert len(list(worlds.project.glob("*.sock"))) == 4
