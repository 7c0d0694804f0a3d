"""What a policy can say below a directory: never less strict than what it does say of a path there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.actions import Action, Decision, Kind, Process
from agentgate.policy.beneath import Beneath
from agentgate.policy.load import load_text
from agentgate.policy.match import STRICTNESS, Context, Matcher
from agentgate.policy.model import Policy, Rule

CONTEXT = Context("/p", "/home/u", {"X": "/x"})
ALLOW, ASK, DENY = Decision.ALLOW, Decision.ASK, Decision.DENY


def beneath(*rules: str, default: str = "ask") -> Beneath:
    text = "".join(f"  - {{match: {{action: fs_write, target_glob: {rule}\n" for rule in rules)
    return Beneath(Matcher(load_text(f"default: {default}\nrules:\n{text}", "policy.yaml"), CONTEXT))


def link(policy: Beneath, path: str, command: str = "") -> Decision | None:
    chain = (Process(1, tuple(command.split())),) if command else ()
    found = policy.through(path, Action(Kind.FS_WRITE, path, chain=chain, syscall="symlink"))
    return found.decision if found else None


PROJECT = '"/p/**"}, decision: allow}'


@pytest.mark.parametrize(("glob", "directory", "expected"), [
    ("/p/locked/*", "/p/locked", DENY), ("/p/locked/*", "/p", DENY), ("/p/locked/*", "/p/x", ALLOW),
    ("/p/locked/*", "/p/locked/sub", ALLOW), ("/p/locked/**", "/p/locked/sub", DENY),
    ("/p/locked", "/p/locked", ALLOW), ("/p/locked", "/p", DENY), ("/p/lock", "/p/locked", ALLOW),
    ("/p/*/secret", "/p/x", DENY), ("/p/*/secret", "/p/x/y", ALLOW), ("secret", "/p/x/y", DENY),
    ("/p/**/secret", "/p/x", DENY), ("/p/**/secret", "/q", ASK), ("'**/*.pem'", "/p/x", DENY),
    ("$X/*", "/x", DENY), ("$X/*", "/p", ALLOW), ("'/p/[l]ocked/f'", "/p/locked", DENY),
    ("/q/f", "/", DENY), ("/q/f", "/q", DENY), ("/q/f", "/r", ASK),
])  # fmt: skip
def test_the_strictest_decision_below(glob: str, directory: str, expected: Decision) -> None:
    assert beneath(f"{glob}}}, decision: deny}}", PROJECT).strictest(directory) is expected


def test_an_allow_of_everything_below_ends_the_search() -> None:
    rules = beneath(PROJECT, '"/p/locked/*"}, decision: deny}', default="deny")
    assert rules.strictest("/p") is rules.strictest("/p/locked") is ALLOW
    assert rules.strictest("/q") is DENY
    assert beneath('"/p/*"}, decision: allow}').strictest("/p") is ASK
    assert beneath('"/p/**", within: "npm *"}, decision: allow}').strictest("/p") is ASK


def test_a_scope_denies_below_it() -> None:
    scoped = beneath('"/p/**"}, decision: allow, scope: /p/src}')
    assert scoped.strictest("/p/src/a") is scoped.strictest("/p/src") is ALLOW
    assert scoped.strictest("/p/other") is scoped.strictest("/p") is DENY


@pytest.mark.parametrize(("glob", "path", "expected"), [
    ("/p/locked/*", "/p/locked", DENY), ("/p/locked/*", "/p", DENY), ("/p/locked/*", "/p/locked/f", None),
    ("/p/locked/**/x", "/p/locked", DENY), ("/p/locked/f", "/p/lock", None), ("/p/*/f", "/p/locked", None),
    ("secret", "/p/x", None), ("/p/a/b/c", "/p/a", DENY),
])  # fmt: skip
def test_a_link_that_stands_in_for_a_directory_of_a_rule(
    glob: str, path: str, expected: Decision | None
) -> None:
    policy = beneath(f"{glob}}}, decision: deny}}", PROJECT)
    assert link(policy, path) is (expected if path != "/p" else DENY)
    assert link(beneath(PROJECT, f"{glob}}}, decision: deny}}"), path) is None


def test_of_two_rules_the_stricter_and_of_conditions_those_that_hold() -> None:
    policy = beneath(
        "/p/d/a}, decision: ask}", '/p/d/b, within: "npm *"}, decision: deny}',
        "/p/d/c}, decision: deny, until: 2001-01-01}", PROJECT,
    )  # fmt: skip
    assert link(policy, "/p/d", "npm run x") is DENY
    assert link(policy, "/p/d", "sh") is ASK
    assert policy.strictest("/p/d") is DENY


NAMES = st.sampled_from(["a", "b", "ab", "*", "a*", "?", "[ab]", "**"])
PATHS = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3)
RULES = st.builds(
    lambda segments, decision, scope: Rule(
        0, 0, Kind.FS_WRITE, ("/" + "/".join(segments),), None, decision, scope and "/" + scope
    ),
    st.lists(NAMES, min_size=1, max_size=4), st.sampled_from(Decision), st.sampled_from([None, "a", "a/b"]),
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(RULES, max_size=4), st.sampled_from(Decision), PATHS, PATHS)
def test_no_path_below_is_decided_more_strictly(
    rules: list[Rule], default: Decision, directory: list[str], rest: list[str]
) -> None:
    matcher = Matcher(Policy(tuple(rules), default), CONTEXT)
    above = "/" + "/".join(directory)
    decided = matcher.rule(Action(Kind.FS_WRITE, f"{above}/{'/'.join(rest)}")).decision
    assert STRICTNESS[decided] <= STRICTNESS[Beneath(matcher).strictest(above)]
