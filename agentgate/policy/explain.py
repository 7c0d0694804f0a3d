"""Why a ruling is what it is, and the tests that a policy file brings along."""

from __future__ import annotations

from dataclasses import dataclass

from agentgate.actions import Action, Kind, Process, Ruling, Source
from agentgate.escape import printable
from agentgate.policy.glob import GlobError, expand
from agentgate.policy.match import Context, Matcher
from agentgate.policy.model import Policy, Rule, TestCase

__all__ = ["Failure", "describe", "explain", "run_tests", "test_action"]


def describe(rule: Rule) -> str:
    """A rule in one line: ``ask exec npm install* | npm ci`` and its conditions."""
    parts = [str(rule.decision), str(rule.action or "any action")]
    if rule.targets:
        more = f" | and {len(rule.targets) - 3} more" if len(rule.targets) > 4 else ""
        parts.append(" | ".join(rule.targets[: 3 if more else 4]) + more)
    if rule.within:
        parts.append(f"within {rule.within}")
    if rule.scope:
        parts.append(f"beneath {rule.scope}")
    if rule.until:
        parts.append(f"until {rule.until}")
    if rule.disabled:
        parts.append("(disabled)")
    return printable(" ".join(parts), 300)


def explain(ruling: Ruling, policy: Policy) -> str:
    """One line: what was decided, by what, where that is written, and its reason."""
    reason = f": {ruling.reason}" if ruling.reason else ""
    where = f"{policy.label}:{ruling.line}" if ruling.line else policy.label
    if ruling.source is Source.DEFAULT:
        text = f"no rule matches; the default of {policy.label} is {ruling.decision}"
    elif ruling.source in (Source.RULE, Source.SCOPE) and ruling.rule:
        rule = policy.rules[ruling.rule - 1] if ruling.rule <= len(policy.rules) else None
        shown = f" [{describe(rule)}]" if rule else ""
        if ruling.source is Source.SCOPE:
            beneath = f" {rule.scope}" if rule and rule.scope else ""
            text = f"{ruling.decision}: rule {ruling.rule} ({where}) is for{beneath} only{shown}"
        else:
            text = f"{ruling.decision} by rule {ruling.rule} ({where}){shown}{reason}"
    else:
        text = f"{ruling.decision}: {ruling.why}"
    return printable(text, 600)


@dataclass(frozen=True, slots=True)
class Failure:
    """A test of the file that came out otherwise; ``str()`` is one line with its place."""

    test: TestCase
    label: str
    got: Ruling | None
    problem: str = ""

    def __str__(self) -> str:
        test = self.test
        head = f"{self.label}:{test.line}: {test.action} {test.target}"
        if self.got is None:
            return printable(f"{head}: {self.problem}", 600)
        return printable(f"{head}: expected {test.expect}, got {self.got.decision} ({self.got.why})", 600)


def test_action(test: TestCase, context: Context) -> Action:
    """The action that a test means; variables in it are replaced. Raises GlobError for an unset one."""
    target = expand(test.target, context.variable)
    command = expand(test.within, context.variable)
    chain = (Process(0, tuple(command.split(" "))),) if command else ()
    argv = tuple(target.split(" ")) if test.action is Kind.EXEC else ()
    return Action(test.action, target, argv=argv, cwd=context.project, chain=chain)


test_action.__test__ = False  # type: ignore[attr-defined]  # not a test of pytest


def run_tests(policy: Policy, context: Context) -> list[Failure]:
    """The file's tests that fail. Raises PolicyError when the policy itself cannot be compiled."""
    matcher = Matcher(policy, context)
    failures = []
    for test in policy.tests:
        try:
            ruling = matcher.rule(test_action(test, context))
        except GlobError as error:
            failures.append(Failure(test, policy.label, None, str(error)))
            continue
        if ruling.decision is not test.expect:
            failures.append(Failure(test, policy.label, ruling))
    return failures
