"""connect(2) behind the gate is the kernel's: values, waits, signals, and what it does to the socket."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import OPEN_POLICY, World, allow, deny, only, wait


@contextlib.contextmanager
def full(where: Path | None = None) -> Iterator[tuple[str, socket.socket]]:
    """A listener whose queue has no room: connect(2) waits."""
    family = socket.AF_UNIX if where else socket.AF_INET
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket(family))
        server.bind(str(where) if where else ("127.0.0.1", 0))
        server.listen(0)
        if where:
            where.chmod(0o777)
        for _ in range(4):
            sock = stack.enter_context(socket.socket(family))
            sock.setblocking(False)
            sock.connect_ex(server.getsockname())
        yield str(where or server.getsockname()[1]), server


def drained(server: socket.socket) -> None:
    """Take what waits, until nothing more comes for a while."""

    def accept() -> None:
        server.settimeout(8)
        with contextlib.suppress(OSError):
            while True:
                server.accept()[0].close()

    threading.Thread(target=accept, daemon=True).start()


@pytest.fixture(params=["tcp", "unix"])
def crowded(request: pytest.FixtureRequest, world: World) -> Iterator[tuple[str, socket.socket]]:
    with full(world.outside / "full.sock" if request.param == "unix" else None) as made:
        yield made


@pytest.mark.parametrize("listening", [True, False])
def test_not_waiting_is_the_kernels(world: World, listening: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if not listening:
            server.close()
        command = world.python("connecting", "later", port)
        bare = world.bare(*command).json
        assert world.run(*command, policy=OPEN_POLICY).json == bare
        assert ("ok" in bare) == listening
        refused = world.run(*command, operator=deny)
        # nobody is asked about a port that nobody listens on
        assert refused.json[0] == ("EACCES" if listening else "ECONNREFUSED") and "ok" not in refused.json
        assert bool(refused.asks) == listening


def test_a_socket_that_is_connected_anew_is_decided_anew(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [server.getsockname()[1] for server in (one, other)]
        command = world.python("connecting", "twice", *ports)
        assert world.bare(*command).json == ["ok", "EISCONN", "ok", "ok", True]
        both = world.run(*command, operator=allow)
        assert both.json == ["ok", "EISCONN", "ok", "ok", True]
        assert both.targets == [f"net_egress 127.0.0.1:{port}" for port in ports]
        first = world.run(*command, operator=only(f"net_egress 127.0.0.1:{ports[0]}"))
        assert first.json == ["ok", "EISCONN", "ok", "EACCES", ""]
        for _ in range(2):
            other.accept()[0].close()  # once bare, once allowed: the denied one did not arrive
        other.settimeout(0.2)
        with pytest.raises(TimeoutError):
            other.accept()


@pytest.mark.parametrize("way", ["interrupted", "restarted"])
def test_signals_do_what_they_do(world: World, crowded: tuple[str, socket.socket], way: str) -> None:
    """Without SA_RESTART the call ends with EINTR; with it, it goes on once the handler ran."""
    where, server = crowded
    command = world.python("connecting", way, where)
    with world.start(*command, operator=allow) as run:
        run.says("waits")
        run.serve(0.7)  # the alarm rings after 0.3 s
        drained(server)
        result = run.finish()
    if way == "interrupted":
        assert result.json == ["EINTR", True, 1, "ok"]
    else:
        assert (result.json[0], result.json[2]) == ("ok", 1)
    assert len(result.asks) == 1


def test_the_time_limit_of_the_socket_holds(world: World, crowded: tuple[str, socket.socket]) -> None:
    command = world.python("connecting", "timed", crowded[0])
    bare = world.bare(*command).json
    assert bare == ["EINPROGRESS" if crowded[0].isdigit() else "EAGAIN", True]
    assert world.run(*command, operator=allow).json == bare


def test_who_waits_is_let_in_when_there_is_room(world: World, crowded: tuple[str, socket.socket]) -> None:
    where, server = crowded
    with world.start(*world.python("connecting", "patient", where), operator=allow) as run:
        run.says("waits")
        run.serve(0.4)
        drained(server)
        assert run.finish().json == ["ok"]


def test_who_waits_can_be_killed(world: World, crowded: tuple[str, socket.socket]) -> None:
    script = " ".join(world.python("connecting", "patient", crowded[0])) + " & sleep 0.6; kill -9 $!; wait $!"
    start = time.monotonic()
    assert world.run("sh", "-c", script, operator=allow).status == 137
    assert time.monotonic() - start < 8


def test_the_decided_socket_is_connected_whatever_stands_at_its_number(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with world.start(*world.python("connecting", "swapped", port), operator=wait) as run:
            ask = run.asked(f"net_egress 127.0.0.1:{port}")
            world.file(world.project / "go")
            run.until(lambda: (world.project / "swapped").exists(), "the swap")
            run.answer(ask, "allow")
            assert run.finish().json == ["ok", True, "ENOTCONN"]
