"""Which promise holds here, why, and what to do about it: pure, from the facts.

A promise is graded by effect where the drill has seen one, else by what the probes say. A row says
``holds partly`` where less is promised than on the best kernel, ``does not`` where nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from agentgate.doctor.facts import Facts
from agentgate.doctor.obstacles import obstacle
from agentgate.doctor.rights import ABSENT, SCOPES, lacking

__all__ = ["Grade", "Outlook", "Row", "outlook", "rows"]


class Grade(StrEnum):
    HOLDS = "holds"
    PARTLY = "holds partly"
    NOT = "does not"


@dataclass(frozen=True, slots=True)
class Row:
    """``todo`` is empty where there is nothing to do."""

    promise: str
    grade: Grade
    why: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The table and what it comes to. ``ok``: the kernel gate can run here, and held in the drill."""

    ok: bool
    verdict: str
    rows: tuple[Row, ...]


_FILES = "No file changes undecided"
_CONNECTIONS = "No connection opens undecided"
_PROGRAMS = "Every program start is decided first"
_DATAGRAMS = "No datagram or name lookup leaves undecided"
_PROCESSES = "The agent cannot touch your other processes"
_RINGS = "No call goes around the filter"
_FLOOR = "What slips past the filter has no rights"
_CLOSED = "It fails closed"
_RECORD = "Every decision is on record"
_ROOT = "Root's dangerous rights are dropped"
_ONCE = "One action is one question"
_CHEAP = "Held calls are cheap"
_READS = "No secret is read undecided"
_SCREEN = "The control room shows as meant"

_KERNEL_ROWS = (
    _FILES, _CONNECTIONS, _PROGRAMS, _DATAGRAMS, _PROCESSES, _RINGS, _FLOOR, _CLOSED, _RECORD, _ROOT, _ONCE,
    _CHEAP,
)  # fmt: skip
_SHIM = "--gate shim holds only what goes through PATH and the proxy"
_REPORT = "do not rely on it here; report this with agentgate doctor --json"


def outlook(facts: Facts) -> Outlook:
    """The whole answer."""
    why = obstacle(facts)
    if why:
        first = Row(_KERNEL_ROWS[0], Grade.NOT, why.why, why.todo)
        rest = tuple(Row(name, Grade.NOT, "as above: no kernel gate") for name in _KERNEL_ROWS[1:])
        text = f"The kernel gate cannot run here: {why.why}; {_SHIM}."
        return Outlook(False, text, (first, *rest, *_always(facts)))
    table = rows(facts)
    broken = [row.promise for row in table if row.grade is Grade.NOT and row.promise in _KERNEL_ROWS]
    partly = [row.promise for row in table if row.grade is Grade.PARTLY and row.promise in _KERNEL_ROWS]
    leaking = [name for name, finding in facts.drill.items() if not finding.ok and name in _VITAL]
    if leaking:
        return Outlook(False, f"The kernel gate runs here and does not hold: {', '.join(broken)}.", table)
    if partly or broken:
        less = "; ".join((*broken, *partly))
        return Outlook(True, f"The kernel gate runs here, with less than everything: {less}.", table)
    return Outlook(True, "The kernel gate runs here and holds what it promises.", table)


_VITAL = frozenset(
    "files connections unix programs udp signals memory io_uring openat2 root lost record".split()
)
"""What of the drill must be so for the gate to be relied upon."""


def rows(facts: Facts) -> tuple[Row, ...]:
    """The table for a machine on which nothing stands in the kernel gate's way."""
    return (
        _seen(facts, _FILES, ("files", "performed"), "a write was held, refused and left nothing"),
        _seen(
            facts, _CONNECTIONS, ("connections", "connected", "unix"),
            "connects over TCP and to a unix socket were held and refused",
        ),
        _seen(
            facts, _PROGRAMS, ("programs",),
            "an exec was held and refused; advice, not containment: arguments can be raced",
        ),
        _datagrams(facts),
        _seen(facts, _PROCESSES, ("signals", "memory"), _processes(facts)),
        _seen(facts, _RINGS, ("io_uring", "openat2"), "io_uring and openat2 are refused"),
        _floor(facts),
        _seen(facts, _CLOSED, ("lost",), "the warden was killed: nothing it held happened, its tree ended"),
        _seen(facts, _RECORD, ("record",), "what was refused in this trial was in its record"),
        _root(facts),
        _once(facts),
        _cheap(facts),
        *_always(facts),
    )  # fmt: skip


def _seen(facts: Facts, promise: str, tried: tuple[str, ...], held: str) -> Row:
    """What the drill saw of ``tried``."""
    for name in tried:
        finding = facts.drill.get(name)
        if finding is None:
            return Row(promise, Grade.NOT, "it was not tried", _REPORT)
        if not finding.ok:
            return Row(promise, Grade.NOT, finding.why, _REPORT)
    return Row(promise, Grade.HOLDS, f"tried: {held}")


def _datagrams(facts: Facts) -> Row:
    network = facts.probes.get("network")
    if network is None or not network.ok:
        sent = facts.drill.get("udp")
        if sent is None or not sent.ok:
            return _seen(facts, _DATAGRAMS, ("udp",), "")
        why = network.why if network else "not tried"
        return Row(
            _DATAGRAMS, Grade.PARTLY,
            f"no network namespace ({why}): there is no UDP at all, and names go through the proxy only",
            _namespaces(facts),
        )  # fmt: skip
    row = _seen(facts, _DATAGRAMS, ("udp",), "a datagram stayed inside; a name was answered without a lookup")
    named = facts.drill.get("names")
    if row.grade is Grade.HOLDS and (named is None or not named.ok):
        why = f"datagrams stay inside, but names are not served: {named.why if named else 'not tried'}"
        return Row(
            _DATAGRAMS, Grade.PARTLY, why, "names work through the proxy only (HTTP_PROXY and its kin)"
        )
    return row


def _namespaces(facts: Facts) -> str:
    """Which switch to turn, where one is known."""
    switches = facts.switches
    if switches.get("kernel/unprivileged_userns_clone") == "0":
        return "sysctl -w kernel.unprivileged_userns_clone=1"
    if switches.get("kernel/apparmor_restrict_unprivileged_userns") == "1":
        switch = "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        return f"{switch}, or an AppArmor profile that allows them"
    for name in ("user/max_user_namespaces", "user/max_net_namespaces"):
        if switches.get(name) == "0":
            return f"sysctl -w {name.replace('/', '.')}=1000"
    return "allow user and network namespaces (in a container: its seccomp profile), if programs need UDP"


def _processes(facts: Facts) -> str:
    by = "the Landlock domain" if facts.landlock >= SCOPES else "the warden, one call at a time"
    yama = "" if facts.yama is None else f"; Yama's ptrace_scope is {facts.yama}"
    return f"a signal to us was refused by {by}, opening our memory by the domain{yama}"


def _floor(facts: Facts) -> Row:
    floor = facts.probes.get("floor")
    if floor is None or not floor.ok:
        return Row(_FLOOR, Grade.NOT, floor.why if floor else "not tried", _REPORT)
    lacks = lacking(facts.landlock)
    outside = "modes, times, truncation, UDP and unix sockets by path are the filter's alone"
    expected = {"write", "create", "move"} | ({"connect"} if facts.landlock >= 4 else set())
    expected |= {"abstract", "signal"} if facts.landlock >= SCOPES else set()
    leaks = sorted(expected - set(floor.value or ()))
    if leaks:
        return Row(_FLOOR, Grade.NOT, f"inside a Landlock domain one could still {', '.join(leaks)}", _REPORT)
    if not lacks:
        return Row(_FLOOR, Grade.HOLDS, f"Landlock ABI {facts.landlock}; {outside}")
    why = "; ".join(f"{right.adds}: {right.instead}" for right in lacks)
    kernel = ABSENT[max(right.abi for right in lacks)]
    why = f"Landlock ABI {facts.landlock} lacks {why}; {outside}"
    return Row(_FLOOR, Grade.PARTLY, why, f"Linux {kernel} or later")


def _root(facts: Facts) -> Row:
    if facts.uid:
        return Row(_ROOT, Grade.HOLDS, f"not root (uid {facts.uid}): there is nothing to drop")
    row = _seen(facts, _ROOT, ("root",), "the program had none of them left")
    if row.grade is Grade.HOLDS:
        return Row(_ROOT, row.grade, row.why, "better still: run agentgate as an ordinary user")
    return row


def _once(facts: Facts) -> Row:
    killable = facts.probes.get("wait_killable")
    if killable and killable.ok:
        return Row(_ONCE, Grade.HOLDS, "a held call waits through signals (WAIT_KILLABLE_RECV)")
    why = killable.why if killable else "not tried"
    return Row(
        _ONCE, Grade.PARTLY, f"without WAIT_KILLABLE_RECV a signal repeats a held call ({why})",
        "Linux 5.19 or later; until then an answer may be asked for again",
    )  # fmt: skip


def _cheap(facts: Facts) -> Row:
    turns = facts.probes.get("sync_wake_up")
    if turns and turns.ok:
        return Row(_CHEAP, Grade.HOLDS, "caller and warden take turns on one processor (SYNC_WAKE_UP)")
    why = turns.why if turns else "not tried"
    return Row(
        _CHEAP, Grade.PARTLY, f"each held call moves between processors ({why})", "Linux 6.6 or later"
    )  # fmt: skip


def _always(facts: Facts) -> tuple[Row, ...]:
    """What does not hang on the kernel gate."""
    return (_reads(facts), _screen(facts))


def _reads(facts: Facts) -> Row:
    read = facts.drill.get("reads")
    if read and read.ok:
        return Row(_READS, Grade.HOLDS, "tried: reading a key in ~/.ssh was held and refused")
    return Row(
        _READS, Grade.NOT, "reads are not gated: the agent reads what you can read",
        "keep the list of allowed hosts short: what was read leaves through an allowed one only",
    )  # fmt: skip


def _screen(facts: Facts) -> Row:
    terminal = facts.terminal
    if terminal.term in ("", "dumb"):
        why = f"TERM is {terminal.term}" if terminal.term else "TERM is not set"
        return Row(_SCREEN, Grade.NOT, why, "set TERM to what your terminal is (xterm-256color)")
    if not terminal.utf8:
        return Row(_SCREEN, Grade.PARTLY, "the locale is not UTF-8", "export LANG=C.UTF-8")
    if not terminal.truecolor:
        why = f"TERM={terminal.term}; without COLORTERM=truecolor its colours are the nearest of 256"
        return Row(_SCREEN, Grade.HOLDS, why)
    return Row(_SCREEN, Grade.HOLDS, f"TERM={terminal.term}, truecolor, UTF-8")
