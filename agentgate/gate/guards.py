"""Guards: places that are asked about whatever the rules say, one answer at a time.

Two sorts. *Places that run code later* (shell start files, git hooks, editor tasks, agent settings...):
a write there is how a one-time foothold becomes a permanent one, and it is dangerous whether or not the
file exists yet. *The gate's own files*: who can change those can decide for the operator.

A policy can lift a guard by name (``lift_guards: [git-config]``); nothing else can, and a guard never
turns a policy's deny into a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["GUARDS", "Guard", "Guards"]

# Calls that put a whole directory, or a name for one, in place: for these the directory that holds
# guarded files is guarded too (build `x/hooks/pre-commit`, then rename `x` to `.git`).
_PLACING = ("rename", "symlink", "link", "RENAME_EXCHANGE")


@dataclass(frozen=True, slots=True)
class Guard:
    """``home`` and ``anywhere`` are regular expressions: of paths below the home directory, and of path
    tails at any depth. ``holders`` are the directories that hold what ``anywhere`` names."""

    name: str
    reason: str
    home: str = ""
    anywhere: str = ""
    holders: str = ""


GUARDS: tuple[Guard, ...] = (
    Guard(
        "shell-startup",
        "runs at every login or new shell",
        home=r"\.(?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile"
        r"|zlogin|zlogout|inputrc|xprofile|xinitrc|xsession|xsessionrc|pam_environment|tmux\.conf|screenrc"
        r"|vimrc|gdbinit|pythonrc|pythonstartup)|\.config/(?:fish|nvim|environment\.d|git|tmux)(?:/.*)?"
        r"|\.gitconfig|\.bashrc\.d(?:/.*)?|\.vim(?:/.*)?",
    ),
    Guard("ssh", "opens or trusts logins", home=r"\.ssh(?:/.*)?"),
    Guard("autostart", "starts with the desktop session", home=r"\.config/autostart(?:/.*)?"),
    Guard(
        "systemd-user",
        "starts services of yours",
        home=r"\.(?:config|local/share)/systemd/user(?:/.*)?",
    ),
    Guard(
        "launch-agents",
        "starts services of yours",
        home=r"Library/LaunchAgents(?:/.*)?",
    ),
    Guard(
        "cron",
        "runs on a timer",
        anywhere=r"/etc/cron[^/]*(?:/.*)?|/var/spool/cron(?:/.*)?|/etc/anacrontab",
    ),
    Guard(
        "git-hooks",
        "runs at the next git command",
        anywhere=r"(?:.*/)?\.git/(?:.*/)?hooks/(?![^/]*\.sample$).+",
        holders=r"(?:.*/)?\.git(?:/hooks)?",
    ),
    Guard(
        "git-config",
        "can name programs that git runs",
        anywhere=r"(?:.*/)?\.git/(?:modules/.*/|worktrees/.*/)?config(?:\.worktree)?",
    ),
    Guard("envrc", "runs when you enter the directory", anywhere=r"(?:.*/)?\.envrc"),
    Guard(
        "editor-tasks",
        "runs when the folder is opened in an editor",
        anywhere=r"(?!.*/node_modules/)(?:.*/)?\.vscode/(?:tasks|settings|launch)\.json"
        r"|(?!.*/node_modules/)(?:.*/)?\.idea/runConfigurations(?:/.*)?",
        holders=r"(?!.*/node_modules/)(?:.*/)?\.(?:vscode|idea)",
    ),
    Guard(
        "agent-config",
        "tells coding agents what to run",
        home=r"\.claude/(?:settings(?:\.local)?\.json|hooks(?:/.*)?)|\.codex/(?:config\.toml|hooks[^/]*)"
        r"|\.gemini/settings\.json|\.cursor/(?:mcp|hooks)\.json|\.config/opencode/(?:opencode\.jsonc?|plugins?/.*)",
        anywhere=r"(?!.*/node_modules/)(?:.*/)?\.mcp\.json",
        holders=r"(?!.*/node_modules/)(?:.*/)?\.(?:claude|codex|cursor|gemini)",
    ),
    Guard(
        "ci-workflows",
        "runs on your forge with its secrets",
        anywhere=r"(?!.*/node_modules/)(?:.*/)?\.github/workflows/.+",
        holders=r"(?!.*/node_modules/)(?:.*/)?\.github(?:/workflows)?",
    ),
    Guard(
        "python-startup",
        "runs at every start of that Python",
        anywhere=r"(?:.*/)?[^/]+\.pth|(?:.*/)?(?:site|user)customize\.py",
    ),
)

# Without one of these in it, no path is guarded.
_MARKS = ("/.", ".pth", "customize.py", "cron", "LaunchAgents")

_OWN = Guard("gate", "the gate's own files: who can change them can decide for you")


class Guards:
    """The guards of one session, compiled. Immutable; answers come from regular expressions only.

    ``home`` is the operator's home directory, ``project`` the directory the agent works in, ``own`` the
    gate's own files and directories (policy, audit log, sockets, program files), ``lifted`` the names
    that the policy lifts. All paths absolute, resolved, without a final slash.
    """

    def __init__(
        self, *, home: str, project: str, own: Iterable[str] = (), lifted: Iterable[str] = ()
    ) -> None:
        lifted = frozenset(lifted)
        gate = frozenset() if "gate" in lifted else frozenset(own)
        self._own = gate
        self._beneath_own = tuple(f"{path}/" for path in gate)
        self._above_own = frozenset(parent for path in gate for parent in _parents(path))
        guards = [guard for guard in GUARDS if guard.name not in lifted]
        self._by_group = {guard.name.replace("-", "_"): guard for guard in guards}
        self._any = self._compile(guards, home, project, placing=False)
        self._placing = self._compile(guards, home, project, placing=True)

    @staticmethod
    def _compile(guards: list[Guard], home: str, project: str, *, placing: bool) -> re.Pattern[str]:
        parts = []
        for guard in guards:
            patterns = []
            if guard.home:
                patterns.append(re.escape(home) + "/(?:" + guard.home + ")")
            if guard.anywhere:
                patterns.append(guard.anywhere)
            if guard.name == "agent-config":  # in the project, the agents' whole directories
                patterns.append(re.escape(project) + r"/(?:.*/)?\.(?:claude|codex|cursor|gemini)/.+")
            if placing and guard.holders:
                patterns.append(guard.holders)
            parts.append(f"(?P<{guard.name.replace('-', '_')}>{'|'.join(patterns)})")
        return re.compile("|".join(parts) or r"(?!)", re.DOTALL)

    def find(self, path: str, syscall: str = "") -> Guard | None:
        """The guard that stands before a write to ``path`` by ``syscall``, or None."""
        if path in self._own or path.startswith(self._beneath_own):
            return _OWN
        # a directory above the gate's files may be written into, but not moved or removed
        if path in self._above_own and not syscall.startswith(("mkdir", "open", "utime")):
            return _OWN
        if not any(mark in path for mark in _MARKS):
            return None  # nearly every path: this runs for each file that an install writes
        pattern = self._placing if syscall.startswith(_PLACING) else self._any
        match = pattern.fullmatch(path)
        return self._by_group[match.lastgroup] if match and match.lastgroup else None


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) or "/" for end in range(1, len(parts))]
