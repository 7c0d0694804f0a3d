"""The moving of bytes by itself: turns, carriers, and what happens without splice."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proxy_tools import SECONDS

from agentgate.intercept.proxy import tunnel as tunnel_module
from agentgate.intercept.proxy.pump import Pump
from agentgate.intercept.proxy.tunnel import Carriers, Tunnel

needs_splice = pytest.mark.skipif(not hasattr(os, "splice"), reason="no splice(2) on this system")


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


class Ends:
    """A tunnel between two connections, and the two outer ends of these."""

    def __init__(self, early_up: bytes = b"", early_down: bytes = b"") -> None:
        self.client, inner_client = tcp_pair()
        self.server, inner_server = tcp_pair()
        self.tunnel = Tunnel(inner_client, inner_server, early_up, early_down)

    def turn(self, carriers: Carriers) -> None:
        for sock in (self.tunnel.client, self.tunnel.server):
            self.tunnel.turn(sock, carriers, readable=True, writable=True)

    def close(self, carriers: Carriers) -> None:
        for flow in (self.tunnel.up, self.tunnel.down):
            flow.release(carriers)
        for sock in (self.client, self.server, self.tunnel.client, self.tunnel.server):
            sock.close()
        carriers.close()


@pytest.fixture(params=[pytest.param(True, marks=needs_splice), False], ids=["splice", "memory"])
def carriers(request: pytest.FixtureRequest) -> Iterator[Carriers]:
    yield Carriers(splices=request.param)


def received(sock: socket.socket) -> bytes:
    found = b""
    try:
        while data := sock.recv(1 << 20):
            found += data
    except BlockingIOError:
        pass
    return found


def test_early_bytes_come_before_all_others(carriers: Carriers) -> None:
    ends = Ends(b"early up ", b"early down ")
    ends.client.send(b"up")
    ends.server.send(b"down")
    for _ in range(3):
        ends.turn(carriers)
    assert received(ends.server) == b"early up up"
    assert received(ends.client) == b"early down down"
    traffic = ends.tunnel.traffic(orderly=True)
    assert (traffic.sent, traffic.received) == (11, 15)
    ends.close(carriers)


def test_an_idle_tunnel_wants_to_read_only_and_holds_nothing(carriers: Carriers) -> None:
    ends = Ends()
    ends.client.send(b"x")
    ends.turn(carriers)
    assert ends.tunnel.wants(ends.tunnel.client) == (True, False)
    assert ends.tunnel.wants(ends.tunnel.server) == (True, False)
    ends.turn(carriers)
    carriers.close()  # all carriers were given back: nothing is open but the sockets
    ends.close(carriers)


def test_a_full_receiver_stops_the_reading(carriers: Carriers) -> None:
    ends = Ends()
    data = os.urandom(1 << 16)
    sent = 0
    for _ in range(10_000):
        try:
            sent += ends.client.send(data)
        except BlockingIOError:
            if ends.tunnel.wants(ends.tunnel.server) == (True, True):
                break
        ends.turn(carriers)
    assert ends.tunnel.wants(ends.tunnel.client) == (False, False)
    assert ends.tunnel.wants(ends.tunnel.server) == (True, True)
    got = 0
    while got < sent:
        got += len(received(ends.server))
        ends.turn(carriers)
    assert got == sent
    assert ends.tunnel.wants(ends.tunnel.client) == (True, False)
    ends.close(carriers)


def test_each_end_is_passed_on_once_the_bytes_before_it_are(carriers: Carriers) -> None:
    ends = Ends()
    ends.client.send(b"last words")
    ends.client.shutdown(socket.SHUT_WR)
    for _ in range(3):
        ends.turn(carriers)
    ends.server.setblocking(True)
    assert ends.server.recv(100) == b"last words"
    assert ends.server.recv(100) == b""
    assert ends.tunnel.half_closed
    assert not ends.tunnel.done
    ends.server.shutdown(socket.SHUT_WR)
    ends.turn(carriers)
    assert ends.tunnel.done
    ends.close(carriers)


def test_a_broken_side_is_an_error(carriers: Carriers) -> None:
    ends = Ends()
    ends.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    ends.server.close()
    with pytest.raises(OSError):
        ends.turn(carriers)
    ends.close(carriers)


@needs_splice
def test_sockets_that_cannot_be_spliced_go_through_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(tunnel_module.os, "splice", refused)
    carriers = Carriers()
    ends = Ends()
    ends.client.send(b"bytes")
    ends.turn(carriers)
    assert received(ends.server) == b"bytes"
    assert not carriers.splices
    ends.close(carriers)


@needs_splice
def test_without_descriptors_for_a_pipe_memory_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left() -> tuple[int, int]:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(tunnel_module.os, "pipe", none_left)
    carriers = Carriers()
    ends = Ends()
    ends.client.send(b"bytes")
    ends.turn(carriers)
    assert received(ends.server) == b"bytes"
    assert carriers.splices
    ends.close(carriers)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_any_order_of_events_keeps_the_stream(seed: int, splices: bool) -> None:
    chance = random.Random(seed)
    carriers = Carriers(splices=splices)
    early = chance.randbytes(chance.randrange(3000))
    ends = Ends(early, b"")
    expected, got = bytearray(early), bytearray()
    for _ in range(60):
        match chance.randrange(3):
            case 0:
                part = chance.randbytes(chance.randrange(1, 200_000))
                try:
                    expected += part[: ends.client.send(part)]
                except BlockingIOError:
                    pass
            case 1:
                ends.tunnel.turn(
                    chance.choice([ends.tunnel.client, ends.tunnel.server]),
                    carriers,
                    readable=chance.random() < 0.7,
                    writable=chance.random() < 0.7,
                )
            case _:
                try:
                    got += ends.server.recv(chance.randrange(1, 300_000))
                except BlockingIOError:
                    pass
    ends.client.shutdown(socket.SHUT_WR)
    for _ in range(1000):
        ends.turn(carriers)
        try:
            data = ends.server.recv(1 << 20)
        except BlockingIOError:
            continue
        if not data:
            break
        got += data
    assert got == expected
    ends.close(carriers)


async def test_the_pump_tells_what_it_carried_and_how_it_ended() -> None:
    pump = Pump(half_closed=60)
    pump.start()
    client, inner_client = tcp_pair()
    server, inner_server = tcp_pair()
    with client, server:
        carried = asyncio.create_task(
            pump.carry(inner_client, inner_server, from_client=b"early", from_server=b"")
        )
        await asyncio.sleep(0)
        assert inner_client.fileno() == inner_server.fileno() == -1  # handed over for good
        loop = asyncio.get_running_loop()
        assert await asyncio.wait_for(loop.sock_recv(server, 100), SECONDS) == b"early"
        server.send(b"answer")
        client.shutdown(socket.SHUT_WR)
        server.shutdown(socket.SHUT_WR)
        traffic = await asyncio.wait_for(carried, SECONDS)
        assert (traffic.sent, traffic.received, traffic.orderly) == (5, 6, True)
    pump.stop()
    pump.stop()


async def test_a_cancelled_tunnel_is_cut_and_a_stopped_pump_takes_none() -> None:
    pump = Pump(half_closed=60)
    pump.start()
    for stopped in (False, True):
        client, inner_client = tcp_pair()
        server, inner_server = tcp_pair()
        with client, server:
            if stopped:
                pump.stop()
            carried = asyncio.create_task(
                pump.carry(inner_client, inner_server, from_client=b"", from_server=b"")
            )
            await asyncio.sleep(0.01)
            assert carried.done() is stopped
            carried.cancel()
            loop = asyncio.get_running_loop()
            for sock in (client, server):
                with pytest.raises(ConnectionResetError):
                    await asyncio.wait_for(loop.sock_recv(sock, 1), SECONDS)
