"""Plain words for any action: what it does, and which command it belongs to.

Derived from the system call and the process chain alone. Safe to show, never raises; "" where there is
nothing to add to the action itself.
"""

from __future__ import annotations

import posixpath

from agentgate.actions import Action, Kind, Process
from agentgate.escape import printable
from agentgate.intent.command import MAX_ARGS, MAX_TEXT, program, script_name, words
from agentgate.intent.phrases import PROGRAMS, SUBCOMMANDS
from agentgate.intent.shell import SHELLS, plain_command, unwrap_shell

__all__ = ["for_action", "words"]

_CALLS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("open", "creat", "tmpfile"), "write a file"),
    (("rename",), "rename a file"),
    (("unlink",), "delete a file"),
    (("rmdir",), "delete a directory"),
    (("mkdir",), "make a directory"),
    (("symlink",), "make a symbolic link"),
    (("link",), "link a file under another name"),
    (("mknod",), "make a special file"),
    (("truncate", "ftruncate"), "cut a file"),
    (("chmod", "fchmod"), "change a file's permissions"),
    (("chown", "fchown", "lchown"), "change a file's owner"),
    (("utim", "futim"), "set a file's time"),
    (("setxattr", "lsetxattr", "fsetxattr"), "change a file's attributes"),
    (("removexattr", "lremovexattr", "fremovexattr"), "change a file's attributes"),
)
_SCHEMES = {
    "unix:": "connect to the local socket ",
    "udp://": "send datagrams to ",
    "listen://": "wait for connections on ",
}


def for_action(action: Action, secret: str = "") -> str:
    """``install the npm package chalk...`` for a command, ``npm install chalk: write a file`` or
    ``node: connect to example.com:443`` for what a command does. ``secret`` is what a read would reveal, in
    a few words ("your AWS credentials")."""
    if action.kind is Kind.EXEC:
        return words(action.argv or tuple(action.target.split(" ")))
    if action.kind is Kind.NET_EGRESS:
        scheme = next((scheme for scheme in _SCHEMES if action.target.startswith(scheme)), "")
        what = _SCHEMES.get(scheme, "connect to ") + action.target[len(scheme) :]
    elif action.kind is Kind.FS_READ:
        what = _reading(action.syscall, secret or "a file")
    else:
        what = _change(action.syscall)
    by = _telling(action.chain)
    return printable(f"{by}: {what}" if by else what, MAX_TEXT)


def _reading(syscall: str, what: str) -> str:
    if syscall in ("rename", "link"):  # under another name it could be read unseen
        return f"give another name to {what}"
    return f"read {what}"


def _change(syscall: str) -> str:
    if "REMOVEDIR" in syscall:  # unlinkat(2) with AT_REMOVEDIR
        return "delete a directory"
    return next((text for calls, text in _CALLS if syscall.startswith(calls)), "change a file")


def _telling(chain: tuple[Process, ...]) -> str:
    """The nearest command that says something: no bare shell or interpreter while there is another."""
    for process in chain:
        argv = _unwrapped(process.argv[:MAX_ARGS])
        name = program(argv[0]) if argv else ""
        if not name or name in SHELLS or name in ("node", "python"):
            continue
        if len(argv) > 1 or (name not in SUBCOMMANDS and name not in PROGRAMS):
            return _cut(" ".join((posixpath.basename(argv[0]), *argv[1:])), 60)
    for process in chain:
        argv = process.argv or (process.exe,)
        if argv[0]:
            return _cut(posixpath.basename(argv[0]), 40)
    return ""


def _unwrapped(argv: tuple[str, ...]) -> tuple[str, ...]:
    """``node /usr/bin/npm-cli.js install`` as ``npm install``; a shell's text when it is one command."""
    for _ in range(4):
        name = program(argv[0]) if argv else ""
        if name == "node" and len(argv) > 1 and script_name(argv[1]) in SUBCOMMANDS.keys() | PROGRAMS.keys():
            argv = (script_name(argv[1]), *argv[2:])
        elif name in SHELLS and (inner := plain_command(unwrap_shell(argv))):
            argv = inner
        else:
            break
    return argv


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
