"""The bounds of the proxy: how long it waits and how much it holds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, sizes in bytes. A decision and an open tunnel have no time limit."""

    connections: int = 1000  # at once; fewer when the process may not open that many files
    header_bytes: int = 64 * 1024
    header: float = 30.0  # from the first byte of a request (the first one: from accept) to its last header
    idle: float = 300.0  # between two requests of one connection
    lookup: float = 20.0
    connect: float = 15.0  # per address
    handshake: float = 60.0  # with the operator's own proxy
    linger: float = 2.0  # for a refused client to read the answer
    half_closed: float = 900.0  # silence in a tunnel of which one side has ended
