"""How much depends on an answer: high, medium or low, and why. A help for the operator; decides nothing.

- High: what runs later or is the gate's own (a guard), what is secret, a program that already runs outside,
  a program in a place that no package manager owns, whatever changes files outside the project.
- Medium: a host that was not reached before, an install that runs scripts, a port that others can reach.
- Low: the rest.

Pure. What is known of the surroundings comes in as a `Scene`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from enum import IntEnum

from agentgate.actions import Action, Kind, Ruling, Source, Verdict
from agentgate.audit.record import Record
from agentgate.gate import helpers
from agentgate.intent.words import words

__all__ = ["Level", "Risk", "Scene", "host_of", "reached", "risk"]


class Level(IntEnum):
    LOW = 0
    MEDIUM = 1
    HIGH = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Risk:
    """``reason`` is one short phrase, safe to show after escaping; empty for what is low."""

    level: Level
    reason: str = ""


LOW = Risk(Level.LOW)


@dataclass(frozen=True, slots=True)
class Scene:
    """``project`` is where the agent works, ``passing`` the places for temporary files, all absolute and
    resolved. ``hosts`` are those that were reached before: in this session or on record."""

    project: str = ""
    passing: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()

    def met(self, hosts: frozenset[str]) -> Scene:
        """With ``hosts`` reached too; itself when they are known."""
        return self if hosts <= self.hosts else replace(self, hosts=self.hosts | hosts)


def risk(action: Action, ruling: Ruling, scene: Scene) -> Risk:
    """The risk of saying yes to ``action``, which ``ruling`` asks about."""
    if ruling.source is Source.GUARD and action.kind is not Kind.FS_READ:
        return Risk(Level.HIGH, ruling.reason or f"guard {ruling.guard}")
    match action.kind:
        case Kind.FS_READ:  # nothing but what a guard or a rule calls secret is asked about
            return Risk(Level.HIGH, ruling.reason if ruling.guard else "a read that a rule holds")
        case Kind.FS_WRITE:
            return _change(action, scene)
        case Kind.NET_EGRESS:
            return _connection(action, scene)
    return _command(action)


def _change(action: Action, scene: Scene) -> Risk:
    for path in action.objects:
        if not any(_beneath(path, place) for place in (scene.project, *scene.passing)):
            return Risk(Level.HIGH, "outside the project")
    return LOW


def _connection(action: Action, scene: Scene) -> Risk:
    for target in action.objects:
        if meaning := helpers.meaning(target):
            return Risk(Level.HIGH, meaning)
    host = host_of(action.target)
    if action.target.startswith("listen://"):
        return LOW if _loopback(host) else Risk(Level.MEDIUM, "other machines can connect to it")
    return LOW if host in scene.hosts else Risk(Level.MEDIUM, "a host that was not reached before")


def _command(action: Action) -> Risk:
    # Its first word is a path only where no system and no tool directory vouches for it (gate/command.py).
    if action.target.startswith("/"):
        return Risk(Level.HIGH, "a program from a place that the agent may have written")
    if words(action.argv).startswith(_BRINGS) or _INSTALLS.search(action.target[:_LOOKED_AT]):
        return Risk(Level.MEDIUM, "an install: it may run scripts of what it fetches")
    return LOW


_LOOKED_AT = 4096  # characters of a command
# How the words for a single command begin (intent/phrases.py), and what is found in a shell's longer text.
_BRINGS = ("install ", "update npm ", "fetch and run ", "fetch, compile ")
_INSTALLS = re.compile(
    r"\b(?:npm|pnpm|yarn|bun|pip[0-9.]*|pipx|uv|poetry|cargo|gem|bundle|composer|apt|apt-get|dnf|brew)\s"
    r"(?:[^|;&]{0,200}\s)?(?:install|i|ci|add|sync|update|upgrade)\b|\b(?:npx|bunx|uvx|pnpx)\s"
    r"|\b(?:curl|wget)\b[^;&|]{0,400}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"
)


def reached(records: tuple[Record, ...]) -> frozenset[str]:
    """The hosts that these decisions let somebody reach."""
    return frozenset(
        host_of(record.action.target)
        for record in records
        if record.action.kind is Kind.NET_EGRESS and record.answer.verdict is Verdict.ALLOW
    )


def host_of(target: str) -> str:
    """``api.example`` of ``udp://api.example:443``; the address without brackets."""
    place = target.partition("://")[2] or target
    return place.rpartition(":")[0].strip("[]") or place


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _beneath(path: str, place: str) -> bool:
    return bool(place) and f"{path}/".startswith(f"{place.rstrip('/')}/")
