"""The operator's name servers, asked for what was decided and for nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dns.message

__all__ = ["Onward", "ask"]

_TIMEOUT = 5.0  # seconds for each server

Onward = Callable[[str, str, Sequence[str]], "Awaitable[dns.message.Message | None]"]
"""(name, type, servers) -> the answer; None when no server gave one."""


async def ask(name: str, kind: str, servers: Sequence[str]) -> dns.message.Message | None:
    """One server after the other, in a query of our own making: no bit of the agent's message goes out."""
    import dns.asyncquery
    import dns.exception
    import dns.message

    for server in servers:
        query = dns.message.make_query(name, kind, use_edns=True)
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(query, server, timeout=_TIMEOUT)
        except (dns.exception.DNSException, OSError, EOFError):
            continue
        return answer
    return None
