"""A few plain words for an argument list: ``install the npm package chalk and run its install scripts``.

Looks through what only starts something else (env, sudo, shells with one command, node with a script that
is a known tool) and asks the tables for the rest.
"""

from __future__ import annotations

import posixpath
import re

from agentgate.escape import printable
from agentgate.intent.phrases import GLOBAL_VALUES, PROGRAMS, SUBCOMMANDS, phrase
from agentgate.intent.shell import SHELLS, plain_command, shell_text, unwrap_shell

__all__ = ["MAX_ARGS", "MAX_TEXT", "program", "script_name", "words"]

_Args = tuple[str, ...]

MAX_ARGS = 400  # arguments looked at
MAX_TEXT = 160  # characters said
_MAX_NESTED = 4

# Programs that run the rest of their argument list, with their options that take a value.
_WRAPPERS: dict[str, _Args] = {
    "env": ("-u", "-C", "-S"),
    "nohup": (),
    "setsid": (),
    "nice": ("-n",),
    "ionice": ("-c", "-n"),
    "timeout": ("-s", "-k"),
    "time": (),
    "stdbuf": ("-i", "-o", "-e"),
    "exec": (),
    "command": (),
    "sudo": ("-u", "-g", "-C"),
    "doas": ("-u",),
    "xargs": ("-n", "-I", "-P", "-L", "-d"),
}
_ADMINISTRATOR = ("sudo", "doas")


def words(argv: tuple[str, ...]) -> str:
    """What running ``argv`` does, in a few words that are safe to show; "" when nothing sensible can be
    said. Never raises, whatever argv a process has."""
    return printable(_words(tuple(argv[:MAX_ARGS]), 0), MAX_TEXT)


def program(word: str) -> str:
    """The program's plain name: ``/usr/bin/python3.11`` is python, ``-bash`` is bash."""
    name = posixpath.basename(word).lstrip("-")
    if re.fullmatch(r"python[0-9.]*", name):
        return "python"
    if re.fullmatch(r"pip[0-9.]+", name):
        return "pip"
    return "node" if name == "nodejs" else name


def script_name(path: str) -> str:
    """The tool that a script file is: ``/usr/lib/node_modules/npm/bin/npm-cli.js`` is npm."""
    return re.sub(r"(-cli)?\.[cm]?js$", "", posixpath.basename(path))


def _words(argv: _Args, nested: int) -> str:
    if not argv or not argv[0] or nested > _MAX_NESTED:
        return ""
    name, args = program(argv[0]), argv[1:]
    if name in _WRAPPERS:
        inner = _skip(args, _WRAPPERS[name], assignments=name in ("env", "sudo"))
        said = _words(inner[1:] if name == "timeout" else inner, nested + 1)
        if said:
            return said + (" as the administrator" if name in _ADMINISTRATOR else "")
    if name in SHELLS:
        return _shell(argv, nested)
    if name == "python":
        return _python(args, nested)
    if name in ("node", "deno"):
        return _node(args, nested)
    if name == "uv" and args[:1] == ("pip",):
        name, args = "pip", args[1:]
    table = SUBCOMMANDS.get(name)
    if table:
        rest = _skip(args, GLOBAL_VALUES.get(name, ()))
        if rest:
            if rest[0] in table:
                return phrase(table[rest[0]], rest[1:])
            return _node(args, nested) if name == "bun" else ""
    return phrase(PROGRAMS[name], args) if name in PROGRAMS else ""


def _skip(args: _Args, with_value: _Args, *, assignments: bool = False) -> _Args:
    """``args`` without the options (and ``NAME=value``) in front."""
    at = 0
    while at < len(args):
        if args[at] == "--":
            return args[at + 1 :]
        if args[at] in with_value:
            at += 2
        elif args[at].startswith("-") or (assignments and re.match(r"\w+=", args[at])):
            at += 1
        else:
            break
    return args[at:]


def _shell(argv: _Args, nested: int) -> str:
    if not shell_text(argv):
        script = _skip(argv[1:], ("-o", "-O", "--rcfile", "--init-file"))
        return f"run the shell script {script[0]}" if script else ""
    text = unwrap_shell(argv)
    inner = plain_command(text)
    said = _words(inner, nested + 1) if inner else ""
    return said or "run a shell command: " + (text if len(text) <= 60 else text[:59] + "…")


def _python(args: _Args, nested: int) -> str:
    for at, arg in enumerate(args):
        if arg == "-m" and at + 1 < len(args):
            module, rest = args[at + 1], args[at + 2 :]
            if module == "venv":
                return phrase("make a Python environment in {}", rest)
            return _words((module, *rest), nested + 1) or f"run the Python module {module}"
        if arg == "-":
            return "run Python code from its input"
        if not arg.startswith("-"):
            return f"run the Python program {arg}"
        if not arg.startswith("--") and arg.endswith("c"):
            return "run inline Python code"
    return ""


def _node(args: _Args, nested: int) -> str:
    for at, arg in enumerate(args):
        if arg in ("-e", "--eval", "-p", "--print", "-pe"):
            return "run inline JavaScript code"
        if not arg.startswith("-"):
            # npm and its kin are scripts: what they do says more than that node runs them
            said = _words((script_name(arg), *args[at + 1 :]), nested + 1)
            return said or f"run the JavaScript program {arg}"
    return ""
