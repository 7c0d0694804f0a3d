"""What a policy says of an action: the first rule that matches wins.

This runs beside the agent, once for every held call, so everything is compiled beforehand: for each kind
of action, consecutive rules become one regular expression whose matched group names the rule. What a
target matches is remembered (it cannot change); what depends on the process or on the clock (``within``,
``until``) is looked at each time.

``within`` reads the commands in ``action.chain``. A process can write its own command line, so whoever
builds the chain must put in the commands that were decided, not what /proc says of them later.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from agentgate.actions import Action, Decision, Kind, Ruling, Source
from agentgate.policy.errors import PolicyError
from agentgate.policy.glob import GlobError, command_regex, expand, path_regex
from agentgate.policy.hosts import canonical, compile_host, names_socket
from agentgate.policy.model import Policy, Rule

__all__ = ["STRICTNESS", "Compiled", "Context", "Matcher", "expired"]

STRICTNESS = {Decision.ALLOW: 0, Decision.ASK: 1, Decision.DENY: 2}

_CACHED = 4096  # targets remembered; a longer target than _LONG is matched anew each time
_LONG = 4096
_FILES = (Kind.FS_WRITE, Kind.FS_READ)
_SOCKET = "unix:"


def _local_time() -> dt.datetime:
    return dt.datetime.now().astimezone()


@dataclass(frozen=True, slots=True)
class Context:
    """What a policy's variables mean in one session.

    ``project`` is ``$PWD`` and ``home`` is ``$HOME`` and ``~``, both absolute and resolved (globs are
    compared with resolved paths); other variables come from ``env``. ``now`` gives the time for ``until``.
    """

    project: str
    home: str
    env: Mapping[str, str] = field(default_factory=dict)
    now: Callable[[], dt.datetime] = _local_time

    def variable(self, name: str) -> str:
        """A variable's value. Raises GlobError when it is unset or empty: an empty value would turn
        ``$DIR/**`` into every path there is."""
        value = {"PWD": self.project, "HOME": self.home}.get(name) or self.env.get(name, "")
        if not value:
            raise GlobError(f"${name} is not set (set it, or write '[$]' for a literal dollar sign)")
        return value


def expired(rule: Rule, now: Callable[[], dt.datetime] = _local_time) -> bool:
    """Whether the rule's last day, or moment, is over."""
    until = rule.until
    if until is None:
        return False
    moment = now().astimezone()
    if isinstance(until, dt.datetime):
        return moment > until.astimezone()
    return moment.date() > until


def _compile(source: str) -> re.Pattern[str]:
    with warnings.catch_warnings():  # "[[a]" warns of a set syntax that Python may get one day
        warnings.simplefilter("ignore", FutureWarning)
        return re.compile(source, re.DOTALL)


class Compiled:
    """One rule for one kind of action."""

    def __init__(self, rule: Rule, kind: Kind, context: Context, label: str) -> None:
        self.rule = rule
        self.ruling = Ruling(rule.decision, Source.RULE, rule.number, rule.line, rule.reason)
        self.outside = Ruling(
            Decision.DENY, Source.SCOPE, rule.number, rule.line, rule.reason or f"outside {rule.scope}"
        )
        self.now = context.now
        self._kind = kind
        self._covers: re.Pattern[str] | None = None
        self.tests: list[Callable[[str], bool]] = []
        self.regex = "" if rule.targets else ".*"
        self.named: re.Pattern[str] | None = None  # the unix sockets that the rule names
        parts, named = [], []
        for glob in rule.targets:
            try:
                if kind is Kind.NET_EGRESS:
                    named.append(names_socket(glob, context.variable))
                    host = compile_host(glob, context.variable)
                    if host.test:
                        self.tests.append(host.test)
                    else:
                        parts.append(host.regex)
                else:
                    compiler = command_regex if kind is Kind.EXEC else path_regex
                    parts.append(compiler(glob, context.variable))
            except GlobError as error:
                # A rule for any kind of action holds for the kinds whose language its glob is in. A
                # variable that is not set is an error in all of them: exec understands every glob.
                if rule.action is not None or kind is Kind.EXEC:
                    raise PolicyError(f"glob '{glob}': {error}", label, rule.line) from None
        if parts:
            self.regex = "|".join(parts)
        if any(named):
            self.named = _compile("|".join(filter(None, named)))
        self.allows_sockets = kind is Kind.NET_EGRESS and rule.decision is Decision.ALLOW
        try:
            self.scope = _folder(rule.scope, context) if rule.scope and kind in _FILES else ""
            self.within = _compile(command_regex(rule.within, context.variable)) if rule.within else None
        except GlobError as error:
            raise PolicyError(str(error), label, rule.line) from None

    @property
    def never(self) -> bool:
        return not self.regex and not self.tests

    @property
    def conditional(self) -> bool:
        """Whether it takes more than the target to know that the rule holds."""
        return self.within is not None or self.rule.until is not None

    def covers(self, target: str) -> bool:
        """Whether one of the rule's globs is for ``target``."""
        if self._covers is None:
            self._covers = _compile(self.regex or "(?!)")
        plain = canonical(target) if self._kind is Kind.NET_EGRESS else target
        return bool(self._covers.fullmatch(plain)) or any(test(plain) for test in self.tests)

    def on(self, target: str) -> Ruling:
        """The ruling on a target that matches.

        Behind a unix socket is a program that works outside the gate for whoever reaches it: that is
        allowed by a rule that names the socket, and by none that merely covers it.
        """
        if self.allows_sockets and target.startswith(_SOCKET):
            if not (self.named and self.named.fullmatch(canonical(target))):
                return Ruling(Decision.ASK, Source.UNNAMED, self.rule.number, self.rule.line)
            return self.ruling
        if not self.scope or target == self.scope or target.startswith(self.scope.rstrip("/") + "/"):
            return self.ruling
        return self.outside

    def holds(self, action: Action) -> bool:
        """Whether the rule's conditions hold for this process now."""
        if expired(self.rule, self.now):
            return False
        within = self.within
        return within is None or any(within.fullmatch(process.command) for process in action.chain)


def _folder(scope: str, context: Context) -> str:
    folder = expand(scope, context.variable)
    if not folder.startswith("/"):
        raise GlobError(f"scope '{scope}' is not an absolute directory")
    return os.path.normpath("/" + folder.lstrip("/"))


class _Run:
    """Consecutive rules that one look decides, in order."""

    def __init__(self, rules: list[Compiled]) -> None:
        self.rules = rules
        # The empty group behind each rule tells which one matched.
        self.match = _compile("|".join(f"(?:{rule.regex or '(?!)'})\\Z()" for rule in rules)).match

    def find(self, target: str) -> Compiled | None:
        found = self.match(target)
        if found:
            return self.rules[(found.lastindex or 1) - 1]
        if self.rules[0].tests and any(test(target) for test in self.rules[0].tests):
            return self.rules[0]
        return None


def _runs(rules: list[Compiled]) -> list[_Run]:
    """Rules with a condition or a network stand alone, the others together."""
    runs: list[list[Compiled]] = []
    joinable = False
    for rule in rules:
        if rule.never:
            continue
        alone = rule.conditional or bool(rule.tests)
        if joinable and not alone:
            runs[-1].append(rule)
        else:
            runs.append([rule])
        joinable = not alone
    return [_Run(run) for run in runs]


def _fixed(rule: Compiled, context: Context) -> tuple[str, ...]:
    """What the paths that a rule is for begin with, as far as each glob says it."""
    if not rule.rule.targets:
        return ("/",)
    return tuple(
        expand(re.split(r"[*?\[\\]", glob, maxsplit=1)[0], context.variable) for glob in rule.rule.targets
    )


class Matcher:
    """A policy, compiled for one session. Immutable but for its memory; not for several threads.

    Raises PolicyError for a glob that cannot be compiled or a variable that is not set.
    """

    def __init__(self, policy: Policy, context: Context) -> None:
        self.policy = policy
        self.context = context
        self._default = Ruling(policy.default, Source.DEFAULT)
        self.rules = {
            kind: [
                Compiled(rule, kind, context, policy.label)
                for rule in policy.rules
                if rule.action in (None, kind) and not rule.disabled
            ]
            for kind in Kind
        }
        self._runs = {kind: _runs(rules) for kind, rules in self.rules.items()}
        self._remember = lru_cache(maxsize=_CACHED)(self._look)
        naming = [rule for rule in policy.rules if rule.action is Kind.FS_READ and not rule.disabled]
        compiled = [Compiled(rule, Kind.FS_READ, context, policy.label) for rule in naming]
        closing = [rule for rule in compiled if rule.rule.decision is not Decision.ALLOW or rule.scope]
        self._reading = _runs(compiled)
        self._closing = _runs(closing)
        self._closed_below = [_fixed(rule, context) for rule in closing]

    def rule(self, action: Action) -> Ruling:
        """What the rules say; the stricter ruling when the action has two objects."""
        ruling = self.on(action, action.target)
        if action.origin:
            other = self.on(action, action.origin)
            if STRICTNESS[other.decision] > STRICTNESS[ruling.decision]:
                return other
        return ruling

    def may_allow(self, kind: Kind, target: str) -> bool:
        """Whether a rule allows this target, to whichever process."""
        conditional, ruling = self._remember(kind, target)
        rulings = (ruling, *(on_target for _, on_target in conditional))
        return any(one.decision is Decision.ALLOW and one.source is Source.RULE for one in rulings)

    def on(self, action: Action, target: str) -> Ruling:
        """What the rules say of one of the action's objects."""
        look = self._remember if len(target) <= _LONG else self._look
        conditional, ruling = look(action.kind, target)
        for rule, on_target in conditional:
            if rule.holds(action):
                return on_target
        return ruling

    # -- reads: most are nobody's concern, and there are very many of them

    def reading(self, action: Action, target: str) -> Ruling | None:
        """What the rules that name ``fs_read`` say of reading ``target``; None when none of them holds."""
        for run in self._reading:
            rule = run.find(target)
            if rule is not None and (not rule.conditional or rule.holds(action)):
                return rule.on(target)
        return None

    @property
    def closes(self) -> bool:
        """Whether some rule that names ``fs_read`` may do anything but allow."""
        return bool(self._closing)

    def closed(self, path: str) -> bool:
        """Whether such a rule is for this path: only then a read of it needs a look at who reads."""
        return any(run.find(path) is not None for run in self._closing)

    def closed_below(self, directory: str) -> bool:
        """Whether such a rule may be for something in this directory: its files would go by other names if
        it were moved."""
        beneath = directory.rstrip("/") + "/"
        return any(
            fixed.startswith(beneath) or beneath.startswith(fixed)
            for prefixes in self._closed_below
            for fixed in prefixes
        )

    def _look(self, kind: Kind, target: str) -> tuple[tuple[tuple[Compiled, Ruling], ...], Ruling]:
        """The rules with conditions that match the target, and the ruling when none of them holds."""
        plain = canonical(target) if kind is Kind.NET_EGRESS else target
        conditional: list[tuple[Compiled, Ruling]] = []
        for run in self._runs[kind]:
            rule = run.find(plain)
            if rule is None:
                continue
            if not rule.conditional:
                return tuple(conditional), rule.on(target)
            conditional.append((rule, rule.on(target)))
        if (
            kind is Kind.NET_EGRESS
            and target.startswith(_SOCKET)
            and self._default.decision is Decision.ALLOW
        ):
            return tuple(conditional), Ruling(Decision.ASK, Source.UNNAMED)
        return tuple(conditional), self._default
