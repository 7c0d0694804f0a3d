"""Where this process runs, as hints: a container, WSL, gVisor, a session of the gate, and the terminal.

Pure, but for `read` and `is_tty`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from agentgate.doctor.facts import Terminal

__all__ = ["is_tty", "read", "surroundings", "terminal_of"]

# What is looked at; a file that cannot be read is left out.
_FILES = ("/proc/version", "/proc/1/cgroup", "/proc/self/mountinfo", "/.dockerenv", "/run/.containerenv",
          "/proc/self/uid_map")  # fmt: skip
_GVISOR = "Sun Jan 10 15:06:54 PST 2016"  # what its /proc/version has said in every release
_CONTAINERS = {"docker": "Docker", "kubepods": "Kubernetes", "lxc": "LXC", "libpod": "Podman"}


def read() -> dict[str, str]:
    """The files that tell something, by path."""
    found = {}
    for path in _FILES:
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            found[path] = file.read(1 << 16)
    return found


def surroundings(files: Mapping[str, str], env: Mapping[str, str]) -> tuple[str, ...]:
    """What ``files`` (by path, those that exist) and the environment say of where we are."""
    found = []
    version = files.get("/proc/version", "")
    if _GVISOR in version or "gVisor" in version:
        found.append("gVisor")
    if "microsoft" in version.lower():
        found.append("WSL 2" if "WSL2" in version else "WSL 1")
    container = _container(files, env)
    if container:
        found.append(container)
    if files.get("/proc/self/uid_map", "").split()[:3] not in ([], ["0", "0", "4294967295"]):
        found.append("a user namespace")
    if env.get("AGENTGATE"):
        found.append("an agentgate session")
    return tuple(found)


def _container(files: Mapping[str, str], env: Mapping[str, str]) -> str:
    if "/.dockerenv" in files:
        return "a Docker container"
    if "/run/.containerenv" in files:
        return "a Podman container"
    if env.get("KUBERNETES_SERVICE_HOST"):
        return "a Kubernetes container"
    for word, name in _CONTAINERS.items():
        if f"/{word}" in files.get("/proc/1/cgroup", ""):
            return f"a {name} container"
    return f"a container ({env['container']})" if env.get("container") else ""


def terminal_of(env: Mapping[str, str], tty: bool) -> Terminal:
    """What the environment says of the terminal (locale(7); $COLORTERM as terminals set it)."""
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    truecolor = env.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    utf8 = "utf8" in locale.lower().replace("-", "")
    return Terminal(env.get("TERM", ""), truecolor, utf8, tty)


def is_tty() -> bool:
    """Whether standard input and output are a terminal."""
    return all(os.isatty(number) for number in (0, 1))
