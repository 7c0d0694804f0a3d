"""How long an agent waits for its own command before it ends it, where that is known for sure.

Claude's Bash tool: 120 s, or what ``BASH_DEFAULT_TIMEOUT_MS`` says in its environment or its settings
(code.claude.com/docs/en/settings, "Environment variables"); a single call may ask for more. A number that
stands in a settings file is not looked for: where one of them mentions the name, nothing is claimed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from agentgate.actions import Process
from agentgate.intent.shell import SHELLS, shell_text
from agentgate.regular import NotRegular, open_regular

__all__ = ["Patience", "patience"]

_NAME = "BASH_DEFAULT_TIMEOUT_MS"
_CLAUDE_SECONDS = 120.0
_SETTINGS = (".claude/settings.json", ".claude/settings.local.json")
_LARGEST = 1 << 20  # bytes of a settings file that are looked at; in a larger one anything may stand


@dataclass(frozen=True, slots=True)
class Patience:
    """``agent`` gives a command ``seconds``."""

    agent: str
    seconds: float

    def left(self, chain: tuple[Process, ...], since_boot: float, ticks: int) -> float | None:
        """Seconds until the agent ends the command that ``chain`` belongs to; None where no shell of its
        own runs it. ``since_boot`` is CLOCK_BOOTTIME now, ``ticks`` the clock ticks of a second."""
        if len(chain) < 2:
            return None
        tool = chain[-2]
        name = os.path.basename(tool.argv[0]) if tool.argv else ""
        if name not in SHELLS or not shell_text(tool.argv) or not tool.start:
            return None
        return self.seconds - (since_boot - tool.start / ticks)


def patience(command: tuple[str, ...], env: Mapping[str, str], project: str, home: str) -> Patience | None:
    """What is known of the agent that ``command`` runs. Reads its settings files."""
    if not command or os.path.basename(command[0]) != "claude":
        return None
    given = env.get(_NAME, "")
    if given:
        return Patience("claude", int(given) / 1000) if given.isascii() and given.isdigit() else None
    files = [os.path.join(place, name) for place in (project, home) for name in _SETTINGS]
    if any(_mentions(file, _NAME) for file in (*files, "/etc/claude-code/managed-settings.json")):
        return None
    return Patience("claude", _CLAUDE_SECONDS)


def _mentions(file: str, word: str) -> bool:
    """Whether ``word`` stands in ``file``; True too when that cannot be found out."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        try:
            text = open_regular(file)
        except (PermissionError, NotRegular):
            return True
        with text:
            found = text.read(_LARGEST + 1)
        return len(found) > _LARGEST or word.encode() in found
    return False
