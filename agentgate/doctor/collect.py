"""Runs every probe, each in a process of its own, and returns the facts."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from agentgate.doctor.attempt import attempt
from agentgate.doctor.facts import Facts, Finding
from agentgate.doctor.surroundings import is_tty, read, surroundings, terminal_of

__all__ = ["collect"]

_DRILL_SECONDS = 30.0
# What forbids user namespaces where something does (user_namespaces(7); Debian's and Ubuntu's own)
_SWITCHES = (
    "kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns",
    "user/max_user_namespaces", "user/max_net_namespaces",
)  # fmt: skip
_PROBES = ("listener", "take", "memory", "inject", "wait_killable", "sync_wake_up")


def collect() -> Facts:
    """Call from the main thread of a process with no other; takes about a second, and at most one minute."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, no child could be waited for
    machine = os.uname()
    basics: dict[str, Any] = {
        "system": sys.platform,
        "machine": machine.machine,
        "release": machine.release,
        "uid": os.geteuid(),
        "surroundings": surroundings(read(), os.environ),
        "terminal": terminal_of(os.environ, is_tty()),
    }
    if sys.platform != "linux":
        return Facts(**basics, missing=_missing())
    basics["yama"] = _number("kernel/yama/ptrace_scope")
    basics["switches"] = {name: value for name in _SWITCHES if (value := _sysctl(name)) is not None}
    basics["capabilities"] = _capabilities()
    lacking = attempt(_missing)
    basics["missing"] = lacking.value if lacking.ok else lacking.why
    abi = attempt(_landlock)
    basics["landlock"] = abi.value if abi.ok else 0
    if basics["missing"]:
        return Facts(**basics)
    probes = {name: attempt(_probe(name), 8.0) for name in _PROBES}
    probes["floor"] = _in_a_folder(_floor, 10.0)
    probes["network"] = attempt(_network, 12.0)
    needed = ("listener", "take", "memory", "inject", "floor")
    if not all(probes[name].ok for name in needed):
        return Facts(**basics, probes=probes)
    session = _in_a_folder(_drill, _DRILL_SECONDS)
    probes["session"] = Finding(session.ok, session.why, session.code)
    drill = {name: Finding(**found) for name, found in (session.value or {}).items()}
    return Facts(**basics, probes=probes, drill=drill)


def _probe(name: str) -> Callable[[], Any]:
    def work() -> Any:
        from agentgate.intercept.kernel import probe

        done = getattr(probe, name)()
        if done is False:
            raise OSError(0, "a process that is held so dies, or the kernel does not know it")

    return work


def _missing() -> str:
    from agentgate.intercept.kernel.support import missing

    return missing()


def _landlock() -> int:
    from agentgate.intercept.kernel.landlock import abi_version

    return abi_version()


def _in_a_folder(work: Callable[[str], Any], seconds: float) -> Finding:
    """`attempt` of ``work`` in a new folder, which is removed whatever becomes of it."""
    import shutil  # these two are slow to import
    import tempfile

    try:
        folder = tempfile.mkdtemp(prefix="agentgate-doctor-")
    except OSError as error:
        return Finding(False, f"no temporary folder: {error.strerror}", error.errno or 0)
    try:
        return attempt(lambda: work(os.path.realpath(folder)), seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _floor(folder: str) -> list[str]:
    from agentgate.doctor.floor import refused
    from agentgate.intercept.kernel.landlock import abi_version

    return refused(folder, abi_version())


def _network() -> None:
    """The network for UDP, as the warden makes it."""
    from agentgate.intercept.kernel.netns import Netns, NoNamespace

    network = Netns(None)
    try:
        network.ready()
    except NoNamespace as error:
        raise OSError(0, str(error)) from None
    network.close()


def _drill(folder: str) -> dict[str, Any]:
    from agentgate.doctor.drill import drill

    return drill(folder)


def _sysctl(name: str) -> str | None:
    with contextlib.suppress(OSError), open(f"/proc/sys/{name}", encoding="ascii") as file:
        return file.read().strip()
    return None


def _number(name: str) -> int | None:
    value = _sysctl(name)
    return int(value) if value is not None and value.isdecimal() else None


def _capabilities() -> int:
    with (
        contextlib.suppress(OSError),
        open("/proc/self/status", encoding="ascii", errors="replace") as status,
    ):
        for line in status:
            if line.startswith("CapEff:"):
                return int(line.split()[1], 16)
    return 0
