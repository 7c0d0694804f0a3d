"""Policy text to a Policy, strictly: what is not understood is an error with its line and column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml

from agentgate.actions import Decision, GuardName, Kind
from agentgate.policy.errors import PolicyError
from agentgate.policy.glob import GlobError, command_regex, has_variable, path_regex
from agentgate.policy.hosts import compile_host
from agentgate.policy.model import Policy, Rule, TestCase
from agentgate.policy.nodes import MAX_BYTES, complain, compose

__all__ = ["decode", "load_bytes", "load_file", "load_text"]

_Word = TypeVar("_Word", bound=StrEnum)
_Entries = dict[str, yaml.Node]

_TOP = ("default", "rules", "tests", "lift_guards")
_RULE = ("match", "decision", "scope", "reason", "until", "disabled")
_MATCH = ("action", "target_glob", "within")
_TEST = ("action", "target", "expect", "within")
_PLACES = dict.fromkeys(_MATCH, "a rule's match") | dict.fromkeys(_RULE, "a rule")

_STR = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
_BOOL = "tag:yaml.org,2002:bool"


def load_file(path: str | Path, label: str | None = None) -> Policy:
    """Load a policy file. Raises PolicyError, also when the file cannot be read."""
    label = label or str(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror or error}", label) from None
    return load_bytes(data, label)


def load_bytes(data: bytes, label: str) -> Policy:
    """Load UTF-8 text; raises PolicyError."""
    return load_text(decode(data, label), label)


def decode(data: bytes, label: str) -> str:
    """The text of a policy file; raises PolicyError at the first byte that is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise PolicyError(f"not UTF-8 (byte 0x{data[error.start]:02x})", label, line, column) from None


def load_text(text: str, label: str) -> Policy:
    """Load a policy; ``label`` is the file's name in errors. Empty text is a policy that asks always."""
    root = compose(text, label)
    reader = _Reader(label)
    return Policy(label=label) if root is None or reader.is_null(root) else reader.policy(root)


def _either(words: Iterable[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} or {last}"


def _nearest(word: str, known: Iterable[str]) -> str:
    """The word that was probably meant, or an empty string."""
    import difflib  # most policies have no mistakes

    return next(iter(difflib.get_close_matches(word, list(known), 1)), "")


class _Reader:
    def __init__(self, label: str) -> None:
        self.label = label

    def fail(self, node: yaml.Node, message: str) -> NoReturn:
        complain(node, message, self.label)

    @staticmethod
    def is_null(node: yaml.Node) -> bool:
        return isinstance(node, yaml.ScalarNode) and node.tag == _NULL

    # -- the shapes of YAML

    def entries(self, node: yaml.Node, what: str, known: tuple[str, ...]) -> _Entries:
        if not isinstance(node, yaml.MappingNode) or node.tag != "tag:yaml.org,2002:map":
            self.fail(node, f"{what} must be keys with values, not {self.sort(node)}")
        entries: _Entries = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fail(key, f"{what} has a key that is no word")
            name = key.value
            if name not in known:
                self.fail(key, f"unknown key '{name}' {self.advice(name, known)}")
            if name in entries:
                self.fail(key, f"'{name}' is given twice")
            entries[name] = value
        return entries

    @staticmethod
    def advice(name: str, known: tuple[str, ...]) -> str:
        place = _PLACES.get(name, "")
        if place and known in (_TOP, _RULE, _MATCH):
            return f"here (it belongs in {place})"
        near = _nearest(name.lower(), [*known, *_PLACES])
        if near in known:
            return f"(did you mean '{near}'?)"
        if near and known in (_TOP, _RULE, _MATCH):
            return f"(did you mean '{near}', in {_PLACES[near]}?)"
        return f"({_either(known)})"

    @staticmethod
    def sort(node: yaml.Node) -> str:
        if isinstance(node, yaml.MappingNode):
            return "keys with values"
        if isinstance(node, yaml.SequenceNode):
            return "a list"
        value = node.value if len(node.value) <= 40 else node.value[:40] + "…"
        return f"'{value}'" if value else "nothing"

    def items(self, node: yaml.Node | None, what: str) -> list[yaml.Node]:
        if node is None or self.is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode) or node.tag != "tag:yaml.org,2002:seq":
            self.fail(node, f"{what} must be a list, not {self.sort(node)}")
        return list(node.value)

    def text(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode):
            self.fail(node, f"{what} must be text, not {self.sort(node)}")
        if node.tag == _NULL and not node.value:
            self.fail(node, f"{what} is empty (leave the key out, or give it a value)")
        if node.tag != _STR:
            self.fail(node, f"{what} must be text: put quotes around {self.sort(node)}")
        return str(node.value)

    def word(self, node: yaml.Node, words: type[_Word], what: str) -> _Word:
        if not isinstance(node, yaml.ScalarNode) or node.value not in list(words):
            value = self.sort(node)
            self.fail(node, f"unknown {what} {value} ({_either(words)})")
        return words(node.value)

    def yes(self, node: yaml.Node, what: str) -> bool:
        if not isinstance(node, yaml.ScalarNode) or node.tag != _BOOL or node.value not in ("true", "false"):
            self.fail(node, f"{what} must be true or false, not {self.sort(node)}")
        return bool(node.value == "true")

    # -- the policy

    def guard(self, node: yaml.Node) -> GuardName:
        """A guard by its name. One that does not exist would leave its author believing it lifted."""
        name = self.text(node, "a guard's name")
        near = _nearest(name.lower().replace("_", "-"), list(GuardName))
        if name not in list(GuardName) and near:
            self.fail(node, f"unknown guard '{name}' (did you mean '{near}'?)")
        return self.word(node, GuardName, "guard")

    def policy(self, root: yaml.Node) -> Policy:
        top = self.entries(root, "a policy", _TOP)
        rules = self.items(top.get("rules"), "'rules'")
        tests = self.items(top.get("tests"), "'tests'")
        lifted = self.items(top.get("lift_guards"), "'lift_guards'")
        default = top.get("default")
        return Policy(
            rules=tuple(self.rule(node, number) for number, node in enumerate(rules, 1)),
            default=self.word(default, Decision, "default") if default else Decision.ASK,
            lifted=frozenset(map(self.guard, lifted)),
            tests=tuple(map(self.test, tests)),
            label=self.label,
        )

    def rule(self, node: yaml.Node, number: int) -> Rule:
        entries = self.entries(node, f"rule {number}", _RULE)
        match: _Entries = {}
        if "match" in entries and not self.is_null(entries["match"]):
            match = self.entries(entries["match"], "'match'", _MATCH)
        if "decision" not in entries:
            self.fail(node, f"rule {number} has no decision ({_either(Decision)})")
        action = self.word(match["action"], Kind, "action") if "action" in match else None
        within = match.get("within")
        scope = entries.get("scope")
        until = entries.get("until")
        reason = entries.get("reason")
        disabled = entries.get("disabled")
        return Rule(
            number=number,
            line=node.start_mark.line + 1,
            action=action,
            targets=self.targets(match["target_glob"], action) if "target_glob" in match else (),
            within=self.glob(within, Kind.EXEC, "within") if within else None,
            decision=self.word(entries["decision"], Decision, "decision"),
            scope=self.scope(scope, action) if scope else None,
            reason=self.text(reason, "reason").strip() if reason else "",
            until=self.until(until) if until else None,
            disabled=self.yes(disabled, "disabled") if disabled else False,
        )

    def targets(self, node: yaml.Node, action: Kind | None) -> tuple[str, ...]:
        if isinstance(node, yaml.SequenceNode):
            nodes = self.items(node, "target_glob")
            if not nodes:
                self.fail(node, "an empty list matches nothing (leave target_glob out for any target)")
            return tuple(self.glob(item, action, "a glob") for item in nodes)
        return (self.glob(node, action, "target_glob"),)

    def glob(self, node: yaml.Node, kind: Kind | None, what: str) -> str:
        """A glob that is right as far as can be said without the environment."""
        glob = self.text(node, what)
        if not glob:
            self.fail(node, f"{what} is empty (leave the key out for any)")
        if has_variable(glob):
            return glob
        try:
            if kind is Kind.NET_EGRESS:
                compile_host(glob, _no_variables)
            elif kind in (Kind.FS_WRITE, Kind.FS_READ):
                path_regex(glob, _no_variables)
            else:  # a rule for any kind of action: what no kind understands is an error
                command_regex(glob, _no_variables)
        except GlobError as error:
            self.fail(node, f"glob '{glob}': {error}")
        return glob

    def scope(self, node: yaml.Node, action: Kind | None) -> str:
        scope = self.text(node, "scope")
        if action in (Kind.EXEC, Kind.NET_EGRESS):
            self.fail(node, f"scope is for files, not for {action}")
        if not scope.startswith(("/", "~", "$")):
            self.fail(node, f"scope '{scope}' must start with '/', '~/' or '$PWD'")
        if "*" in scope:
            self.fail(node, f"scope '{scope}' must be a directory, not a glob")
        return scope

    def until(self, node: yaml.Node) -> dt.date | dt.datetime:
        """A date, or a moment: local time, unless it says its zone."""
        value = node.value.strip() if isinstance(node, yaml.ScalarNode) else ""
        try:
            if len(value) <= 10:
                return dt.date.fromisoformat(value)
            moment = dt.datetime.fromisoformat(value)
            moment.astimezone()  # what lies at the ends of the calendar has no local time
            return moment
        except (ValueError, OverflowError):
            self.fail(
                node,
                f"until {self.sort(node)} is no date and no time (write 2027-01-31 for the rule's last day, "
                "2027-01-31T18:00 or 2027-01-31T18:00:00Z for its last moment)",
            )

    def test(self, node: yaml.Node) -> TestCase:
        entries = self.entries(node, "a test", _TEST)
        for key in _TEST[:3]:
            if key not in entries:
                self.fail(node, f"a test needs '{key}'")
        return TestCase(
            action=self.word(entries["action"], Kind, "action"),
            target=self.text(entries["target"], "target"),
            expect=self.word(entries["expect"], Decision, "decision"),
            line=node.start_mark.line + 1,
            within=self.text(entries["within"], "within") if "within" in entries else "",
        )


def _no_variables(name: str) -> str:
    raise GlobError(f"${name} is not set")
