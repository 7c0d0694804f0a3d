"""Policy text to policy: every mistake names its line and column; nothing in the text can hurt."""

import datetime as dt
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.actions import Decision, Kind
from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_bytes, load_file, load_text
from agentgate.policy.model import Policy, Rule, TestCase

FULL = """\
default: deny
lift_guards: [envrc, cron]
rules:                           # ordered, first match wins
  - match:
      action: exec
      target_glob: "npm install*"
      within: "npm *"
    decision: ask
    reason: "every install is looked at"
    until: 2027-01-01
  - match: {action: fs_write, target_glob: ["$PWD/**", "/tmp/**"]}
    decision: allow
    scope: "$PWD"
    until: 2027-01-01T12:30:00+01:00
    disabled: true
  - decision: deny
    disabled: false
tests:
  - {action: exec, target: "npm install chalk", expect: ask, within: "npm x"}
"""


def test_every_key_arrives() -> None:
    zone = dt.timezone(dt.timedelta(hours=1))
    assert load_text(FULL, "policy.yaml") == Policy(
        default=Decision.DENY,
        lifted=frozenset({"envrc", "cron"}),
        label="policy.yaml",
        rules=(
            Rule(
                1,
                4,
                Kind.EXEC,
                ("npm install*",),
                "npm *",
                Decision.ASK,
                None,
                "every install is looked at",
                dt.date(2027, 1, 1),
            ),
            Rule(
                2,
                11,
                Kind.FS_WRITE,
                ("$PWD/**", "/tmp/**"),
                None,
                Decision.ALLOW,
                "$PWD",
                "",
                dt.datetime(2027, 1, 1, 12, 30, tzinfo=zone),
                disabled=True,
            ),
            Rule(3, 16, None, (), None, Decision.DENY),
        ),
        tests=(TestCase(Kind.EXEC, "npm install chalk", Decision.ASK, 19, "npm x"),),
    )


def test_the_wire_form_is_json_and_comes_back_equal() -> None:
    policy = load_text(FULL, "policy.yaml")
    assert Policy.from_wire(json.loads(json.dumps(policy.to_wire()))) == policy


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a comment\n", "---\n", "rules:\n", "rules: []\ntests:\n", "{}"]
)
def test_nothing_said_is_ask(text: str) -> None:
    assert load_text(text, "x") == Policy(label="x")


RULE = "rules:\n  - match: {%s}\n    decision: ask\n"

MISTAKES = [
    (
        "rules:\n  - decision: ask\n    disabled: yes\n",
        "3:15: disabled must be true or false, not 'yes'",
    ),
    (
        "rules:\n  - decision: ask\n    disable: true\n",
        "3:5: unknown key 'disable' (did you mean 'disabled'?)",
    ),
    (
        "rules:\n  - match:\n      action: exec\n    decision: alow\n",
        "4:15: unknown decision 'alow' (allow, deny or ask)",
    ),
    ("default: alow", "1:10: unknown default 'alow' (allow, deny or ask)"),
    ("rules:\n- decision: yes", "2:13: unknown decision 'yes' (allow, deny or ask)"),
    ("rules:\n- decision: [ask]", "2:13: unknown decision a list"),
    (RULE % "action: exce", "2:21: unknown action 'exce' (exec, fs_write, fs_read or net_egress)"),
    ("rules:\n- desision: ask", "2:3: unknown key 'desision' (did you mean 'decision'?)"),
    ("desision: ask", "1:1: unknown key 'desision' (did you mean 'decision', in a rule?)"),
    (
        "rules:\n- {decision: ask, action: exec}",
        "2:19: unknown key 'action' here (it belongs in a rule's match)",
    ),
    ("wibble: 1", "1:1: unknown key 'wibble' (default, rules, tests or lift_guards)"),
    ("rules:\n- decision: ask\n  decision: allow", "3:3: 'decision' is given twice"),
    ("rules:\n- match: {action: exec}", "2:3: rule 1 has no decision"),
    ("rules: 5", "1:8: 'rules' must be a list, not '5'"),
    ("rules: {a: b}", "1:8: 'rules' must be a list, not keys with values"),
    ("rules:\n- ask", "2:3: rule 1 must be keys with values, not 'ask'"),
    ("rules:\n- {decision: ask, match: exec}", "2:26: 'match' must be keys with values, not 'exec'"),
    ("- a", "1:1: a policy must be keys with values, not a list"),
    ("just text", "1:1: a policy must be keys with values, not 'just text'"),
    ("? [a]\n: b", "1:3: a policy has a key that is no word"),
    (RULE % "target_glob: 8080", "2:26: target_glob must be text: put quotes around '8080'"),
    (RULE % "target_glob: [a, 1]", "2:30: a glob must be text: put quotes around '1'"),
    (RULE % "target_glob: []", "2:26: an empty list matches nothing"),
    (RULE % "target_glob: ''", "2:26: target_glob is empty"),
    (RULE % "target_glob: ", "target_glob is empty"),
    (RULE % "action: fs_write, target_glob: src/*.py", "2:44: glob 'src/*.py': a path starts with '/'"),
    (RULE % "action: net_egress, target_glob: 'https://x.y/z'", "2:46: glob 'https://x.y/z': a host, not"),
    (RULE % "action: exec, target_glob: '[z-a]x'", "2:40: glob '[z-a]x': [z-a] is not a character class"),
    (RULE % "within: 'npm ['", "2:21: glob 'npm [': '[' is never closed"),
    ("rules:\n- {decision: ask, reason: 5}", "2:27: reason must be text: put quotes around '5'"),
    (
        "rules:\n- {decision: ask, until: 2027-13-01}",
        "2:26: until '2027-13-01' is no date and no time (write 2027-01-31",
    ),
    ("rules:\n- {decision: ask, until: tomorrow}", "2:26: until 'tomorrow' is no date"),
    (
        "rules:\n- {decision: ask, until: 2027-01-31T25:00}",
        "2:26: until '2027-01-31T25:00' is no date and no",
    ),
    (
        "rules:\n- {decision: ask, until: 0001-01-01T00:00:00+14:00}",
        "2:26: until '0001-01-01T00:00:00+14:00' is no date",
    ),
    ("rules:\n- {decision: ask, scope: src}", "2:26: scope 'src' must start with"),
    ("rules:\n- {decision: ask, scope: '/p/**'}", "2:26: scope '/p/**' must be a directory"),
    ("rules:\n- {decision: ask, match: {action: exec}, scope: /p}", "2:49: scope is for files, not for exec"),
    ("tests:\n- {action: exec, target: x}", "2:3: a test needs 'expect'"),
    ("tests:\n- {action: exec, target: x, expect: maybe}", "2:37: unknown decision 'maybe'"),
    ("lift_guards: cron", "1:14: 'lift_guards' must be a list, not 'cron'"),
    ("lift_guards:\n  - cron\n  - git-confg", "3:5: unknown guard 'git-confg' (did you mean 'git-config'?)"),
    ("lift_guards: [Git_Hooks]", "1:15: unknown guard 'Git_Hooks' (did you mean 'git-hooks'?)"),
    (
        "lift_guards: [everything]",
        "1:15: unknown guard 'everything' (shell-startup, ssh, autostart, "
        "systemd-user, launch-agents, cron, git-hooks, git-config, envrc, editor-tasks, agent-config, "
        "ci-workflows, python-startup, gate, read-keys, read-cloud, read-forge, read-registry, read-env, "
        "read-browser, read-agents, read-wallets, read-history or read-devices)",
    ),
    ("lift_guards: [[cron]]", "1:15: a guard's name must be text, not a list"),
    # YAML itself
    ("rules: [", "1:9: not YAML: expected the node content"),
    ("a: b: c", "1:5: not YAML: mapping values are not allowed here"),
    (
        "rules:\n\t- decision: ask",
        "2:1: not YAML: found character '\\t' that cannot start any token (use spaces, not tabs)",
    ),
    ("default: ask\n---\ndefault: ask", "2:1: not YAML: but found another document"),
    (
        RULE % "target_glob: *.pth",
        "2:26: not YAML: expected alphabetic or numeric character, but found '.' "
        "(put quotes around text that starts with '*')",
    ),
    (RULE % "target_glob: *pth", "2:26: '*pth' is an alias in YAML: put quotes around"),
    ("default: &a ask", "1:10: '&a' is an anchor in YAML"),
    ("default: !!python/object:os.system ask\nrules:\n- !x {}", "3:3: rule 1 must be keys"),
    ("de\x00fault: ask", "1:3: character U+0000 is not allowed"),
    ("default: ask\nx\udc80: 1", "2:2: character U+DC80 is not allowed"),
]


@pytest.mark.parametrize(("text", "says"), MISTAKES)
def test_a_mistake_names_its_place(text: str, says: str) -> None:
    with pytest.raises(PolicyError) as error:
        load_text(text, "policy.yaml")
    assert str(error.value).startswith("policy.yaml:")
    assert says in str(error.value)
    assert error.value.where == "policy.yaml"


def test_an_error_is_one_line_that_is_safe_to_show() -> None:
    with pytest.raises(PolicyError) as error:
        load_text('"a\\nb\\x1b[2J": 1', "policy.yaml")
    assert str(error.value).isprintable()


def test_bytes_that_are_not_utf8_are_placed() -> None:
    with pytest.raises(PolicyError, match=r"^p:2:4: not UTF-8 \(byte 0xff\)"):
        load_bytes(b"default: ask\n# \xc3\xa9\xff", "p")
    assert load_bytes("\ufeffdefault: deny\r\n".encode(), "p").default is Decision.DENY


def test_a_file_that_cannot_be_read_is_a_policy_error(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        load_file(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match="cannot be read"):
        load_file(tmp_path)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(1000)),
        "[" * 200_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "x" * 3_000_000,
        "a: " + "'" * 100_001,
    ],
)
def test_hostile_text_is_refused_in_bounded_time(text: str) -> None:
    with pytest.raises(PolicyError):
        load_text(text, "x")


@settings(max_examples=300, deadline=None)
@given(st.text("ab:-[]{}'\"*&!#%@\n\t \\,?|>~0", max_size=60))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    try:
        load_text(text, "x")
    except PolicyError as error:
        assert "\n" not in str(error)
