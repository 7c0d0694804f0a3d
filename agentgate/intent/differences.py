"""Where what a command says differs from what is observed of it. Pure; a help for the reader.

The words are the agent's: its command, and what it said of it. The facts are the gate's. Two sorts of
difference are told apart: a command that by its words only looks, and yet changes or reaches something; and
something touched that the words do not name.
"""

from __future__ import annotations

import posixpath
import re

from agentgate.actions import Action, Kind
from agentgate.intent.command import program
from agentgate.intent.shell import plain_command, unwrap_shell

__all__ = ["differences"]

_LOOKS = re.compile(
    r"(?:list|show|look|search|see|view|read|check|find|print|count|display|inspect|status)\b", re.IGNORECASE
)
_LOOKING = frozenset(
    "ls cat head tail less more file stat wc du df find grep egrep rg ag tree pwd whoami id date echo which "
    "printenv env diff cmp md5sum sha256sum strings nl sort uniq basename dirname realpath readlink".split()
)
_DOES = {
    Kind.FS_WRITE: "changes a file",
    Kind.NET_EGRESS: "connects",
    Kind.FS_READ: "reads a secret",
}


def differences(command: tuple[str, ...], claim: str, action: Action) -> tuple[str, ...]:
    """What of ``action`` the words do not say, each in a few words. ``command`` is the argument list as the
    agent gave it, ``claim`` what it said of it, if anything."""
    text = unwrap_shell(command) or " ".join(command)
    found = []
    if action.kind in _DOES and _only_looks(command, claim):
        found.append(f"says it only looks, but {_DOES[action.kind]}")
    if not _named(f"{text} {claim}", action):
        found.append("not named in the command")
    return tuple(found)


def _only_looks(command: tuple[str, ...], claim: str) -> bool:
    if claim and _LOOKS.match(claim.lstrip()):
        return True
    plain = plain_command(unwrap_shell(command)) or command
    return bool(plain) and program(plain[0]) in _LOOKING


def _named(text: str, action: Action) -> bool:
    """Whether the words hold a name of what is touched. What lies where the command runs is named by that."""
    words = text.lower()
    match action.kind:
        case Kind.NET_EGRESS:
            return _host_named(words, action.target.lower())
        case Kind.FS_WRITE | Kind.FS_READ:
            return all(_path_named(words, path.lower(), action.cwd.lower()) for path in action.objects)
    first = action.target.partition(" ")[0]
    return not first.startswith("/") or posixpath.basename(first).lower() in words


def _host_named(words: str, target: str) -> bool:
    if target.startswith("unix:"):
        return posixpath.basename(target) in words
    if target.startswith("listen://"):
        return True
    host = (target.partition("://")[2] or target).rpartition(":")[0].strip("[]")
    parts = host.split(".")
    if host.replace(".", "").isdigit() or ":" in host:
        return host in words
    return any(".".join(parts[start:]) in words for start in range(max(len(parts) - 1, 1)))


def _path_named(words: str, path: str, cwd: str) -> bool:
    if cwd and f"{path}/".startswith(f"{cwd.rstrip('/')}/"):
        return True
    return any(name in words for name in path.split("/")[-2:] if len(name) > 2)
