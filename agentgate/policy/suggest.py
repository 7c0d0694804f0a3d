"""The rule that an operator's "always" would write, as a draft to look at first.

Narrow by default: a file is that file, a host is that host and port, a command is that command line. Only
where a tool's first word says what will happen (``npm install``) the draft covers the tool with that word,
because "always" that holds for one exact argument list is asked again the next minute. Words that run code
of somebody's choosing (``npm run``, ``docker run``) stay exact.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentgate.actions import Action, Decision, Kind
from agentgate.escape import printable
from agentgate.policy.glob import escape
from agentgate.policy.model import Rule

__all__ = ["Draft", "quote", "subcommand", "suggest", "words_of"]

_TOOLS = frozenset(
    """npm pnpm yarn bun pip pip3 pipx uv poetry pdm cargo rustup go gem bundle composer deno brew git gh
    apt apt-get dnf apk docker podman kubectl helm terraform make""".split()
)
_RUNNERS = frozenset(
    """run exec x dlx run-script create init eval task tool explore debug attach cp api apply config
    repl bisect submodule rebase filter-branch""".split()
)
_WORD = re.compile(r"[a-z][a-z0-9-]*")
_PYTHON = re.compile(r"python[0-9.]*")


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule that is not in the file yet."""

    action: Kind | None
    targets: tuple[str, ...]
    decision: Decision
    reason: str = ""

    @property
    def rule(self) -> Rule:
        """The rule that this becomes, without its place."""
        return Rule(0, 0, self.action, self.targets, None, self.decision, None, self.reason.strip())

    def to_yaml(self, indent: int = 2, offset: int = 2, step: int = 2) -> list[str]:
        """The lines (without line ends) of a block sequence item: ``indent`` spaces, the dash, its keys
        ``offset`` columns after the dash, what ``match`` holds ``step`` columns further in."""
        dash = " " * indent + "-" + " " * (offset - 1)
        keys = " " * (indent + offset)
        inner = keys + " " * step
        lines = [f"{keys}match:"]
        if self.action:
            lines.append(f"{inner}action: {self.action}")
        if len(self.targets) == 1:
            lines.append(f"{inner}target_glob: {quote(self.targets[0])}")
        elif self.targets:
            lines.append(f"{inner}target_glob:")
            lines += [f"{inner}  - {quote(target)}" for target in self.targets]
        if len(lines) == 1:
            lines = []
        lines.append(f"{keys}decision: {self.decision}")
        if self.reason:
            lines.append(f"{keys}reason: {quote(self.reason)}")
        return [dash + lines[0].lstrip(" "), *lines[1:]]

    def to_flow(self, *, json: bool = False) -> str:
        """The rule as a flow mapping on one line; ``json`` puts quotes around keys and words too."""
        mark = '"' if json else ""
        match = []
        if self.action:
            match.append(f"{mark}action{mark}: {mark}{self.action}{mark}")
        if self.targets:
            globs = ", ".join(map(quote, self.targets))
            match.append(f"{mark}target_glob{mark}: " + (globs if len(self.targets) == 1 else f"[{globs}]"))
        parts = [f"{mark}match{mark}: {{{', '.join(match)}}}"] if match else []
        parts.append(f"{mark}decision{mark}: {mark}{self.decision}{mark}")
        if self.reason:
            parts.append(f"{mark}reason{mark}: {quote(self.reason)}")
        return "{" + ", ".join(parts) + "}"


def quote(text: str) -> str:
    """A YAML double-quoted scalar (YAML 1.2, 7.3.1) on one line that reads back as exactly ``text``."""
    out = []
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif char == " " or (char.isprintable() and code != 0xFEFF):
            out.append(char)
        elif code < 0x100:
            out.append(f"\\x{code:02x}")
        else:
            out.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return f'"{"".join(out)}"'


def suggest(action: Action, decision: Decision = Decision.ALLOW) -> Draft:
    """The rule that answers ``action`` and its like with ``decision`` from now on."""
    if action.kind is Kind.EXEC:
        targets = _command(action)
    elif action.kind is Kind.NET_EGRESS:
        targets = tuple(_host(target) for target in dict.fromkeys(action.objects))
    else:
        targets = tuple(escape(path) for path in dict.fromkeys(action.objects))
    return Draft(action.kind, targets, decision, f"always, asked for: {printable(action.target, 90)}")


def _host(target: str) -> str:
    return "unix:" + escape(target[5:]) if target.startswith("unix:") else target


def words_of(action: Action) -> list[str]:
    """The words of a command as it is decided: the arguments, where the target is made of them."""
    return list(action.argv) if " ".join(action.argv) == action.target else action.target.split(" ")


def subcommand(words: Sequence[str], *, runners: bool = False) -> int:
    """How many of the first words say what a known tool will do (``npm install``: 2); 0 where none do, as
    where these run code of somebody's choosing. ``runners``: also where they do that."""
    program = posixpath.basename(words[0])
    count = 0
    if program in _TOOLS:
        count = 2
        if program == "uv" and list(words[1:2]) == ["pip"]:
            count = 3
    elif _PYTHON.fullmatch(program) and list(words[1:3]) == ["-m", "pip"]:
        count = 4
    last = words[count - 1] if 0 < count <= len(words) else ""
    return count if _WORD.fullmatch(last) and (runners or last not in _RUNNERS) else 0


def _command(action: Action) -> tuple[str, ...]:
    words = words_of(action)
    count = subcommand(words)
    if not count:
        return (escape(action.target),)
    head = escape(" ".join(words[:count]))
    return head, f"{head} *"
