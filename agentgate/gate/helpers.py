"""Programs that already run outside the session and work for whoever reaches their socket.

What such a program does for the agent it does without the gate. So no rule covers its socket by the way: a
rule allows it that names it (``policy.match``), and the question says what a yes means. This is the table
of those that are known by the place of their socket; of all others only that much is known.

Pure: targets as the policy writes them, ``unix:/path`` or ``unix:@abstract name`` (unix(7)).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["HELPERS", "SCHEME", "Helper", "find", "meaning"]

SCHEME = "unix:"

_RUN = r"/run/(?:user/[0-9]+/)?"
_HOME = r"(?:/home/[^/]+|/root|/Users/[^/]+)/"
_ANY = r"(?:.*/)?"


@dataclass(frozen=True, slots=True)
class Helper:
    """``does`` completes "It ...". ``where`` is a regular expression of socket paths and, behind an ``@``,
    abstract names."""

    name: str
    does: str
    where: str


HELPERS: tuple[Helper, ...] = (
    Helper(
        "Docker",
        "runs anything, as root, on this machine",
        _RUN + r"docker\.sock|" + _ANY + r"\.docker/(?:run|desktop)/[^/]+\.sock|" + _RUN + r"docker/.*",
    ),
    Helper("Podman", "runs anything, as its user, with any of that user's files", _RUN + r"podman/.*\.sock"),
    Helper(
        "containerd",
        "runs anything, as root, on this machine",
        _RUN + r"(?:k3s/)?containerd/.*|@/containerd-shim/.*",
    ),
    Helper("CRI-O", "runs anything, as root, on this machine", r"/run/crio/.*"),
    Helper("BuildKit", "builds with any command it is given", _RUN + r"buildkit.*"),
    Helper(
        "LXD or Incus",
        "makes machines with this one's disks, as root",
        r"/var/(?:lib|snap)/.*(?:lxd|incus)/.*unix\.socket(?:\.user)?|/run/incus/.*",
    ),
    Helper("libvirt", "makes virtual machines with this one's disks", _RUN + r"libvirt/.*"),
    Helper("Nix", "builds and installs what it is told to", r"/nix/var/nix/daemon-socket/.*"),
    Helper("snapd", "installs packages and changes services, as root", r"/run/snapd(?:-snap)?\.socket"),
    Helper("PackageKit or polkit", "changes the system for whoever may", r"/run/(?:polkit|PackageKit)/.*"),
    Helper(
        "systemd",
        "starts any command as a service, outside the gate",
        _RUN + r"systemd/(?:private|io\.systemd\.Manager|notify)|@/org/freedesktop/systemd1/.*",
    ),
    Helper("the journal", "writes into the system's log", r"/run/systemd/journal/.*|/dev/log"),
    Helper("systemd's user records", "looks up users and groups", r"/run/systemd/userdb/.*"),
    Helper(
        "D-Bus",
        "passes calls to every service of this machine or desktop: it can start programs, read the keyring",
        _RUN + r"(?:dbus/system_bus_socket|bus|dbus-1/.*|at-spi/.*)|/tmp/dbus-[^/]+|@/tmp/dbus-.*"
        r"|@/?(?:.*/)?(?:at-spi|ibus)/.*",
    ),
    Helper(
        "the SSH agent",
        "signs with your SSH keys: it opens every login that they open",
        r"/tmp/ssh-[^/]+/agent\.[0-9]+|" + _ANY + r"\.ssh/(?:agent/.*|[^/]*agent[^/]*)|"
        + _RUN + r"(?:keyring/\.?ssh|gcr/ssh|ssh-agent[^/]*|openssh_agent|gnupg/(?:.*/)?S\.gpg-agent\.ssh)|"
        + _ANY + r"\.gnupg/S\.gpg-agent\.ssh|" + _ANY + r"\.1password/agent\.sock|"
        + _ANY + r"(?:ssh-agent|ssh_auth_sock)[^/]*",
    ),
    Helper(
        "the GnuPG agent",
        "signs and decrypts with your keys",
        _RUN + r"gnupg/.*|" + _ANY + r"\.gnupg/(?:.*/)?S\.[^/]+",
    ),
    Helper("the keyring", "gives out your stored passwords", _RUN + r"keyring/.*|" + _RUN + r"kwallet.*"),
    Helper(
        "tmux or screen",
        "types into your other terminals, which no gate watches",
        r"/tmp/tmux-[0-9]+/.*|" + _RUN + r"(?:tmux-[0-9]+|screens?(?:/S-[^/]+)?|zellij)/.*|/tmp/screens?/.*|"
        + _HOME + r"\.(?:screen|tmux)/.*|/tmp/zellij-[0-9]+/.*",
    ),
    Helper(
        "a terminal's remote control",
        "types into your other terminals, which no gate watches",
        r"@?(?:/tmp/)?(?:my)?kitty[^/]*|" + _RUN + r"(?:kitty|wezterm|ghostty|foot)[^/]*(?:/.*)?",
    ),
    Helper(
        "an agent that runs already",
        "takes orders from whoever connects, and carries them out outside the gate",
        _ANY + r"\.(?:codex|claude|cursor|gemini)/.*|/tmp/codex-(?:daemon|ipc)[^/]*/.*|/tmp/codex-[^/]*"
        r"|/tmp/cc-(?:socks|daemon)[^/]*/.*|/tmp/claude-[^/]*(?:/.*)?",
    ),
    Helper(
        "an editor",
        "opens files and runs commands in your editor",
        r"(?:/tmp/|" + _RUN + r")vscode-(?:ipc|git|remote)[^/]*|(?:/tmp/emacs[0-9]+|" + _RUN
        + r"emacs)/.*|(?:/tmp/|" + _RUN + r")n?vim[^/]*(?:/.*)?",
    ),
    Helper(
        "the X server",
        "shows windows, and reads and types the keys of every other window",
        r"@?/tmp/\.X11-unix/X[0-9]+|@?/tmp/\.ICE-unix/.*",
    ),
    Helper("the Wayland compositor", "shows windows on your screen", _RUN + r"wayland-[0-9]+"),
    Helper(
        "the sound server",
        "plays and records sound",
        _RUN + r"(?:pulse/.*|pipewire-[^/]*)|/tmp/pulse-.*",
    ),
    Helper(
        "a database",
        "reads and changes its data; some can run commands",
        _RUN + r"(?:postgresql|mysqld?|mariadb|redis|mongodb?)[^/]*/.*|/tmp/(?:\.s\.PGSQL\.[0-9]+|mysql\.sock"
        r"|mongodb-[0-9]+\.sock|redis\.sock)",
    ),
    Helper("CUPS", "prints", r"/run/cups/.*"),
    Helper("Watchman", "runs the commands of its triggers", _ANY + r"watchman/.*sock|/tmp/\.watchman.*"),
)  # fmt: skip

_OTHER = "it belongs to a program outside this session"
_UNSEEN = "what it does for the agent is not seen by the gate"
_TABLE = tuple((re.compile(helper.where, re.DOTALL), helper) for helper in HELPERS)


def find(target: str) -> Helper | None:
    """The helper that listens at ``target``, None when it is not a known one."""
    place = target.removeprefix(SCHEME)
    if place.startswith("/var/run/"):
        place = place.removeprefix("/var")
    return next((helper for where, helper in _TABLE if where.fullmatch(place)), None)


def meaning(target: str) -> str:
    """What a yes to ``target`` means, in one line; empty for what is no unix socket."""
    if not target.startswith(SCHEME):
        return ""
    helper = find(target)
    if helper is None:
        return f"{_OTHER}; {_UNSEEN}"
    return f"{helper.name} {helper.does}; {_UNSEEN}"
