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

from agentgate.actions import GuardName

__all__ = ["GUARDS", "Guard", "Guards"]

# What these calls do to a directory makes nothing in it run. Any other call (a rename, a link, a new file
# in its place) can put a whole directory, or a name for one, in place: build `x/hooks/pre-commit`, then
# rename `x` to `.git`, or write `gitdir: x` into a file `.git`. Then the directory is guarded too.
_HARMLESS = ("mkdir", "rmdir", "unlink", "tmpfile", "chmod", "chown", "utime", "setxattr", "removexattr")
# What a directory above the gate's own files may be subjected to: all but being moved or removed.
_STAYING = ("mkdir", "open", "tmpfile", "chmod", "chown", "utime", "setxattr", "removexattr")

_PACKAGES = "/node_modules/"
_OUR_OWN = rf"(?!.*{_PACKAGES})(?:.*/)?"  # not what comes with a package: no tool looks for it there
# A repository's own files: its directory, those of its submodules and worktrees.
_GIT = r"(?:.*/)?\.git/(?:modules/.*/|worktrees/.*/)?"
_GIT_HOLDERS = r"(?:.*/)?\.git(?:/(?:modules|worktrees)/[^/]+)*(?:/(?:modules|worktrees))?"


@dataclass(frozen=True, slots=True)
class Guard:
    """Regular expressions of the paths that are guarded: ``home`` of paths below the home directory,
    ``anywhere`` of whole paths. ``home_holders`` and ``holders`` are, likewise, the directories that hold
    what is guarded, and files that do no harm by being gone."""

    name: GuardName
    reason: str
    home: str = ""
    anywhere: str = ""
    home_holders: str = ""
    holders: str = ""


GUARDS: tuple[Guard, ...] = (
    Guard(
        GuardName.SHELL_STARTUP,
        "runs at every login or new shell",
        home=r"\.(?:bashrc|bash_profile|bash_login|bash_logout|bash_aliases|profile|zshrc|zshenv|zprofile"
        r"|zlogin|zlogout|inputrc|xprofile|xinitrc|xsession|xsessionrc|pam_environment|tmux\.conf|screenrc"
        r"|vimrc|gdbinit|pythonrc|pythonstartup)|\.config/(?:fish|nvim|environment\.d|git|tmux)(?:/.*)?"
        r"|\.gitconfig|\.bashrc\.d(?:/.*)?|\.vim(?:/.*)?",
        home_holders=r"\.config",
    ),
    Guard(GuardName.SSH, "opens or trusts logins", home=r"\.ssh(?:/.*)?"),
    Guard(
        GuardName.AUTOSTART,
        "starts with the desktop session",
        home=r"\.config/autostart(?:/.*)?",
        home_holders=r"\.config",
    ),
    Guard(
        GuardName.SYSTEMD_USER,
        "starts services of yours",
        home=r"\.(?:config|local/share)/systemd/user(?:/.*)?",
        home_holders=r"\.(?:config|local|local/share)(?:/systemd)?",
    ),
    Guard(
        GuardName.LAUNCH_AGENTS,
        "starts services of yours",
        home=r"Library/LaunchAgents(?:/.*)?",
        home_holders=r"Library",
    ),
    Guard(
        GuardName.CRON,
        "runs on a timer",
        anywhere=r"/etc/cron[^/]*(?:/.*)?|/var/spool/cron(?:/.*)?|/etc/anacrontab",
    ),
    Guard(
        GuardName.GIT_HOOKS,
        "runs at the next git command",
        anywhere=_GIT + r"hooks/(?![^/]*\.sample\Z).+",
        holders=_GIT_HOLDERS + r"(?:/hooks)?",
    ),
    Guard(
        GuardName.GIT_CONFIG,
        "can name programs that git runs",
        # "commondir" leads git to another directory's config and hooks (gitrepository-layout(5))
        holders=_GIT_HOLDERS + "|" + _GIT + r"(?:config(?:\.worktree)?|commondir)",
    ),
    Guard(GuardName.ENVRC, "runs when you enter the directory", anywhere=r"(?:.*/)?\.envrc"),
    Guard(
        GuardName.EDITOR_TASKS,
        "runs when the folder is opened in an editor",
        anywhere=_OUR_OWN + r"(?:\.vscode/(?:tasks|settings|launch)\.json|\.idea/runConfigurations(?:/.*)?)",
        holders=_OUR_OWN + r"\.(?:vscode|idea)",
    ),
    Guard(
        GuardName.AGENT_CONFIG,
        "tells coding agents what to run",
        home=r"\.claude/(?:settings(?:\.local)?\.json|hooks(?:/.*)?)|\.codex/(?:config\.toml|hooks.*)"
        r"|\.gemini/settings\.json|\.cursor/(?:mcp\.json|hooks.*)"
        r"|\.config/opencode/(?:opencode\.jsonc?|plugins?/.*)",
        anywhere=_OUR_OWN + r"\.mcp\.json",
        home_holders=r"\.config|\.config/opencode(?:/plugins?)?",
        holders=_OUR_OWN + r"\.(?:claude|codex|cursor|gemini)",
    ),
    Guard(
        GuardName.CI_WORKFLOWS,
        "runs on your forge with its secrets",
        anywhere=_OUR_OWN + r"\.github/workflows/.+",
        holders=_OUR_OWN + r"\.github(?:/workflows)?",
    ),
    Guard(
        GuardName.PYTHON_STARTUP,
        "runs at every start of that Python",
        # elsewhere a .pth file is a model's weights, which no Python runs by itself
        anywhere=r"(?:.*/)?(?:site|user)customize\.py",
        holders=r"(?:.*/)?(?:site|dist)-packages(?:/[^/]+\.pth)?",
    ),
)

_OWN = Guard(GuardName.GATE, "the gate's own files: who can change them can decide for you")


class Guards:
    """The guards of one session, compiled. Immutable; answers come from regular expressions only.

    ``home`` is the operator's home directory, ``project`` the directory the agent works in, ``own`` the
    gate's own files and directories (policy, audit log, sockets, program files), ``lifted`` the names
    that the policy lifts. All paths absolute, resolved, without a final slash.
    """

    def __init__(
        self, *, home: str, project: str, own: Iterable[str] = (), lifted: Iterable[GuardName] = ()
    ) -> None:
        lifted = frozenset(lifted)
        self._own = frozenset() if GuardName.GATE in lifted else frozenset(own)
        self._beneath_own = tuple(f"{path}/" for path in self._own)
        self._above_own = frozenset(parent for path in self._own for parent in _parents(path))
        guards = [guard for guard in GUARDS if guard.name not in lifted]
        self._by_group = {_group(guard): guard for guard in guards}
        self._project = project
        self._roots = (home, project, "/etc/cron", "/var/spool/cron")
        self._inside = _compile(guards, home, project, holders=False)
        self._holding = _compile(guards, home, project, holders=True)

    def gains(self, before: str, after: str) -> bool:
        """Whether something in a directory may be guarded once that is called ``after`` and was not while it
        was called ``before``. Where the new name alone says so, ``find`` does (holders)."""
        if any(f"{root}/".startswith(after.rstrip("/") + "/") for root in self._roots):
            return True
        if _in(after, self._project) and not _in(before, self._project):
            return True
        return _PACKAGES in f"{before}/" and _PACKAGES not in f"{after}/"

    def find(self, path: str, syscall: str = "") -> Guard | None:
        """The guard that stands before a write to ``path`` by ``syscall``, or None. A call that is not
        known may do anything."""
        if path in self._own or path.startswith(self._beneath_own):
            return _OWN
        if path in self._above_own and not syscall.startswith(_STAYING):
            return _OWN
        # Without one of these no path is guarded. Nearly every path: this runs for each file that an
        # install writes, and one after the other takes a third of what any() takes.
        if (
            "/." not in path
            and "-packages" not in path
            and "customize.py" not in path
            and "cron" not in path
            and "/Library" not in path
        ):
            return None
        pattern = self._inside if syscall.startswith(_HARMLESS) else self._holding
        match = pattern.fullmatch(path)
        return self._by_group[match.lastgroup] if match and match.lastgroup else None


def _in(path: str, directory: str) -> bool:
    return f"{path}/".startswith(f"{directory.rstrip('/')}/")


def _parents(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:end]) or "/" for end in range(1, len(parts))]


def _group(guard: Guard) -> str:
    return guard.name.replace("-", "_")


def _compile(guards: list[Guard], home: str, project: str, *, holders: bool) -> re.Pattern[str]:
    """One expression for all; the group that matched names the guard."""
    at_home = re.escape(home.rstrip("/")) + "/"
    parts = []
    for guard in guards:
        patterns = [guard.anywhere]
        if guard.home:
            patterns.append(f"{at_home}(?:{guard.home})")
        if guard.name is GuardName.AGENT_CONFIG:
            # In the project the agents' whole directories; not those in the home directory, should that
            # lie in the project: there the agents keep their state.
            folder = r"\.(?:claude|codex|cursor|gemini)/"
            in_project = re.escape(project.rstrip("/")) + "/"
            patterns.append(f"(?!{at_home}{folder})(?={in_project}){_OUR_OWN}{folder}.+")
        if holders:
            patterns.append(guard.holders)
            if guard.home_holders:
                patterns.append(f"{at_home}(?:{guard.home_holders})")
        parts.append(f"(?P<{_group(guard)}>{'|'.join(filter(None, patterns))})")
    # uv puts an empty file .git there at every start, so that no build looks further up for one. What a build
    # runs lies in that cache too, and is the rules' to decide.
    uv = at_home + r"\.cache/uv/sdists-v\d+/\.git\Z"
    return re.compile(f"(?!{uv})(?:{'|'.join(parts) or '(?!)'})", re.DOTALL)
