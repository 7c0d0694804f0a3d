"""The parts by themselves: pool, greeting, this machine's files, and the forwarder's answers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgate.actions import Action, Answer, Source, Verdict
from agentgate.intercept.dns.machine import Machine
from agentgate.intercept.dns.pool import Pool
from agentgate.intercept.dns.server import Forwarder
from agentgate.intercept.proxy.greeting import BadGreeting, server_name


def test_a_name_keeps_its_address_and_an_address_its_name() -> None:
    pool = Pool(names=3)
    first = pool.give("a.test").address
    assert pool.give("a.test") == (first, "") and pool.name(first) == "a.test"
    for name in ("b.test", "c.test", "a.test"):
        pool.give(name)
    given = pool.give("d.test")
    assert given.forgotten and pool.name(given.forgotten) == "" and len(pool) == 3
    assert pool.known("b.test") == "" and pool.known("a.test") == first


def test_a_forgotten_address_is_given_out_last() -> None:
    pool = Pool("198.18.0.0/28", names=4)
    given = [pool.give(f"{number}.test").address for number in range(14)]
    assert len(set(given)) == 14
    assert pool.give("again.test").address == given[0]


@given(st.lists(st.integers(0, 40), max_size=200))
def test_no_address_stands_for_two_names(numbers: list[int]) -> None:
    pool = Pool("198.18.0.0/27", names=10)
    for number in numbers:
        address = pool.give(f"{number}.test").address
        assert pool.name(address) == f"{number}.test"
    held = [pool.known(f"{number}.test") for number in range(41)]
    held = [address for address in held if address]
    assert len(held) == len(set(held)) == len(pool) <= 10


def hello(name: str | None) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def test_the_server_name_is_found() -> None:
    assert server_name(hello("Some.Test")) == "some.test"
    assert server_name(hello(None)) == ""
    assert server_name(b"SSH-2.0-x") == "" and server_name(b"") is None
    whole = hello("some.test")
    assert all(server_name(whole[:size]) is None for size in range(1, len(whole)))
    body = whole[5:]
    records = b"".join(
        whole[:3] + len(part).to_bytes(2, "big") + part
        for part in (body[at : at + 7] for at in range(0, len(body), 7))
    )
    assert server_name(records) == "some.test"


def test_bad_greetings_are_told() -> None:
    with pytest.raises(BadGreeting):
        server_name(b"\x16\x03\x01\x00\x04\x02\x00\x00\x00")
    with pytest.raises(BadGreeting):
        server_name(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")
    with pytest.raises(BadGreeting):
        server_name((b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(0x3FFC)) * 5)


@given(st.binary(max_size=300))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    for start in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c"):
        try:
            assert server_name(start + data) is None or isinstance(server_name(start + data), str)
        except BadGreeting:
            pass


def machine(
    tmp_path: Path, resolv: str, hosts: str = "127.0.0.1 localhost\n10.0.0.7 nas NAS.home # x\n"
) -> Machine:
    (tmp_path / "hosts").write_text(hosts)
    (tmp_path / "resolv.conf").write_text(resolv)
    return Machine(str(tmp_path / "hosts"), str(tmp_path / "resolv.conf"), hostname="Box")


def test_this_machine_s_files(tmp_path: Path) -> None:
    found = machine(
        tmp_path, "nameserver 10.0.0.1\nnameserver what\nsearch Corp.Test lan\noptions ndots:5 x\n"
    )
    assert found.addresses("nas.home") == ["10.0.0.7"] and found.names("10.0.0.7") == ["nas", "nas.home"]
    assert found.addresses("box") == ["127.0.0.1", "::1"] and found.addresses("other.test") is None
    assert found.servers == ["10.0.0.1"] and found.ndots == 5
    assert found.completed("git.corp.test") == "git" and found.completed("corp.test") == ""
    assert Machine(str(tmp_path / "no"), str(tmp_path / "no")).addresses("nas") is None


class Session:
    """A forwarder on a loopback socket, a gate and a name server that are scripted."""

    def __init__(self, here: Machine) -> None:
        self.pool = Pool()
        self.allow = False
        self.decided: list[str] = []
        self.asked: list[tuple[str, str, list[str]]] = []
        self.announced: list[tuple[str, str, str]] = []
        self.told = asyncio.Event()
        self.told.set()
        self.forwarder = Forwarder(self.pool, self._decide, machine=here, onward=self._onward)

    async def _decide(self, action: Action) -> Answer:
        self.decided.append(action.target)
        return Answer(Verdict.ALLOW if self.allow else Verdict.DENY, Source.RULE)

    async def _onward(self, name: str, kind: str, servers: Sequence[str]) -> dns.message.Message | None:
        self.asked.append((name, kind, list(servers)))
        answer = dns.message.make_response(dns.message.make_query(name, kind))
        answer.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "MX", "5 mail.test."))
        answer.additional.append(dns.rrset.from_text("mail.test.", 60, "IN", "A", "192.0.2.9"))
        return answer

    async def announce(self, address: str, name: str, forget: str) -> None:
        self.announced.append((address, name, forget))
        await self.told.wait()

    async def __aenter__(self) -> Session:
        await self.forwarder.start()
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(server.getsockname())
        self.client.setblocking(False)
        self.forwarder.serve([server], self.announce)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.forwarder.close()
        self.client.close()

    async def ask(self, name: str, kind: str = "A") -> dns.message.Message:
        query = dns.message.make_query(name, kind)
        self.client.send(query.to_wire())
        async with asyncio.timeout(5):
            while True:
                data = await asyncio.get_running_loop().sock_recv(self.client, 4096)
                if data[:2] == query.to_wire()[:2]:
                    return dns.message.from_wire(data)

    async def found(self, name: str, kind: str = "A") -> list[str]:
        message = await self.ask(name, kind)
        return [str(data) for rrset in message.answer for data in rrset]


async def test_a_name_is_told_before_it_is_answered(tmp_path: Path) -> None:
    async with Session(machine(tmp_path, "")) as session:
        session.told.clear()
        first = asyncio.create_task(session.ask("Some.Test"))
        await asyncio.sleep(0.05)
        assert session.announced == [("198.18.0.1", "some.test", "")] and not first.done()
        session.told.set()
        answer = await first
        assert str(answer.answer[0][0]) == "198.18.0.1" and answer.answer[0].ttl <= 60
        assert await session.found("some.test") == ["198.18.0.1"] and len(session.announced) == 1
        assert await session.found("other.test") == ["198.18.0.2"]
        assert session.decided == session.asked == []


@pytest.mark.parametrize(
    ("name", "kind", "answers", "code"),
    [
        ("nas.home", "A", ["10.0.0.7"], dns.rcode.NOERROR),
        ("nas.home", "AAAA", [], dns.rcode.NOERROR),
        ("localhost", "AAAA", ["::1"], dns.rcode.NOERROR),
        ("some.test", "AAAA", [], dns.rcode.NOERROR),
        ("some.test", "HTTPS", [], dns.rcode.NOERROR),
        ("some.test", "ANY", [], dns.rcode.NOERROR),
        ("some.invalid", "A", [], dns.rcode.NXDOMAIN),
        ("127.1", "A", [], dns.rcode.NXDOMAIN),
        ("10.0.0.1", "A", [], dns.rcode.NXDOMAIN),
        ("-bad-.test", "A", [], dns.rcode.NXDOMAIN),
        ("7.0.0.10.in-addr.arpa", "PTR", ["nas.", "nas.home."], dns.rcode.NOERROR),
        ("8.0.0.10.in-addr.arpa", "PTR", [], dns.rcode.NXDOMAIN),
        ("some.test", "AXFR", [], dns.rcode.REFUSED),
        ("a\\032b.test", "MX", [], dns.rcode.REFUSED),
    ],
)
async def test_answers_without_anybody_else(
    tmp_path: Path, name: str, kind: str, answers: list[str], code: int
) -> None:
    async with Session(machine(tmp_path, "")) as session:
        session.allow = True
        message = await session.ask(name, kind)
        assert sorted(str(data) for rrset in message.answer for data in rrset) == answers
        assert message.rcode() == code and session.decided == session.asked == []


async def test_other_types_are_decided_and_then_asked(tmp_path: Path) -> None:
    async with Session(machine(tmp_path, "nameserver 10.0.0.1\n")) as session:
        assert (await session.ask("some.test", "MX")).rcode() == dns.rcode.REFUSED
        assert session.decided == ["udp://some.test:53"] and session.asked == []
        session.allow = True
        message = await session.ask("some.test", "MX")
        assert str(message.answer[0][0]) == "5 mail.test." and message.additional == []
        assert session.asked == [("some.test", "MX", ["10.0.0.1"])]
        assert (await session.ask("9.2.0.192.in-addr.arpa", "PTR")).rcode() == dns.rcode.NXDOMAIN  # TEST-NET
        session.allow = False
        assert (await session.ask("8.8.8.8.in-addr.arpa", "PTR")).rcode() == dns.rcode.REFUSED
        assert session.decided[-1] == "udp://8.8.8.8.in-addr.arpa:53"


async def test_search_domains_do_not_answer_for_other_names(tmp_path: Path) -> None:
    here = machine(tmp_path, "search ns.svc.lan svc.lan lan\noptions ndots:5\n")
    async with Session(here) as session:
        for name in ("host.test.ns.svc.lan", "host.test.svc.lan", "host.test.lan"):
            assert (await session.ask(name)).rcode() == dns.rcode.NXDOMAIN
        assert await session.found("host.test") == ["198.18.0.1"]
        # written out by the program: tried with the domains behind it first, then as it is
        for domain in ("ns.svc.lan", "svc.lan", "lan"):
            assert (await session.ask(f"db.ns.svc.lan.{domain}")).rcode() == dns.rcode.NXDOMAIN
        assert await session.found("db.ns.svc.lan") == ["198.18.0.2"]
        assert await session.found("db.ns.svc.lan.") == ["198.18.0.2"]
        assert await session.found("db.lan") == ["198.18.0.3"]  # a short name in a domain of the list


async def test_rubbish_is_not_answered_and_harms_nothing(tmp_path: Path) -> None:
    async with Session(machine(tmp_path, "")) as session:
        response = dns.message.make_response(dns.message.make_query("some.test", "A")).to_wire()
        for data in (b"", b"x", b"\0" * 12, b"\xff" * 200, response):
            session.client.send(data)
        assert await session.found("some.test") == ["198.18.0.1"]
        assert len(session.announced) == 1
