"""Matching: the first rule wins, scopes deny, both ends count, conditions are looked at each time."""

import datetime as dt
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.actions import Action, Decision, Kind, Process, Ruling, Source
from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher
from agentgate.policy.model import Policy, Rule

CONTEXT = Context("/home/u/p", "/home/u", {"CACHE": "/var/c", "EMPTY": ""})


def matcher(text: str, context: Context = CONTEXT) -> Matcher:
    return Matcher(load_text(text, "policy.yaml"), context)


def write(target: str, origin: str = "", chain: tuple[Process, ...] = ()) -> Action:
    return Action(Kind.FS_WRITE, target, origin=origin, chain=chain)


def test_the_first_rule_that_matches_wins_and_says_where_it_stands() -> None:
    rules = matcher(
        "default: deny\n"
        "rules:\n"
        "- {match: {action: fs_write, target_glob: /x}, decision: deny}\n"
        "- {match: {action: exec, target_glob: 'npm *'}, decision: ask, reason: look}\n"
        "- {match: {action: exec}, decision: allow}\n"
    )
    assert rules.rule(Action(Kind.EXEC, "npm i")) == Ruling(Decision.ASK, Source.RULE, 2, 4, "look")
    assert rules.rule(Action(Kind.EXEC, "ls")) == Ruling(Decision.ALLOW, Source.RULE, 3, 5)
    assert rules.rule(Action(Kind.NET_EGRESS, "a:1")) == Ruling(Decision.DENY, Source.DEFAULT)


def test_a_disabled_rule_matches_nothing_and_keeps_its_number() -> None:
    rules = matcher(
        "rules:\n"
        "- {match: {target_glob: '*'}, decision: deny, disabled: true}\n"
        "- {match: {action: fs_read, target_glob: $NOT_SET/x}, decision: deny, disabled: true}\n"
        "- {decision: allow, disabled: false}\n"
    )
    assert rules.rule(Action(Kind.EXEC, "ls")) == Ruling(Decision.ALLOW, Source.RULE, 3, 4)
    assert rules.reading(Action(Kind.FS_READ, "/x"), "/x") is None and not rules.closes


def test_a_rule_without_action_holds_in_each_language() -> None:
    rules = matcher("rules:\n- {match: {target_glob: [github.com, '*.pth', /etc/*]}, decision: deny}")
    denied = [
        Action(Kind.EXEC, "github.com"),
        Action(Kind.NET_EGRESS, "github.com:443"),
        write("/a/b/github.com"),
        write("/x.pth"),
        Action(Kind.EXEC, "rm x.pth"),
        Action(Kind.EXEC, "/etc/a/b"),
        Action(Kind.FS_READ, "/etc/a"),
    ]
    asked = [
        Action(Kind.NET_EGRESS, "pth:1"),
        write("/etc/a/b"),
        Action(Kind.NET_EGRESS, "www.github.com:443"),
    ]
    assert {rules.rule(action).decision for action in denied} == {Decision.DENY}
    assert {rules.rule(action).decision for action in asked} == {Decision.ASK}


def test_a_rule_without_targets_holds_for_any() -> None:
    assert matcher("rules:\n- {decision: allow}").rule(write("/\n")).decision is Decision.ALLOW


def test_scope_denies_what_lies_outside() -> None:
    rules = matcher("rules:\n- {match: {action: fs_write}, scope: $PWD, decision: allow}")
    assert rules.rule(write("/home/u/p/x")).decision is Decision.ALLOW
    assert rules.rule(write("/home/u/p")).decision is Decision.ALLOW
    for outside in ("/home/u/px", "/home/u", "/etc/x"):
        ruling = rules.rule(write(outside))
        assert (ruling.decision, ruling.source, ruling.rule) == (Decision.DENY, Source.SCOPE, 1)
    assert rules.rule(write("/home/u/p/a", origin="/etc/x")).source is Source.SCOPE


def test_both_ends_of_a_rename_count() -> None:
    rules = matcher(
        "default: allow\nrules:\n"
        "- {match: {target_glob: /deny/**}, decision: deny}\n- {match: {target_glob: /ask/**}, decision: ask}"
    )
    for one, other, expected in [
        ("/a", "/b", Decision.ALLOW),
        ("/a", "/ask/x", Decision.ASK),
        ("/ask/x", "/a", Decision.ASK),
        ("/ask/x", "/deny/x", Decision.DENY),
        ("/deny/x", "/a", Decision.DENY),
    ]:
        assert rules.rule(write(one, origin=other)).decision is expected


def test_within_looks_at_the_process_and_its_ancestors() -> None:
    rules = matcher(
        "rules:\n"
        "- {match: {action: fs_write, target_glob: /x/**, within: 'npm *'}, decision: allow}\n"
        "- {match: {action: fs_write, target_glob: /x/y}, decision: deny}\n"
    )
    shell, npm = Process(1, ("bash",)), Process(2, ("npm", "install", "chalk"))
    assert rules.rule(write("/x/y", chain=(npm, shell))).rule == 1
    assert rules.rule(write("/x/y", chain=(shell, npm, shell))).rule == 1
    assert rules.rule(write("/x/y", chain=(shell,))).rule == 2
    assert rules.rule(write("/x/y")).rule == 2
    assert rules.rule(write("/x/z", chain=(shell,))).source is Source.DEFAULT


def test_until_ends_a_rule_while_the_session_runs() -> None:
    now = [dt.datetime(2027, 1, 1, 23, 59).astimezone()]
    text = "rules:\n- {match: {action: exec}, decision: allow, until: %s}"
    context = Context("/p", "/h", now=lambda: now[0])
    day, moment = matcher(text % "2027-01-01", context), matcher(text % "2027-01-01T12:00:00", context)
    ls = Action(Kind.EXEC, "ls")
    assert day.rule(ls).decision is Decision.ALLOW
    assert moment.rule(ls).decision is Decision.ASK
    now[0] = dt.datetime(2027, 1, 2, 0, 0).astimezone()
    assert day.rule(ls).decision is Decision.ASK
    now[0] = dt.datetime(2027, 1, 1, 12, 0).astimezone()
    assert moment.rule(ls).decision is Decision.ALLOW


@pytest.mark.parametrize("name", ["NOWHERE", "EMPTY"])
@pytest.mark.parametrize("action", ["exec", "fs_write", "net_egress", ""])
def test_a_variable_without_value_is_an_error_with_the_rules_line(name: str, action: str) -> None:
    word = f"action: {action}, " if action else ""
    with pytest.raises(PolicyError, match=rf"^policy.yaml:3: glob '\${name}/\*\*': \${name} is not set"):
        matcher(f"rules:\n\n- {{match: {{{word}target_glob: '${name}/**'}}, decision: allow}}")


def test_a_scope_of_an_unset_variable_is_an_error() -> None:
    with pytest.raises(PolicyError, match=r"^policy.yaml:2: \$NOWHERE is not set"):
        matcher("rules:\n- {match: {action: fs_write}, scope: $NOWHERE, decision: allow}")


def test_variables_come_from_the_session_not_from_the_environment() -> None:
    context = Context("/home/u/p", "/home/u", {"PWD": "/", "HOME": "/", "CACHE": "/var/c"})
    rules = matcher(
        "rules:\n- {match: {action: fs_write, target_glob: ['$PWD/*', '~/*', '$CACHE/*']}, decision: allow}",
        context,
    )
    for target in ("/home/u/p/a", "/home/u/a", "/var/c/a"):
        assert rules.rule(write(target)).decision is Decision.ALLOW
    assert rules.rule(write("/a")).decision is Decision.ASK


def test_hosts_are_compared_in_their_canonical_form() -> None:
    rules = matcher(
        "rules:\n- {match: {action: net_egress, target_glob: [github.com, 10.0.0.0/8]}, decision: allow}"
    )
    for target in ("GitHub.com.:443", "10.1.1.1:5"):
        assert rules.rule(Action(Kind.NET_EGRESS, target)).decision is Decision.ALLOW
    assert rules.rule(Action(Kind.NET_EGRESS, "github.com.evil.com:443")).decision is Decision.ASK


def test_networks_keep_their_place_in_the_order() -> None:
    rules = matcher(
        "rules:\n"
        "- {match: {action: net_egress, target_glob: 10.0.0.1}, decision: deny}\n"
        "- {match: {action: net_egress, target_glob: [10.0.0.0/8, example.com]}, decision: allow}\n"
        "- {match: {action: net_egress, target_glob: ['10.0.0.2', example.com, other.com]}, decision: deny}\n"
    )
    found = [
        rules.rule(Action(Kind.NET_EGRESS, f"{host}:1")).rule
        for host in ("10.0.0.1", "10.0.0.2", "example.com", "other.com", "11.0.0.1")
    ]
    assert found == [1, 2, 2, 3, None]


def test_a_target_too_long_to_remember_is_decided_all_the_same() -> None:
    rules = matcher("rules:\n- {match: {action: exec, target_glob: '*x'}, decision: allow}")
    assert rules.rule(Action(Kind.EXEC, "a" * 100_000 + "x")).decision is Decision.ALLOW
    assert rules.rule(Action(Kind.EXEC, "a" * 100_000)).decision is Decision.ASK


GLOBS = ["/a", "/a/*", "/a/**", "/b/**", "*.x", "/a/b", "**", "/a/**/b"]
PATHS = ["/a", "/a/b", "/a/c/b", "/b", "/b/d.x", "/c", "/c/b.x"]
RULES = st.lists(
    st.tuples(st.sampled_from(GLOBS), st.sampled_from(["", "npm*", "ls*"]), st.sampled_from(list(Decision))),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(RULES, st.sampled_from(["npm i", "ls", "sh"]))
def test_rules_together_decide_like_each_alone(rules: list[tuple[str, str, Decision]], by: str) -> None:
    """The joined expression agrees with trying one-rule policies in order."""
    made = [
        Rule(n, n, Kind.FS_WRITE, (glob,), within or None, decision)
        for n, (glob, within, decision) in enumerate(rules, 1)
    ]
    together = Matcher(Policy(tuple(made)), CONTEXT)
    alone = [Matcher(Policy((rule,)), CONTEXT) for rule in made]
    for target in PATHS:
        action = write(target, chain=(Process(1, tuple(by.split())),))
        first = next((r for r in (m.rule(action) for m in alone) if r.source is Source.RULE), None)
        for _ in range(2):  # the second answer comes from memory
            assert together.rule(action) == (first or Ruling(Decision.ASK, Source.DEFAULT))


def test_matching_imports_no_yaml() -> None:
    code = "import sys, agentgate.policy.match; sys.exit('yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
