"""UDP in a session: nothing leaves, and the session's own programs hear each other."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import OPEN_POLICY, World, gone
from names_kit import program


@contextlib.contextmanager
def hearing(address: str) -> Iterator[socket.socket]:
    """A UDP server outside the session."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError as error:
            pytest.skip(f"not here: {address} ({error})")
        sock.settimeout(5)
        yield sock


def heard(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return bool(sock.recv(100))
    except BlockingIOError:
        return False


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
@pytest.mark.parametrize(
    "way", ["sendto", "sendmsg", "sendmmsg", "connected", "bound", "pktinfo", "device", "raced", "passed on"]
)
def test_no_datagram_leaves(world: World, way: str, address: str) -> None:
    if address == "::1" and way in ("pktinfo", "raced"):
        pytest.skip("written for IPv4")
    with hearing(address) as outside:
        command = program(world, "send", way, address, outside.getsockname()[1])
        assert world.bare(*command).json == "sent"
        assert outside.recv(100) == b"out"
        while heard(outside):
            pass
        result = world.run(*command, policy=OPEN_POLICY)
        assert result.json in ("sent", "ECONNREFUSED")
        assert not heard(outside)


def test_two_processes_of_the_session_talk(world: World) -> None:
    assert world.run(*program(world, "pair"), policy=OPEN_POLICY).json == "ping pong"


def test_sockets_are_as_they_were_asked_for(world: World) -> None:
    command = program(world, "flags")
    bare = world.bare(*command).json
    assert world.run(*command, policy=OPEN_POLICY).json == bare


@pytest.mark.parametrize("server", ["127.0.0.53", "10.9.8.7", "2001:db8::53", "::1"])
@pytest.mark.parametrize("way", ["udp", "tcp"])
def test_any_resolver_address_answers_from_itself(world: World, server: str, way: str) -> None:
    if ":" in server and way == "tcp":
        pytest.skip("an IPv6 socket reaches the forwarder as v4-mapped")
    result = world.run(*program(world, "dns", "some.test", 1, server, way), policy=OPEN_POLICY)
    assert result.json == [0, 1]


def test_other_lookups_are_decided(world: World) -> None:
    txt = program(world, "dns", "some.test", 16, "10.9.8.7", "udp")
    denied = world.run(*txt, policy="default: deny\nrules:\n  - {match: {action: exec}, decision: allow}\n")
    assert denied.json == [5, 0]
    [record] = [r for r in denied.records if r["action"] == "net_egress"]
    assert (record["target"], record["verdict"], record["gate"]) == ("udp://some.test:53", "deny", "dns")


def _helpers(app: int) -> list[int]:
    """Processes below ``app`` in another network namespace."""
    own = os.readlink("/proc/self/ns/net")
    out = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == app and os.readlink(entry / "ns" / "net") != own:
                    out.append(int(entry.name))
    return out


def test_the_helper_is_out_of_reach_and_ends_with_the_session(world: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("the helper can only be found by root")
    with world.start("sleep", "60", policy=OPEN_POLICY) as run:
        [helper] = _helpers(run.started["warden"])
        status = Path(f"/proc/{helper}/status").read_text()
        assert "CapEff:\t0000000000000000" in status and "CapPrm:\t0000000000000000" in status
        assert len(os.listdir(f"/proc/{helper}/fd")) == 1
    assert gone([helper]) == []


def test_the_helper_ends_with_the_warden(world: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("the helper can only be found by root")
    with world.start("sleep", "60", policy=OPEN_POLICY) as run:
        [helper] = _helpers(run.started["warden"])
        os.kill(run.started["warden"], 9)
        assert gone([helper]) == []


def test_the_helper_cannot_be_touched(world: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("the helper can only be found by root")
    script = "read pid; " + " ".join(program(world, "signals", '"$pid"')) + "; sleep 60"
    with world.start("sh", "-c", script, policy=OPEN_POLICY, pty=True) as run:
        [helper] = _helpers(run.started["warden"])
        run.type(f"{helper}\n")
        run.until(lambda: "[" in run.out and "]" in run.out, "an answer")
        assert "done" not in run.out
        assert gone([helper], 0.0) == [helper]
