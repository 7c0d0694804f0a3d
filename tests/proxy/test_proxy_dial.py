"""Names are looked up once, after the decision, and may not stand for this machine."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from proxy_tools import Gate, ask, client, echo, hello, proxying, serving

from agentgate.intercept.proxy import Limits, Proxy
from agentgate.intercept.proxy.dial import DialFailed, dial, local_address, lookup
from agentgate.intercept.proxy.target import parse_authority


class Names:
    """A name server: what it was asked, what it says."""

    def __init__(self, *answers: list[str]) -> None:
        self.asked: list[str] = []
        self._answers = list(answers)

    async def resolve(self, name: str) -> list[str]:
        self.asked.append(name)
        return self._answers.pop(0)


def connect(target: str) -> bytes:
    return f"CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


async def test_denied_names_are_not_looked_up(gate: Gate) -> None:
    names = Names(["192.0.2.1"])
    gate.deny |= {"evil.example:443", "evil.example:80"}
    async with proxying(Proxy(gate.decide, resolve=names.resolve)) as port:
        assert (await ask(port, connect("evil.example:443"))).startswith(b"HTTP/1.1 403 ")
        request = b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        assert (await ask(port, request)).startswith(b"HTTP/1.1 403 ")
    assert names.asked == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["127.7.7.7"],
        ["0.0.0.0"],
        ["169.254.169.254"],
        ["::1"],
        ["::"],
        ["fe80::1%eth0"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fd00:ec2::254"],
        ["192.0.2.1", "127.0.0.1"],
        ["what?"],
    ],
)
@pytest.mark.parametrize("tunnel", [True, False])
async def test_an_allowed_name_cannot_be_rebound_to_this_machine(
    gate: Gate, addresses: list[str], tunnel: bool
) -> None:
    names = Names(addresses)
    async with serving(hello) as server, proxying(Proxy(gate.decide, resolve=names.resolve)) as port:
        target = f"allowed.example:{server.port}"
        plain = f"GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n".encode()
        answer = await ask(port, connect(target) if tunnel else plain)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert f"resolves to {addresses[-1]}".encode() in answer
        assert gate.targets == [target]
        assert names.asked == ["allowed.example"]
        assert server.accepted == 0


@pytest.mark.parametrize("name", ["localhost", "app.localhost", "LOCALHOST."])
async def test_localhost_is_this_machine_and_no_name_server_is_asked(gate: Gate, name: str) -> None:
    names = Names(["192.0.2.1"])
    async with serving(echo) as server, proxying(Proxy(gate.decide, resolve=names.resolve)) as port:
        async with client(port) as connection:
            await connection.send(connect(f"{name}:{server.port}") + b"ping")
            assert (await connection.head()).startswith(b"HTTP/1.1 200 ")
            assert await connection.exactly(4) == b"ping"
        assert names.asked == []


async def test_the_machine_s_own_name_is_refused_when_it_stands_for_loopback(gate: Gate) -> None:
    """The real resolver, on a name of the hosts file: nothing leaves this machine."""
    hosts = Path("/etc/hosts")
    lines = (
        [line.partition("#")[0].split() for line in hosts.read_text().splitlines()] if hosts.exists() else []
    )
    names = [name for address, *found in filter(None, lines) for name in found if address.startswith("127.")]
    name = next((name for name in names if "localhost" not in name), "")
    if not name:
        pytest.skip("no name but localhost stands for a loopback address in /etc/hosts")
    async with serving(echo) as server, proxying(Proxy(gate.decide)) as port:
        answer = await ask(port, connect(f"{name}:{server.port}"))
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert server.accepted == 0


async def test_addresses_are_tried_in_turn() -> None:
    """Of the two addresses of localhost only one has the server."""
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        target = parse_authority(f"allowed.example:{listener.getsockname()[1]}")
        names = Names(["127.0.0.2", "127.0.0.1"])
        sock = await dial(target, names.resolve, Limits(connect=2.0), trusted=True)
        with sock:
            assert sock.getpeername()[0] == "127.0.0.1"
        assert names.asked == ["allowed.example"]


async def test_refused_connection_is_a_502(gate: Gate) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port_of_nobody = unused.getsockname()[1]
    async with proxying(Proxy(gate.decide)) as port:
        answer = await ask(port, connect(f"127.0.0.1:{port_of_nobody}"))
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"X-AgentGate: failed" in answer
        assert f"cannot reach 127.0.0.1:{port_of_nobody}: 127.0.0.1: ".encode() in answer


async def test_silent_address_is_a_504(gate: Gate) -> None:
    """A listener whose queue is full does not answer, like a host that is not there."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        queued = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
            queued.append(sock)
        async with proxying(Proxy(gate.decide, limits=Limits(connect=0.3))) as port:
            answer = await ask(port, connect(f"127.0.0.1:{full.getsockname()[1]}"))
        for sock in queued:
            sock.close()
    assert answer.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert b"127.0.0.1 did not answer" in answer


async def test_unknown_name_is_a_502_and_a_silent_name_server_a_504(gate: Gate) -> None:
    async def unknown(name: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def silent(name: str) -> list[str]:
        await asyncio.sleep(30)
        return []

    async with proxying(Proxy(gate.decide, resolve=unknown)) as port:
        answer = await ask(port, connect("nowhere.example:443"))
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"no address: Name or service not known" in answer
    async with proxying(Proxy(gate.decide, resolve=silent, limits=Limits(lookup=0.2))) as port:
        answer = await ask(port, connect("nowhere.example:443"))
        assert answer.startswith(b"HTTP/1.1 504 ")


async def test_the_system_s_resolver_is_used() -> None:
    assert "127.0.0.1" in await lookup("localhost")
    with pytest.raises(OSError):
        await lookup("a" * 70 + ".invalid")  # not a legal label: fails without asking anyone


async def test_an_address_is_dialled_as_decided() -> None:
    async def never(name: str) -> list[str]:
        raise AssertionError(name)

    with pytest.raises(DialFailed):
        await dial(parse_authority("127.0.0.1:1"), never, Limits())


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "64:ff9b::c000:201", "8.8.8.8"])
def test_other_addresses_are_not_of_this_machine(address: str) -> None:
    assert not local_address(address)
