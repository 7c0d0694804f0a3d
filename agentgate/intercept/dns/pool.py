"""Addresses that stand for names. Pure.

Given out one after the other and again only after all others, so that an address which a program still
holds keeps its meaning as long as can be.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from typing import NamedTuple

__all__ = ["NETWORK", "Given", "Pool"]

NETWORK = "198.18.0.0/15"  # RFC 2544: for benchmarks, routed nowhere
_NAMES = 16_384


class Given(NamedTuple):
    """``forgotten`` is an address that stands for nothing any more, or empty."""

    address: str
    forgotten: str = ""


class Pool:
    """At most ``names`` names at once; the one that was not asked for longest goes first."""

    def __init__(self, network: str = NETWORK, names: int = _NAMES) -> None:
        self.network = ipaddress.IPv4Network(network)
        self._first, self._size = int(self.network.network_address) + 1, self.network.num_addresses - 2
        self._most = min(names, self._size)
        self._next = 0
        self._by_name: OrderedDict[str, str] = OrderedDict()
        self._by_address: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def known(self, name: str) -> str:
        """The address of ``name``, empty when it has none."""
        address = self._by_name.get(name, "")
        if address:
            self._by_name.move_to_end(name)
        return address

    def give(self, name: str) -> Given:
        """The address of ``name``, a new one when it has none."""
        address = self.known(name)
        if address:
            return Given(address)
        forgotten = ""
        if len(self._by_name) >= self._most:
            _, forgotten = self._by_name.popitem(last=False)
            del self._by_address[forgotten]
        while True:
            address = str(ipaddress.IPv4Address(self._first + self._next))
            self._next = (self._next + 1) % self._size
            if address not in self._by_address:
                break
        self._by_name[name] = address
        self._by_address[address] = name
        return Given(address, forgotten if forgotten != address else "")

    def name(self, address: str) -> str:
        """What ``address`` stands for, empty when nothing."""
        return self._by_address.get(address, "")
