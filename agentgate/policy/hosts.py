"""Patterns of network targets: hosts and ports, networks, unix sockets.

A target is ``host:port``, ``[v6]:port``, ``udp://host:port``, ``listen://addr:port`` or ``unix:/path``.
A pattern is ``*`` (anything at all), or one of the same four forms, where

- the port may be left out or ``*`` (any port);
- a host is exact (``github.com`` is neither ``www.github.com`` nor ``github.com.evil.com``);
- ``.github.com`` and ``*.github.com`` are everything below it, without itself; a ``*`` elsewhere stays
  within one label; ``*`` alone is any host;
- ``10.0.0.0/8`` and ``[2001:db8::/32]`` are networks (addresses only: names are not looked up);
- what follows ``unix:`` is a path glob, or after ``unix:@`` the glob of an abstract name (unix(7)).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from agentgate.policy.glob import GlobError, Lookup, command_regex, expand, is_narrow, path_regex

__all__ = ["HostPattern", "canonical", "compile_host", "covers_host", "names_socket", "socket_glob"]

_ANY_PORT = "[0-9]+"
_SCHEMES = ("udp://", "listen://")
_NAME = re.compile(r"[a-z0-9_*](?:[a-z0-9_*-]*[a-z0-9_*])?(?:\.[a-z0-9_*](?:[a-z0-9_*-]*[a-z0-9_*])?)*")
_V6 = r"\[[0-9a-f:.]+(?:%[^\]/]+)?\]"


class HostPattern(NamedTuple):
    """``regex`` (DOTALL, full match, against ``canonical(target)``) or, for networks, ``test``."""

    regex: str
    test: Callable[[str], bool] | None = None


def canonical(target: str) -> str:
    """The target as patterns compare it: the host lower-case and without its final dot."""
    if target.startswith("unix:"):
        return _short(target)
    host, colon, port = target.lower().rpartition(":")
    return host.rstrip(".") + colon + port if not host.endswith("]") else host + colon + port


def compile_host(pattern: str, lookup: Lookup) -> HostPattern:
    """Compile one pattern; raises GlobError saying how to mend it."""
    if pattern == "*":
        return HostPattern(".*")
    if pattern.startswith("unix:"):
        return HostPattern("unix:" + _unix(pattern[5:], lookup))
    text = expand(pattern, lookup).lower()
    scheme = next((scheme for scheme in _SCHEMES if text.startswith(scheme)), "")
    text = text[len(scheme) :]
    if "://" in text:
        rest = text.split("://")[1].split("/")[0]
        raise GlobError(f"a host, not an address of the web (write '{rest}' or '{rest}:443')")
    host, port = _port(text)
    if network := _network(host):
        return HostPattern("", _in_network(network, scheme, port))
    return HostPattern(f"{scheme}{_host(host)}:{port}")


def names_socket(pattern: str, lookup: Lookup) -> str:
    """The regular expression of a pattern that names one unix socket: its path, or its directory and a
    pattern of its name (``unix:/run/postgresql/.s.PGSQL.*``). Empty for every other pattern; raises
    GlobError."""
    if not pattern.startswith("unix:") or not is_narrow(pattern[5:], lookup):
        return ""
    return compile_host(pattern, lookup).regex


def socket_glob(pattern: str) -> str | None:
    """What follows ``unix:`` in a pattern of unix sockets, None for every other pattern."""
    return _short(pattern)[5:] if pattern.startswith("unix:") else None


def covers_host(wide: str, narrow: str, lookup: Lookup) -> bool:
    """Whether every target that ``narrow`` (no ``unix:``) matches is for certain matched by ``wide``.
    Raises GlobError."""
    if wide == "*" or wide == narrow:
        return True
    if narrow == "*" or socket_glob(wide) is not None:
        return False
    (scheme, host, port), (its_scheme, its_host, its_port) = _taken(wide, lookup), _taken(narrow, lookup)
    if scheme != its_scheme or port not in (_ANY_PORT, its_port):
        return False
    if host in ("*", "**") or host == its_host:
        return True
    network, its_network = _network(host), _network(its_host)
    if its_network:
        return bool(network) and _within(its_network, network)
    if "*" in its_host or its_host.startswith("."):  # everything below a domain
        below, its_below = _below(host), _below(its_host)
        return bool(below and its_below and its_below.endswith(below))
    pattern = compile_host(wide, lookup)
    name = its_host.rstrip(".")
    if ":" in name:
        name = f"[{_address(name.strip('[]'))}]"
    elif not name.isascii():
        name = re.sub(r"\\(.)", r"\1", _host(name))
    sample = f"{scheme}{name}:{its_port if its_port != _ANY_PORT else 1}"
    return pattern.test(sample) if pattern.test else re.fullmatch(pattern.regex, sample) is not None


def _taken(pattern: str, lookup: Lookup) -> tuple[str, str, str]:
    """Scheme, host and port (as a regular expression)."""
    text = expand(pattern, lookup).lower()
    scheme = next((scheme for scheme in _SCHEMES if text.startswith(scheme)), "")
    return (scheme, *_port(text[len(scheme) :]))


def _below(host: str) -> str:
    """The domain below which all is meant, with its dot in front; empty for every other host."""
    name = host.rstrip(".")
    name = name[1:] if name.startswith("*.") else name
    return name if name.startswith(".") and "*" not in name else ""


def _within(narrow: str, wide: str) -> bool:
    import ipaddress

    inner, outer = ipaddress.ip_network(narrow), ipaddress.ip_network(wide)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _short(text: str) -> str:
    """/var/run is /run by another name (hier(7)), and written by everybody."""
    return "unix:/run/" + text[14:] if text.startswith("unix:/var/run/") else text


def _unix(rest: str, lookup: Lookup) -> str:
    rest = _short("unix:" + rest)[5:]
    if rest == "*":
        return ".*"
    if rest.startswith("@"):
        return command_regex(rest, lookup)
    return path_regex(rest, lookup)


def _port(text: str) -> tuple[str, str]:
    """The host part, and the port as a regular expression."""
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port or (host.count(":") and not host.startswith("[")):
        return text, _ANY_PORT  # no port, or an IPv6 address without brackets
    if port == "*":
        return host, _ANY_PORT
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise GlobError(f"port '{port}' is no number up to 65535 and not '*'")
    return host, str(int(port))


def _host(host: str) -> str:
    if host in ("*", "**"):
        return rf"(?:[^:/\[\]]+|{_V6})"
    if ":" in host:
        return re.escape(f"[{_address(host.strip('[]'))}]")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            raise GlobError(f"'{host}' is no host name") from None
    host = host.rstrip(".")
    subtree = host.startswith(".")
    if host.startswith("*."):
        host, subtree = host[1:], True
    name = host[1:] if subtree else host
    if not _NAME.fullmatch(name):
        raise GlobError(f"'{name}' is no host name, address or network")
    if "*" in name and not re.search("[a-z]", name):
        raise GlobError(f"'{name}' looks like a network (write it like '10.0.0.0/8')")
    regex = re.sub(r"(?:\\\*)+", "[a-z0-9_-]+", re.escape(name))
    if subtree:
        regex = r"[a-z0-9_.-]+\." + regex
    # no host name is longer (RFC 1035, 2.3.4): a target that is must not make several stars expensive
    return f"(?=[^:]{{1,253}}:){regex}" if "*" in name else regex


def _address(text: str) -> str:
    import ipaddress  # few policies name IPv6 addresses or networks, and it is slow to import

    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise GlobError(f"'{text}' is no IP address") from None


def _network(host: str) -> str:
    if "/" not in host:
        return ""
    import ipaddress

    try:
        return str(ipaddress.ip_network(host.replace("[", "").replace("]", ""), strict=True))
    except ValueError as error:
        raise GlobError(f"'{host}' is no network ({error})") from None


def _in_network(network: str, scheme: str, port: str) -> Callable[[str], bool]:
    import ipaddress

    net = ipaddress.ip_network(network)
    form = re.compile(rf"{scheme}(?:\[([0-9a-f:.]+)\]|([0-9.]+)):{port}")

    def test(target: str) -> bool:
        match = form.fullmatch(target)
        if not match:
            return False
        try:
            address = ipaddress.ip_address(match[1] or match[2])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address) in net

    return test
