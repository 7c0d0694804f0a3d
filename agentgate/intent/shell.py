"""The command inside a shell's argument list.

Agents wrap what the model asked for: one sources a snapshot and evaluates a quoted string, another adds
traps around it, a third starts three shells in a row. What a person wants to read is the text inside.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from functools import lru_cache

__all__ = ["SHELLS", "plain_command", "shell_text", "unwrap_shell"]

SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "fish"})

_LIMIT = 16_384  # characters looked at: what a command is for is not worth more of the time of the app
_WITH_VALUE = frozenset({"-o", "+o", "-O", "+O", "--rcfile", "--init-file"})
_EVAL = re.compile(r"(?:^|&&|;|\n)\s*(?:\\?builtin\s+)?eval\s+(?=')")
# What is escaped or quoted; the group is what stands in double quotes.
_QUOTED = re.compile(r"""\\[^\n]|'[^']*'|"((?:\\.|[^"\\])*)\"""", re.DOTALL)
_METACHARACTERS = re.compile(r"[|&;<>()$`\n*?\[#~=%{}!]")


def _eval_text(script: str) -> str:
    """The command of ``source SNAPSHOT && ... && eval '<COMMAND>' < /dev/null && pwd -P ...``."""
    if "shell-snapshots" not in script and "pwd -P" not in script:
        return ""
    found = _EVAL.search(script)
    return _quoted(script, found.end()) if found else ""


def _quoted(script: str, at: int) -> str:
    """The shell word at ``at``, which starts with a single quote, with its quotes taken off."""
    out: list[str] = []
    while at < len(script):
        char = script[at]
        if char in "'\"":
            end = script.find(char, at + 1)
            if end < 0:
                return ""
            out.append(script[at + 1 : end])
            at = end + 1
        elif char == "\\" and at + 1 < len(script):
            out.append(script[at + 1])
            at += 2
        elif char.isspace():
            break
        else:
            out.append(char)
            at += 1
    return "".join(out).strip()


def _trap_text(script: str) -> str:
    """The lines between ``(``, ``trap ...`` and ``)`` of a wrapper that keeps a list of background jobs."""
    if "_bgpids" not in script:
        return ""
    lines = script.split("\n")
    try:
        start = next(i for i, line in enumerate(lines) if line.strip() == "(") + 1
    except StopIteration:
        return ""
    ends = [i for i, line in enumerate(lines) if line.strip() == ")" and i >= start]
    body = lines[start : ends[-1] if ends else len(lines)]
    while body and (not body[0].strip() or body[0].lstrip().startswith("trap ")):
        body = body[1:]
    return "\n".join(body).strip()


def _last_shell(argv: tuple[str, ...]) -> int:
    """Where the last ``[env...] sh -c`` of an argument list begins, -1 when there is none: helpers put
    several in front of each other (``helper ... /bin/bash /bin/bash -c TEXT``)."""
    for at in range(len(argv) - 2, -1, -1):
        if posixpath.basename(argv[at]).lstrip("-") in SHELLS and _script_at(argv[at:]) > 0:
            return at
    return -1


def _script_at(argv: tuple[str, ...]) -> int:
    """The index of the text behind ``-c`` in a shell's own argument list, 0 when there is none."""
    at, text = 1, False
    while at < len(argv):
        word = argv[at]
        if word in _WITH_VALUE:
            at += 1
        elif word == "--":
            return at + 1 if text and at + 1 < len(argv) else 0
        elif word.startswith(("-", "+")) and len(word) > 1:
            text = text or (word[0] == "-" and word[1] != "-" and "c" in word)
        else:
            return at if text else 0
        at += 1
    return 0


def shell_text(argv: tuple[str, ...]) -> str:
    """The text that a shell is given with ``-c``, as it stands; "" when ``argv`` is no such call."""
    at = _last_shell(argv)
    if at < 0:
        return ""
    return argv[at + _script_at(argv[at:])][:_LIMIT]


def unwrap_shell(argv: tuple[str, ...]) -> str:
    """What the agent put into its shell tool: the text behind the last ``-c``, without the wrapping of
    the common agents and without shells around shells. "" when ``argv`` is no shell with ``-c``."""
    text = shell_text(argv)
    for _ in range(4):
        inner = _eval_text(text) or _trap_text(text)
        if not inner:
            plain = plain_command(text)
            plain = plain[1:] if plain[:1] == ("exec",) else plain
            inner = shell_text(plain) if plain and posixpath.basename(plain[0]) in SHELLS else ""
        if not inner:
            break
        text = inner
    return text.strip()


def plain_command(text: str) -> tuple[str, ...]:
    """The argument list when ``text`` is one simple command (no pipes, variables, substitutions), else ()."""
    return _plain_command(text[:_LIMIT])


@lru_cache(64)  # of one action it is asked again and again, and shlex takes its time with a long text
def _plain_command(text: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        return ()
    bare = _QUOTED.sub(lambda quoted: _expanded(quoted[1] or ""), text)
    return () if _METACHARACTERS.search(bare) else words


def _expanded(text: str) -> str:
    """Those characters of a double-quoted text that a shell does more with than to take them."""
    return "".join(char for char in text if char in "$`") + ("\n" if "\\\n" in text else "")
