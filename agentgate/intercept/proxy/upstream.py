"""The operator's own proxy, which AgentGate itself must go through. Pure: read from the environment.

The variables are those that curl(1) and most programs know. A name is then resolved by that proxy, not here.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from agentgate.intercept.proxy.target import BadTarget, Target, parse_authority

__all__ = ["BadUpstream", "ProxyAddress", "Upstream"]


class BadUpstream(ValueError):
    """A proxy variable that cannot be honoured; the message is one line naming it."""


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """An HTTP proxy. ``authorization`` is the value of Proxy-Authorization (RFC 7617), or empty."""

    target: Target
    authorization: str = ""

    def __repr__(self) -> str:  # the password stays out of logs and tracebacks
        return f"ProxyAddress({self.target}{', with authorization' if self.authorization else ''})"

    @classmethod
    def parse(cls, url: str, variable: str) -> ProxyAddress:
        """``[http://][user:password@]host[:port][/]``; the port is 80 when absent. Raises BadUpstream."""
        scheme, separator, rest = url.partition("://")
        if not separator:
            scheme, rest = "http", url
        if scheme.lower() != "http":
            raise BadUpstream(f"{variable}: no {scheme}:// proxies are supported (use an http:// one)")
        userinfo, at, authority = rest.partition("/")[0].rpartition("@")
        try:
            target = parse_authority(authority, 80)
        except BadTarget as error:
            raise BadUpstream(f"{variable}: {error} (write http://host:port)") from None
        if not at:
            return cls(target)
        user, _, password = userinfo.partition(":")
        pair = f"{unquote(user)}:{unquote(password)}".encode()
        return cls(target, "Basic " + base64.b64encode(pair).decode("ascii"))


@dataclass(frozen=True, slots=True)
class Upstream:
    """Which proxy, if any, a request is passed on to. ``bypass`` holds the entries of NO_PROXY."""

    http: ProxyAddress | None = None
    tunnel: ProxyAddress | None = None
    bypass: tuple[str, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Upstream | None:
        """What HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say (lower case first), or None.

        Read it before setting the agent's own proxy variables. Raises BadUpstream.
        """
        found = os.environ if env is None else env

        def proxy(*names: str) -> ProxyAddress | None:
            for name in names:
                for variable in (name.lower(), name):
                    if found.get(variable, "").strip():
                        return ProxyAddress.parse(found[variable].strip(), variable)
            return None

        http, tunnel = proxy("HTTP_PROXY", "ALL_PROXY"), proxy("HTTPS_PROXY", "ALL_PROXY")
        if not http and not tunnel:
            return None
        bypass = found.get("no_proxy") or found.get("NO_PROXY") or ""
        return cls(http, tunnel, tuple(bypass.lower().replace(",", " ").split()))

    def route(self, target: Target, *, tunnel: bool) -> ProxyAddress | None:
        """The proxy for ``target``; None means a direct connection. This machine is always direct."""
        if target.local_name or (target.address is not None and target.address.is_loopback):
            return None
        if any(_bypasses(entry, target) for entry in self.bypass):
            return None
        return self.tunnel if tunnel else self.http


def _bypasses(entry: str, target: Target) -> bool:
    """Does an entry of NO_PROXY hold for ``target``: ``*``, a name and all below it, an address, a network,
    each with an optional port (networks without)?"""
    if entry == "*":
        return True
    if "/" in entry:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
        return target.address is not None and target.address in network
    name, colon, port = entry.rpartition(":")
    if not colon or entry.endswith("]") or (entry.count(":") > 1 and "[" not in entry):
        name = entry  # no port; an IPv6 address often stands here without brackets
    elif port != str(target.port):
        return False
    if target.address is not None:
        try:
            return ipaddress.ip_address(name.strip("[]")) == target.address
        except ValueError:
            return False
    name = name.removeprefix("*").strip(".")
    return bool(name) and (target.host == name or target.host.endswith("." + name))
