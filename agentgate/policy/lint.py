"""What is probably a mistake in a policy that loads: each remark with its place, why, and how to mend it.

Pure. Nothing here says that a policy is safe; it says where it does not do what its author seems to mean.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

from agentgate.actions import Decision, Kind
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher, expired
from agentgate.policy.model import Policy, Rule
from agentgate.policy.nodes import compose
from agentgate.policy.shadow import shadows

__all__ = ["KNOWN_HOSTS", "Remark", "lint"]

Guarded = Callable[[str], str]
"""The name of the guard that stands before a path, "" when none does."""

KNOWN_HOSTS = (
    "registry.npmjs.org", "registry.yarnpkg.com", "pypi.org", "files.pythonhosted.org", "crates.io",
    "index.crates.io", "static.crates.io", "proxy.golang.org", "sum.golang.org", "rubygems.org", "github.com",
    "api.github.com", "raw.githubusercontent.com", "gitlab.com", "api.anthropic.com", "platform.claude.com",
    "api.openai.com", "auth.openai.com", "chatgpt.com", "generativelanguage.googleapis.com",
    "oauth2.googleapis.com", "openrouter.ai", "opencode.ai", "huggingface.co", "registry.hub.docker.com",
)  # fmt: skip
_ALIKE = 0.87  # of difflib's ratio, from which on a host is taken for a known one misspelt
_EVERYTHING = {
    Kind.FS_WRITE: ("**", "/**", "/*/**", "~/**", "$HOME/**", "/home/**", "/etc/**", "/usr/**"),
    Kind.FS_READ: ("**", "/**", "/*/**", "~/**", "$HOME/**", "/home/**", "~/.ssh/**", "~/.aws/**"),
    Kind.NET_EGRESS: ("*", "*:*", "*:443", "*:80", "*:22"),
}
_INSIDE = re.compile(r"\*[\w-]{1,12}\*")


@dataclass(frozen=True, slots=True, order=True)
class Remark:
    """``line`` and ``column`` count from 1. ``fix`` says what to do about it."""

    line: int
    column: int
    what: str
    fix: str

    def to_text(self, label: str) -> str:
        return f"{label}:{self.line}:{self.column}: {self.what}; {self.fix}"


@dataclass(frozen=True, slots=True)
class _Place:
    line: int
    column: int

    def remark(self, what: str, fix: str) -> Remark:
        return Remark(self.line, self.column, what, fix)


def lint(
    text: str, context: Context, guarded: Guarded = lambda path: "", label: str = "policy"
) -> list[Remark]:
    """All remarks on the policy ``text``, by place. Raises PolicyError for a text that does not load or
    cannot be compiled."""
    policy = load_text(text, label)
    Matcher(policy, context)
    root = compose(text, label)
    places = _places(root)
    found: list[Remark] = []
    for rule in policy.rules:
        at = places[rule.number]
        found += _rule(rule, at, context)
        if not rule.disabled:
            for index, target in enumerate(rule.targets):
                found += _target(rule, target, at[index + 1], context, guarded)
    found += _shadowed(policy, places, context)
    if policy.rules and not any(_values(root, "default")) and not _is_catch_all(policy.rules[-1]):
        found.append(
            Remark(1, 1, "no default is given: what no rule matches is asked", "say so: default: ask")
        )
    return sorted(found)


def _places(root: yaml.Node | None) -> dict[int, list[_Place]]:
    """By the number of the rule: where it stands, and then where each of its targets does."""
    places: dict[int, list[_Place]] = {}
    for rules in _values(root, "rules"):
        for number, node in enumerate(rules.value if isinstance(rules, yaml.SequenceNode) else (), 1):
            targets = [target for match in _values(node, "match") for target in _values(match, "target_glob")]
            nodes = [node]
            for target in targets:
                nodes += target.value if isinstance(target, yaml.SequenceNode) else [target]
            places[number] = [_Place(one.start_mark.line + 1, one.start_mark.column + 1) for one in nodes]
    return places


def _values(node: yaml.Node | None, key: str) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for name, value in node.value if name.value == key)


def _is_catch_all(rule: Rule) -> bool:
    return rule.action is None and not rule.targets and not rule.within and not rule.disabled


def _rule(rule: Rule, at: list[_Place], context: Context) -> Iterator[Remark]:
    name = f"rule {rule.number}"
    if not rule.disabled and expired(rule, context.now):
        until = rule.until.isoformat() if isinstance(rule.until, dt.date) else ""
        yield at[0].remark(
            f"{name} ended ({until}) and matches nothing", "remove it, or give it a later date"
        )
    if rule.decision is not Decision.ALLOW and rule.scope:
        yield at[0].remark(
            f"{name} has a scope, which only narrows what an allow lets through", "leave the scope out"
        )
    if rule.action is None and rule.targets:
        yield at[0].remark(
            f"{name} names targets but no action: each is read as a command, a path and a host",
            "say which: action: exec, fs_write, fs_read or net_egress",
        )


def _target(rule: Rule, target: str, at: _Place, context: Context, guarded: Guarded) -> Iterator[Remark]:
    kind, allows = rule.action, rule.decision is Decision.ALLOW
    if "|" in target and _means_or(target, kind):
        yield at.remark(
            f"'|' in '{target}' stands for itself, not for \"or\"", "write a list: target_glob: [one, other]"
        )
    if allows and kind is not None and target in _EVERYTHING.get(kind, ()):
        yield at.remark(f"'{target}' allows {_all_of(kind)}", "name the directories or hosts that are meant")
    if kind is Kind.EXEC:
        if allows and _INSIDE.fullmatch(target):
            yield at.remark(
                f"'{target}' allows every command with '{target.strip('*')}' anywhere in it",
                f"begin with the program: '{target.strip('*')} *'",
            )
        if target.startswith(("./", "../", "~")):
            yield at.remark(
                f"'{target}' matches nothing: a program is called by its bare name or its full path",
                "write the bare name, or the path from /",
            )
    elif kind in (Kind.FS_WRITE, Kind.FS_READ):
        if kind is Kind.FS_WRITE and allows and (guard := _guard(target, context, guarded)):
            yield at.remark(
                f"guard {guard} asks about '{target}' every time, whatever a rule says",
                f"lift_guards: [{guard}] if that is meant, else leave the rule out",
            )
    elif kind is Kind.NET_EGRESS:
        yield from _host(target, at)


def _means_or(target: str, kind: Kind | None) -> bool:
    """A pipe is an ordinary sign in a shell's command line (``bash -c "a | b"``)."""
    return kind is not Kind.EXEC or not re.match(r"\*|[\w/*.-]*sh -", target)


def _all_of(kind: Kind) -> str:
    return {
        Kind.FS_WRITE: "writing nearly everywhere",
        Kind.FS_READ: "reading secrets nearly everywhere",
        Kind.NET_EGRESS: "every host",
    }.get(kind, "nearly everything")


def _guard(target: str, context: Context, guarded: Guarded) -> str:
    """The guard before what ``target`` names, if it names one file or tree plainly."""
    plain = f"{target.removesuffix('/**')}/any file" if target.endswith("/**") else target.removesuffix("*")
    if plain.startswith("~/"):
        plain = context.home + plain[1:]
    plain = plain.replace("$PWD", context.project).replace("$HOME", context.home)
    return guarded(plain) if plain.startswith("/") and not re.search(r"[*?\[$]", plain) else ""


def _host(target: str, at: _Place) -> Iterator[Remark]:
    if target.startswith(("unix:", "listen://")) or "$" in target:
        return
    host = re.sub(r"^(?:udp://)?(.*?)(?::(?:\d+|\*))?$", r"\1", target).lower().lstrip(".")
    if re.fullmatch(r"[\d.*/]+|\[.*", host) or host in KNOWN_HOSTS or "*" in host:
        return
    close = difflib.get_close_matches(host, KNOWN_HOSTS, 1, _ALIKE)
    if close and not host.endswith("." + close[0]) and not close[0].endswith("." + host):
        yield at.remark(f"'{host}' looks like '{close[0]}'", f"write '{close[0]}' if that is meant")


def _shadowed(policy: Policy, places: dict[int, list[_Place]], context: Context) -> Iterator[Remark]:
    for number, by in shadows(policy, context).items():
        rule, wide = policy.rules[number - 1], policy.rules[by - 1]
        at = places[number][0]
        where = f"rule {by} (line {wide.line})"
        if wide.decision is rule.decision:
            yield at.remark(f"rule {number} never matches: {where} says the same before it", "remove it")
        else:
            yield at.remark(
                f"rule {number} ({rule.decision}) never matches: {where}, which says {wide.decision}, "
                "matches all of it first",
                f"move it above rule {by}",
            )
