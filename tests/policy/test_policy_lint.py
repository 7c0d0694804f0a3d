"""Each sort of mistake is found where it stands, with a fix; a policy without one is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgate.cli.learn import POLICY as LEARN
from agentgate.gate.guards import Guards
from agentgate.policy.errors import PolicyError
from agentgate.policy.lint import lint
from agentgate.policy.match import Context
from agentgate.policy.store import default_text

CONTEXT = Context("/home/u/p", "/home/u")
GUARDS = Guards(home="/home/u", project="/home/u/p")
SAMPLES = sorted((Path(__file__).parents[2] / "policy-samples").iterdir())


def guarded(path: str) -> str:
    guard = GUARDS.find(path, "openat")
    return guard.name if guard else ""


def remarks(text: str) -> list[str]:
    return [remark.to_text("p") for remark in lint(text, CONTEXT, guarded, "p")]


def rule(match: str, rest: str = "decision: allow") -> str:
    return f"default: ask\nrules:\n  - match: {{{match}}}\n    {rest}\n"


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_samples_are_clean(path: Path) -> None:
    assert remarks(path.read_text()) == []


def test_what_is_shipped_is_clean() -> None:
    assert remarks(default_text()) == []
    assert remarks(LEARN.read_text()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rule('action: exec, target_glob: "*sh*"'), "p:3:40: '*sh*' allows every command with 'sh' anywhere"),
        (rule('action: fs_write, target_glob: "/**"'), "p:3:44: '/**' allows writing nearly everywhere"),
        (rule('action: fs_write, target_glob: ["/tmp/**", "~/**"]'), "p:3:56: '~/**' allows writing nearly"),
        (rule('action: net_egress, target_glob: "*:443"'), "p:3:46: '*:443' allows every host"),
        (
            rule('action: net_egress, target_glob: "registry.npmjs.com:443"'),
            "'registry.npmjs.com' looks like 'registry.npmjs.org'; write 'registry.npmjs.org' if that",
        ),
        (rule('action: exec, target_glob: "npm i | npm ci"'), 'stands for itself, not for "or"; write'),
        (rule('action: exec, target_glob: "./build.sh"'), "matches nothing: a program is called by its bare"),
        (rule('action: fs_write, target_glob: "~/.ssh/**"'), "guard ssh asks about '~/.ssh/**' every time"),
        (rule('action: fs_write, target_glob: "~/.bashrc"'), "guard shell-startup asks about '~/.bashrc'"),
        (rule("action: exec", "decision: deny\n    until: 2020-01-01"), "p:3:5: rule 1 ended (2020-01-01)"),
        (rule('target_glob: "x"'), "rule 1 names targets but no action"),
        (rule("action: fs_write", 'decision: deny\n    scope: "$PWD"'), "rule 1 has a scope, which only"),
        ("rules:\n  - {match: {action: exec}, decision: allow}\n", "p:1:1: no default is given"),
        (
            "default: ask\nrules:\n"
            "  - {match: {action: exec}, decision: allow}\n"
            '  - {match: {action: exec, target_glob: "curl *"}, decision: deny}\n',
            "p:4:5: rule 2 (deny) never matches: rule 1 (line 3), which says allow, matches all of it first; "
            "move it above rule 1",
        ),
        (
            "default: ask\nrules:\n"
            '  - {match: {action: fs_write, target_glob: "/tmp/**"}, decision: allow}\n'
            '  - {match: {action: fs_write, target_glob: "/tmp/a/*"}, decision: allow}\n',
            "rule 2 never matches: rule 1 (line 3) says the same before it; remove it",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_found(text: str, said: str) -> None:
    found = remarks(text)
    assert len(found) == 1, found
    assert said in found[0]


@pytest.mark.parametrize(
    "text",
    [
        rule('action: exec, target_glob: "bash -c * | *"', "decision: deny"),
        rule('action: exec, target_glob: "*/config.sh *"', "decision: deny"),
        rule('action: net_egress, target_glob: ["github.com:443", ".github.com", "10.0.0.0/8", "[::1]:80"]'),
        rule('action: net_egress, target_glob: "*:443"', "decision: deny"),
        rule('action: fs_write, target_glob: "~/.claude/**"'),
        rule('action: fs_write, target_glob: "~/.ssh/**"', "decision: deny"),
        "default: deny\n",
        "",
    ],
)
def test_what_is_none_is_not(text: str) -> None:
    assert remarks(text) == []


def test_what_does_not_load_is_an_error() -> None:
    with pytest.raises(PolicyError, match="p:1:10"):
        remarks("default: alow\n")
