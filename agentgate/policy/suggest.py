"""The rule that an operator's "always" would write, as a draft to look at first.

Narrow by default: a file is that file, a host is that host and port, a command is that command line. Only
where a tool's first word says what will happen (``npm install``) the draft covers the tool with that word,
because "always" that holds for one exact argument list is asked again the next minute. Words that run code
of somebody's choosing (``npm run``, ``docker run``) stay exact.
"""

from __future__ import annotations

import datetime as dt
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
    """A rule as it is to stand in the file."""

    action: Kind | None
    targets: tuple[str, ...]
    decision: Decision
    reason: str = ""
    within: str | None = None
    scope: str | None = None
    until: dt.date | dt.datetime | None = None
    disabled: bool = False

    @classmethod
    def of(cls, rule: Rule) -> Draft:
        """A rule of the file, to be written anew."""
        return cls(
            rule.action, rule.targets, rule.decision, rule.reason, rule.within, rule.scope, rule.until,
            rule.disabled,
        )  # fmt: skip

    @property
    def rule(self) -> Rule:
        """The rule that this becomes, without its place."""
        return Rule(
            0, 0, self.action, self.targets, self.within, self.decision, self.scope, self.reason.strip(),
            self.until, self.disabled,
        )  # fmt: skip

    def entries(self, *, json: bool = False) -> dict[str, str]:
        """The keys beside ``match``, as YAML on one line each; ``json`` puts quotes around words too."""
        mark = '"' if json else ""
        entries = {"decision": f"{mark}{self.decision}{mark}"}
        if self.reason:
            entries["reason"] = quote(self.reason)
        if self.scope is not None:
            entries["scope"] = quote(self.scope)
        if self.until is not None:
            entries["until"] = f"{mark}{self.until.isoformat()}{mark}"
        if self.disabled:
            entries["disabled"] = "true"
        return entries

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
        if self.within is not None:
            lines.append(f"{inner}within: {quote(self.within)}")
        if len(lines) == 1:
            lines = []
        lines += [f"{keys}{key}: {value}" for key, value in self.entries().items()]
        return [dash + lines[0].lstrip(" "), *lines[1:]]

    def match(self, *, json: bool = False) -> str:
        """What ``match`` holds, as a flow mapping on one line; empty when it holds nothing."""
        mark = '"' if json else ""
        match = []
        if self.action:
            match.append(f"{mark}action{mark}: {mark}{self.action}{mark}")
        if self.targets:
            globs = ", ".join(map(quote, self.targets))
            match.append(f"{mark}target_glob{mark}: " + (globs if len(self.targets) == 1 else f"[{globs}]"))
        if self.within is not None:
            match.append(f"{mark}within{mark}: {quote(self.within)}")
        return f"{{{', '.join(match)}}}" if match else ""

    def to_flow(self, *, json: bool = False) -> str:
        """The rule as a flow mapping on one line; ``json`` puts quotes around keys and words too."""
        mark = '"' if json else ""
        match = self.match(json=json)
        parts = [f"{mark}match{mark}: {match}"] if match else []
        parts += [f"{mark}{key}{mark}: {value}" for key, value in self.entries(json=json).items()]
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
