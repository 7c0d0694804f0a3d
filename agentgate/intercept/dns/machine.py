"""What this machine knows of names without asking: hosts(5), resolv.conf(5), its own name."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Machine"]

_HOSTS, _RESOLV = "/etc/hosts", "/etc/resolv.conf"
_NDOTS = 1  # resolv.conf(5)


@dataclass
class Machine:
    """The files are read again when they changed."""

    hosts_file: str = _HOSTS
    resolv_file: str = _RESOLV
    hostname: str = field(default_factory=socket.gethostname)
    servers: list[str] = field(default_factory=list)
    search: list[str] = field(default_factory=list)
    ndots: int = _NDOTS
    _hosts: dict[str, list[str]] = field(default_factory=dict)
    _seen: tuple[float, float] = (-1.0, -1.0)

    def refresh(self) -> None:
        seen = _changed(self.hosts_file), _changed(self.resolv_file)
        if seen != self._seen:
            self._seen = seen
            self._read_hosts()
            self._read_resolv()

    def addresses(self, name: str) -> list[str] | None:
        """The addresses of a name that never leaves this machine (lower-case, without a final dot); None
        for every other."""
        if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 6.3
            return ["127.0.0.1", "::1"]
        self.refresh()
        if name in self._hosts:
            return self._hosts[name]
        return ["127.0.0.1", "::1"] if name == self.hostname.lower() else None

    def names(self, address: str) -> list[str]:
        """The names that hosts(5) has for ``address``."""
        self.refresh()
        return [name for name, addresses in self._hosts.items() if address in addresses]

    def completed(self, name: str) -> str:
        """When ``name`` is another one with a domain of the search list behind it: that other one."""
        self.refresh()
        for domain in self.search:
            if name.endswith("." + domain):
                return name[: -len(domain) - 1]
        return ""

    def _read_hosts(self) -> None:
        self._hosts = {}
        for line in _lines(self.hosts_file, "#"):
            address, *names = line.split()
            with contextlib.suppress(ValueError):
                address = str(ipaddress.ip_address(address.partition("%")[0]))
                for name in names:
                    self._hosts.setdefault(name.lower().rstrip("."), []).append(address)

    def _read_resolv(self) -> None:
        self.servers, self.search, self.ndots = [], [], _NDOTS
        for line in _lines(self.resolv_file, "#", ";"):
            word, *rest = line.split()
            if word == "nameserver" and rest:
                with contextlib.suppress(ValueError):
                    ipaddress.ip_address(rest[0].partition("%")[0])
                    self.servers.append(rest[0])
            elif word in ("search", "domain"):
                self.search = [domain.lower().strip(".") for domain in rest if domain.strip(".")]
            elif word == "options":
                for option in rest:
                    name, _, value = option.partition(":")
                    if name == "ndots" and value.isdigit():
                        self.ndots = int(value)


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _lines(path: str, *comments: str) -> list[str]:
    """Lines that say something."""
    try:
        text = Path(path).read_text("utf-8", "replace")
    except OSError:
        return []
    out = []
    for line in text.splitlines():
        for comment in comments:
            line = line.partition(comment)[0]
        if line.strip():
            out.append(line)
    return out
