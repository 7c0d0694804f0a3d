"""Shadowed rules: named only when certain, and certain means for every target there is."""

from __future__ import annotations

import datetime as dt
import random
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentgate.actions import Action, Decision, Kind
from agentgate.policy.covers import covers
from agentgate.policy.findings import examine
from agentgate.policy.glob import GlobError, command_regex, path_regex
from agentgate.policy.hosts import canonical, compile_host
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher
from agentgate.policy.model import Policy, Rule
from agentgate.policy.shadow import shadows
from agentgate.policy.store import default_text

NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
CONTEXT = Context("/home/u/p", "/home/u", {}, now=lambda: NOW)


def lookup(name: str) -> str:
    return CONTEXT.variable(name)


@pytest.mark.parametrize(
    ("kind", "wide", "narrow", "certain"),
    [
        (Kind.EXEC, "*", "npm *", True),
        (Kind.EXEC, "npm *", "npm install*", True),
        (Kind.EXEC, "npm i*", "npm install chalk", True),
        (Kind.EXEC, "npm *", "npm", False),
        (Kind.EXEC, "npm *", "npm*", False),
        (Kind.EXEC, "*a*b", "xaybzb", True),
        (Kind.EXEC, "a?c", "abc", True),
        (Kind.EXEC, "a?c", "a*c", False),
        (Kind.EXEC, "a[bc]*", "a[bc]d", True),
        (Kind.EXEC, "$HOME/x *", "/home/u/x y*", True),
        (Kind.EXEC, "$NOT_SET", "a", False),
        (Kind.FS_WRITE, "/**", "**", True),
        (Kind.FS_WRITE, "$PWD/**", "/home/u/p/src/*.py", True),
        (Kind.FS_WRITE, "/a/**", "/a", True),
        (Kind.FS_WRITE, "/a/*", "/a/b/c", False),
        (Kind.FS_WRITE, "/a/*/**", "/a/**", False),
        (Kind.FS_WRITE, "*.py", "/a/**/*.py", True),
        (Kind.FS_WRITE, "/a/**/x", "/a/b/**/c/x", True),
        (Kind.NET_EGRESS, "*", "unix:/run/x", True),
        (Kind.NET_EGRESS, "*:443", "github.com:443", True),
        (Kind.NET_EGRESS, "*:443", "github.com", False),
        (Kind.NET_EGRESS, ".github.com", "api.github.com:443", True),
        (Kind.NET_EGRESS, ".github.com", "*.api.github.com", True),
        (Kind.NET_EGRESS, ".github.com", "github.com", False),
        (Kind.NET_EGRESS, ".hub.com", ".github.com", False),
        (Kind.NET_EGRESS, "GitHub.com", "github.com:22", True),
        (Kind.NET_EGRESS, "10.0.0.0/8", "10.1.0.0/16", True),
        (Kind.NET_EGRESS, "10.0.0.0/8", "10.2.3.4:80", True),
        (Kind.NET_EGRESS, "10.0.0.0/16", "10.0.0.0/8", False),
        (Kind.NET_EGRESS, "[2001:db8::/32]", "[2001:db8:0::1]:443", True),
        (Kind.NET_EGRESS, "udp://*", "udp://8.8.8.8:53", True),
        (Kind.NET_EGRESS, "*:53", "udp://8.8.8.8:53", False),
        (Kind.NET_EGRESS, "unix:/run/**", "unix:/var/run/docker.sock", True),
        (Kind.NET_EGRESS, "unix:@a*", "unix:@ab", True),
        (Kind.NET_EGRESS, "unix:*", "unix:@ab", True),
        (Kind.NET_EGRESS, "unix:/**", "unix:@ab", False),
    ],
)
def test_what_covers_what(kind: Kind, wide: str, narrow: str, certain: bool) -> None:
    assert covers(kind, wide, narrow, lookup) is certain


COMMAND = st.lists(st.sampled_from(["*", "?", "a", "b", "[ab]", " ", "ab", "a*"]), min_size=1, max_size=6)
SEGMENT = st.sampled_from(["*", "**", "a", "b", "a*", "*b", "?", "[ab]", "ab"])
PATH = st.lists(SEGMENT, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
HOST = st.builds(
    lambda scheme, host, port: scheme + host + port,
    st.sampled_from(["", "", "udp://"]),
    st.sampled_from(
        ["*", "a.b", ".b", "*.b", "x.a.b", ".a.b", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "A.b"]
    ),
    st.sampled_from(["", ":*", ":1", ":2"]),
)
TEXTS = {
    Kind.EXEC: ["", "a", "b", "ab", "ba", "aab", "abb", "a b", " ", "a ", "abab", "bbb", "aaaa", "b a"],
    Kind.FS_WRITE: [
        "/" + "/".join(parts)
        for parts in ([], ["a"], ["b"], ["ab"], ["a", "b"], ["b", "a"], ["a", "a", "b"], ["ab", "b", "a"],
                      ["a", "b", "a", "b"], ["c"], ["c", "a", "d", "b"], ["ac", "cb"])
    ],
    Kind.NET_EGRESS: [
        scheme + host + port
        for scheme in ("", "udp://")
        for host in ("a.b", "b", "x.a.b", "y.x.a.b", "c.b", "10.1.2.3", "10.2.0.1", "11.0.0.1")
        for port in (":1", ":2", ":3")
    ],
}  # fmt: skip


def matches(kind: Kind, glob: str, target: str) -> bool:
    if kind is Kind.NET_EGRESS:
        host = compile_host(glob, lookup)
        plain = canonical(target)
        return host.test(plain) if host.test else re.fullmatch(host.regex, plain) is not None
    compiler = command_regex if kind is Kind.EXEC else path_regex
    return re.fullmatch(compiler(glob, lookup), target, re.DOTALL) is not None


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_what_is_certain_holds_for_every_target(data: st.DataObject) -> None:
    kind, globs = data.draw(
        st.sampled_from([(Kind.EXEC, COMMAND.map("".join)), (Kind.FS_WRITE, PATH), (Kind.NET_EGRESS, HOST)])
    )
    wide, narrow = data.draw(globs), data.draw(globs)
    try:
        certain = covers(kind, wide, narrow, lookup)
        for target in TEXTS[kind]:
            if certain and matches(kind, narrow, target):
                assert matches(kind, wide, target), (wide, narrow, target)
    except GlobError:
        assume(False)


def found(text: str) -> dict[int, int]:
    return shadows(load_text(text, "p"), CONTEXT)


def test_a_rule_below_one_that_covers_it_is_named_with_that_one() -> None:
    assert found(
        "rules:\n"
        "- {match: {action: exec, target_glob: 'ls*'}, decision: allow}\n"
        "- {match: {action: exec, target_glob: ['npm *', 'yarn *']}, decision: ask}\n"
        "- {match: {action: exec, target_glob: ['npm install *', 'yarn add *']}, decision: deny}\n"
        "- {match: {action: exec, target_glob: ['npm install *', 'pnpm *']}, decision: deny}\n"
        "- {match: {action: exec}, decision: allow}\n"
        "- {match: {action: exec, target_glob: rm}, decision: deny}\n"
        "- {match: {action: fs_write, target_glob: /x}, decision: deny}\n"
        "- {decision: ask}\n"
        "- {match: {action: fs_read, target_glob: /x}, decision: deny}\n"
        "- {match: {target_glob: x}, decision: deny}\n"
    ) == {3: 2, 6: 5, 10: 8}


@pytest.mark.parametrize(
    ("first", "second", "certain"),
    [
        ("match: {within: 'npm *'}", "match: {action: exec}", False),
        ("match: {within: 'npm *'}", "match: {action: exec, within: 'npm i'}", True),
        ("match: {}", "match: {action: exec, within: 'npm i'}", True),
        ("disabled: true", "match: {action: exec}", False),
        ("match: {}", "disabled: true", False),
        ("until: 2020-01-01", "match: {action: exec}", False),
        ("until: 2030-01-01", "match: {action: exec}", False),
        ("until: 2030-01-01", "until: 2029-01-01", True),
        ("until: 2029-01-01", "until: 2030-01-01", False),
        ("match: {}", "until: 2030-01-01", True),
        ("scope: /a", "match: {action: fs_write, target_glob: /b}", True),  # it says deny there
        ("match: {target_glob: [a, b]}", "match: {target_glob: a}", True),
        ("match: {target_glob: '*'}", "match: {target_glob: a}", False),
    ],
)
def test_conditions(first: str, second: str, certain: bool) -> None:
    text = f"rules:\n- decision: allow\n  {first}\n- decision: deny\n  {second}\n"
    assert found(text) == ({2: 1} if certain else {})


def test_the_default_policy_has_no_shadowed_rule_and_no_failing_test() -> None:
    findings = examine(load_text(default_text(), "p"), CONTEXT)
    assert findings.shadowed == {} and findings.failures == ()


def test_a_failing_test_is_the_matter_of_the_rule_that_decides_it() -> None:
    findings = examine(
        load_text(
            "rules:\n- {match: {action: exec}, decision: allow}\n"
            "tests:\n- {action: exec, target: ls, expect: deny}\n"
            "- {action: fs_write, target: /x, expect: deny}\n"
            "- {action: exec, target: ls, expect: allow}\n",
            "p",
        ),
        CONTEXT,
    )
    assert [failure.test.line for failure in findings.failing(1)] == [4]
    assert [failure.test.line for failure in findings.failing(None)] == [5]


def test_a_shadowed_rule_can_go_and_nothing_is_decided_otherwise() -> None:
    draw = random.Random(4)
    globs = {
        Kind.EXEC: ["*", "a*", "a b", "?", "ab*", "*b"],
        Kind.FS_WRITE: ["/**", "/a/**", "*b", "/a/*", "/a/b"],
        Kind.NET_EGRESS: ["*", ".b", "a.b:1", "*:1", "10.0.0.0/8"],
    }
    named = 0
    for _ in range(300):
        rules = []
        for number in range(1, 7):
            kind = draw.choice([*globs])
            targets = tuple(draw.sample(globs[kind], draw.randint(0, 2)))
            action = draw.choice([kind, kind, None]) if not targets else kind
            rules.append(Rule(number, number, action, targets, None, draw.choice([*Decision])))
        policy = Policy(tuple(rules))
        gone = shadows(policy, CONTEXT)
        named += len(gone)
        rest = Policy(tuple(rule for rule in rules if rule.number not in gone))
        old, new = Matcher(policy, CONTEXT), Matcher(rest, CONTEXT)
        for kind, targets in TEXTS.items():
            for target in targets:
                action = Action(kind, target)
                assert old.rule(action) == new.rule(action), (policy, gone, target)
    assert named > 100


def test_a_very_long_policy_is_examined_in_bounded_time() -> None:
    rules = tuple(
        Rule(
            n, n, Kind.EXEC, tuple(f"{chr(97 + n % 26)}tool-{n} {i}*" for i in range(10)), None, Decision.ASK
        )
        for n in range(1, 501)
    )
    assert shadows(Policy(rules), CONTEXT) == {}
