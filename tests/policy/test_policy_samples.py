"""Every policy in policy-samples loads, passes its own tests, and can be used as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgate.actions import Action, Kind
from agentgate.policy.explain import run_tests
from agentgate.policy.explain import test_action as action_of
from agentgate.policy.load import load_file
from agentgate.policy.match import Context, Matcher

FOLDER = Path(__file__).parents[2] / "policy-samples"
SAMPLES = sorted(FOLDER.iterdir())
CONTEXT = Context("/home/u/p", "/home/u")


def test_the_samples_are_there() -> None:
    names = [path.name for path in SAMPLES]
    assert names == [
        f"{name}.yaml"
        for name in (
            *("ci", "claude", "codex", "gemini", "go", "monorepo", "node", "offline", "opencode", "python"),
            *("review-readonly", "rust", "strict", "supply-chain"),
        )
    ]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_passes_its_own_tests(path: Path) -> None:
    policy = load_file(path)
    assert [str(failure) for failure in run_tests(policy, CONTEXT)] == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_every_rule_says_why_and_is_tried_by_a_test(path: Path) -> None:
    policy = load_file(path)
    matcher = Matcher(policy, CONTEXT)
    assert all(rule.reason for rule in policy.rules)
    tried = {matcher.rule(action_of(test, CONTEXT)).rule for test in policy.tests}
    assert {rule.number for rule in policy.rules} <= tried


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_no_sample_lets_a_first_write_outside_or_a_strange_host_through(path: Path) -> None:
    matcher = Matcher(load_file(path), CONTEXT)
    for kind, target in (
        (Kind.FS_WRITE, "/home/u/.bashrc"),
        (Kind.FS_WRITE, "/etc/hosts"),
        (Kind.FS_WRITE, "/home/u/p-other/x"),
        (Kind.NET_EGRESS, "evil.example:443"),
        (Kind.NET_EGRESS, "api.anthropic.com.evil.example:443"),
        (Kind.NET_EGRESS, "127.0.0.1:8080"),
    ):
        assert matcher.rule(Action(kind, target)).decision.value in ("ask", "deny"), target
