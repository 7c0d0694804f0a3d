"""Explanations name the rule and its line; a policy's failing tests name theirs."""

from agentgate.actions import Action, Decision, Kind, Ruling, Source
from agentgate.policy.explain import explain, run_tests
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher

TEXT = """\
rules:
  - match: {action: exec, target_glob: ["npm *", b, c, d, e], within: "sh*"}
    decision: ask
    reason: look
  - match: {action: fs_write}
    decision: allow
    scope: $PWD
tests:
  - {action: exec, target: npm i, expect: ask, within: sh -c x}
  - {action: exec, target: npm i, expect: allow}
  - {action: fs_write, target: "$PWD/x", expect: allow}
  - {action: fs_write, target: "$NOWHERE/x", expect: allow}
  - {action: fs_write, target: "~/x", expect: allow}
"""
POLICY = load_text(TEXT, "policy.yaml")
CONTEXT = Context("/p", "/h")


def test_explanations() -> None:
    matcher = Matcher(POLICY, CONTEXT)
    ask = Ruling(Decision.ASK, Source.RULE, 1, 2, "look")
    assert explain(ask, POLICY) == (
        "ask by rule 1 (policy.yaml:2) [ask exec npm * | b | c | and 2 more within sh*]: look"
    )
    outside = matcher.rule(Action(Kind.FS_WRITE, "/x"))
    assert explain(outside, POLICY).startswith("deny: rule 2 (policy.yaml:5) is for $PWD only")
    default = matcher.rule(Action(Kind.NET_EGRESS, "a:1"))
    assert explain(default, POLICY) == "no rule matches; the default of policy.yaml is ask"
    guard = Ruling(Decision.ASK, Source.GUARD, guard="envrc", reason="runs code")
    assert explain(guard, POLICY) == "ask: guard envrc: runs code"
    gone = Ruling(Decision.ASK, Source.RULE, 9, 90)  # of a policy that was in force before
    assert "rule 9" in explain(gone, POLICY)


def test_failing_tests_name_their_line_and_what_came_out() -> None:
    assert [str(failure) for failure in run_tests(POLICY, CONTEXT)] == [
        "policy.yaml:10: exec npm i: expected allow, got ask (default)",
        "policy.yaml:12: fs_write $NOWHERE/x: $NOWHERE is not set"
        " (set it, or write '[$]' for a literal dollar sign)",
        "policy.yaml:13: fs_write ~/x: expected allow, got deny (outside the scope of rule 2: outside $PWD)",
    ]


def test_sockets_are_tested_as_they_are_decided() -> None:
    text = (
        'default: allow\nrules:\n  - match: {action: net_egress, target_glob: "unix:/run/a/*.sock"}\n'
        "    decision: allow\ntests:\n"
        '  - {action: net_egress, target: "unix:/run/docker.sock", expect: ask}\n'
        '  - {action: net_egress, target: "unix:/run/a/x.sock", expect: allow}\n'
        '  - {action: net_egress, target: "unix:@x", expect: ask}\n'
        '  - {action: net_egress, target: "a.example:1", expect: allow}\n'
    )
    policy = load_text(text, "policy.yaml")
    assert run_tests(policy, CONTEXT) == []
    ruling = Matcher(policy, CONTEXT).rule(Action(Kind.NET_EGRESS, "unix:/run/docker.sock"))
    assert explain(ruling, policy) == "ask: no rule names this socket"
