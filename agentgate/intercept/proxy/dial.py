"""Connections out: resolve once, look at what was found, connect to exactly that.

An allowed name must not become a way to this machine or its link, where a rebinding name server could
point it after the decision: only ``localhost`` may stand for a loopback address. Addresses that were
decided on as addresses are dialled as they are.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable

import h11

from agentgate.intercept.proxy import messages
from agentgate.intercept.proxy.limits import Limits
from agentgate.intercept.proxy.messages import Reply
from agentgate.intercept.proxy.target import Target
from agentgate.intercept.proxy.upstream import ProxyAddress
from agentgate.intercept.proxy.wire import Wire

__all__ = ["DialFailed", "Resolve", "dial", "dial_through", "local_address", "lookup"]

Resolve = Callable[[str], Awaitable[list[str]]]
"""A name -> its addresses, numeric, at least one. Raises OSError."""

_LINK = [
    ipaddress.ip_network(net)
    for net in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::/128",
        "::1/128",
        "fe80::/10",
        # where clouds keep a machine's credentials, beside 169.254.169.254
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
        "100.100.100.200/32",
    )
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in its last 32 bits


class DialFailed(Exception):
    """Nothing was reached; ``reply`` is what the client is told."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


def local_address(text: str) -> bool:
    """Is this numeric address of this machine, its link, or a cloud's credential service? What cannot be
    read as an address counts as one."""
    try:
        address: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return True
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        elif address.ipv4_mapped:
            address = address.ipv4_mapped
    return any(address in network for network in _LINK)


async def lookup(name: str) -> list[str]:
    """The addresses of ``name`` from the system's resolver, in its order of preference. Raises OSError.

    Each lookup has a thread of its own, not one of the loop's few: a name server that does not answer must
    not hold up anything else, nor the end of the program.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def deliver(addresses: list[str], error: OSError | None) -> None:
        if found.done():
            return
        if error:
            found.set_exception(error)
        else:
            found.set_result(addresses)

    def resolve() -> None:
        addresses: list[str] = []
        failure: OSError | None = None
        try:
            answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            addresses = [str(sockaddr[0]) for *_, sockaddr in answers]
        except OSError as error:
            failure = error
        except UnicodeError as error:
            failure = OSError(str(error))
        try:
            loop.call_soon_threadsafe(deliver, addresses, failure)
        except RuntimeError:  # the loop has ended meanwhile: nobody waits
            pass

    threading.Thread(target=resolve, name="proxy lookup", daemon=True).start()
    return await found


async def _addresses(target: Target, resolve: Resolve, limits: Limits, *, trusted: bool) -> list[str]:
    if target.address is not None:
        return [target.host]
    if target.local_name:  # never asked of a name server, which could answer anything (RFC 6761 6.3)
        return ["127.0.0.1", "::1"]
    try:
        async with asyncio.timeout(limits.lookup):
            addresses = list(dict.fromkeys(await resolve(target.host)))
    except TimeoutError:
        raise DialFailed(messages.timed_out(target, "the name server did not answer")) from None
    except OSError as error:
        raise DialFailed(messages.failed(target, f"no address: {error.strerror or error}")) from None
    for address in addresses:
        if not trusted and local_address(address):
            raise DialFailed(messages.rebound(target, address))
    return addresses


async def _connect(address: str, port: int, seconds: float) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def dial(target: Target, resolve: Resolve, limits: Limits, *, trusted: bool = False) -> socket.socket:
    """A connected, non-blocking socket to ``target``, whose addresses are tried in turn.

    ``trusted`` is for names the operator wrote: they may stand for this machine. Raises DialFailed.
    """
    slow = False
    last = "no address"
    for address in await _addresses(target, resolve, limits, trusted=trusted):
        try:
            return await _connect(address, target.port, limits.connect)
        except TimeoutError:
            slow, last = True, f"{address} did not answer"
        except OSError as error:
            slow, last = False, f"{address}: {error.strerror or error}"
    raise DialFailed((messages.timed_out if slow else messages.failed)(target, last))


async def dial_through(
    proxy: ProxyAddress, target: Target, resolve: Resolve, limits: Limits
) -> tuple[socket.socket, bytes]:
    """A tunnel to ``target`` through the operator's proxy, with the bytes that already came out of it.

    Raises DialFailed.
    """
    sock = await dial(proxy.target, resolve, limits, trusted=True)
    try:
        wire = Wire(sock, h11.CLIENT, limits.header_bytes)
        headers = [("Host", str(target))]
        if proxy.authorization:
            headers.append(("Proxy-Authorization", proxy.authorization))
        async with asyncio.timeout(limits.handshake):
            await wire.send(h11.Request(method="CONNECT", target=str(target), headers=headers))
            await wire.send(h11.EndOfMessage())
            answer = await wire.receive()
            while isinstance(answer, h11.InformationalResponse):
                answer = await wire.receive()
        if not isinstance(answer, h11.Response):
            raise DialFailed(messages.failed(target, f"the proxy {proxy.target} hung up"))
        if not 200 <= answer.status_code < 300:
            said = f"{answer.status_code} {answer.reason.decode('latin-1')}".strip()
            raise DialFailed(messages.failed(target, f"the proxy {proxy.target} answered {said}"))
    except TimeoutError:
        sock.close()
        raise DialFailed(messages.timed_out(target, f"the proxy {proxy.target} did not answer")) from None
    except (OSError, h11.ProtocolError) as error:
        sock.close()
        raise DialFailed(messages.failed(target, f"the proxy {proxy.target}: {error}")) from None
    except BaseException:
        sock.close()
        raise
    return sock, wire.trailing
