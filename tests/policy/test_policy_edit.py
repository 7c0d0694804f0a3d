"""Insertion: exactly one more rule at the place named, and every other byte as it was."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.actions import Decision, Kind
from agentgate.policy.edit import insert_rule
from agentgate.policy.errors import PolicyError
from agentgate.policy.glob import escape
from agentgate.policy.load import load_text
from agentgate.policy.model import Policy
from agentgate.policy.store import default_text
from agentgate.policy.suggest import Draft

DRAFT = Draft(Kind.EXEC, ("npm install", "npm install *"), Decision.ALLOW, "always")
ONE = Draft(Kind.FS_WRITE, ("/x",), Decision.DENY)

BLOCK = """\
# head
default: ask   # tail

rules:
  # about npm
  # and its kin
  - match:
      action: exec
      target_glob: "npm *"
    decision: ask          # why not
    reason: |
      two lines
      # not a comment

  # --- section

  # about ls
  - match: {action: exec, target_glob: ls}
    decision: allow
# behind the last rule
tests:
  - {action: exec, target: ls, expect: allow}
"""


def bare(policy: Policy) -> Policy:
    """The policy without line numbers."""
    return replace(
        policy,
        rules=tuple(replace(rule, number=0, line=0) for rule in policy.rules),
        tests=tuple(replace(test, line=0) for test in policy.tests),
    )


def check(text: str, before: int | None, draft: Draft = DRAFT) -> str:
    """Insert, and check all that must hold of any insertion."""
    new = insert_rule(text, draft, before, "policy.yaml")
    old, loaded = bare(load_text(text, "p")), bare(load_text(new, "p"))
    at = len(old.rules) if before is None else before - 1
    rule = loaded.rules[at]
    assert (rule.action, rule.targets, rule.decision, rule.reason) == (
        draft.action,
        draft.targets,
        draft.decision,
        draft.reason.strip(),
    )
    assert replace(loaded, rules=loaded.rules[:at] + loaded.rules[at + 1 :]) == old
    start = next((n for n, (a, b) in enumerate(zip(text, new, strict=False)) if a != b), len(text))
    added = len(new) - len(text)
    assert added > 0
    # one piece was put in, at the first difference or (equal characters) somewhat before it
    assert any(new[:at] + new[at + added :] == text for at in range(start + 1))
    return new


def added(text: str, new: str) -> list[str]:
    """The lines of ``new`` that are not in ``text``, with the line before and after them."""
    old, lines = text.splitlines(), new.splitlines()
    first = next(n for n, (a, b) in enumerate(zip([*old, None], lines, strict=False)) if a != b)
    return lines[max(first - 1, 0) : first + len(lines) - len(old) + 1]


def test_in_front_of_a_rule_and_of_the_comment_above_it() -> None:
    assert added(BLOCK, check(BLOCK, 1, ONE)) == [
        "rules:",
        "  - match:",
        "      action: fs_write",
        '      target_glob: "/x"',
        "    decision: deny",
        "  # about npm",
    ]
    assert added(BLOCK, check(BLOCK, 2, ONE))[0] == ""
    assert added(BLOCK, check(BLOCK, 2, ONE))[-1] == "  # about ls"


def test_behind_the_last_rule() -> None:
    assert added(BLOCK, check(BLOCK, None, DRAFT)) == [
        "    decision: allow",
        "  - match:",
        "      action: exec",
        "      target_glob:",
        '        - "npm install"',
        '        - "npm install *"',
        "    decision: allow",
        '    reason: "always"',
        "# behind the last rule",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "# only a comment\n\n",
        "---\n",
        "---\n...\n",
        "default: deny",
        "default: deny\n...\n# after\n",
        "%YAML 1.1\n---\ndefault: deny\n",
        "\ufeffdefault: deny\n",
        "  default: deny\n",
        "rules:\n",
        "rules:",
        "rules:   # none yet\n  # later\n",
        "rules:\ndefault: deny\n",
        "rules: []\n",
        "rules: [ # none\n]\n",
        "{}",
        "{default: deny}",
        '{"default": "deny", "rules": []}',
        json.dumps({"default": "deny", "tests": []}, indent=2),
        json.dumps({"rules": [{"decision": "ask"}, {"decision": "deny"}]}, indent=2),
        "rules: [{decision: ask}]\n",
        "rules: [{decision: ask}, ]\n",
        "rules:\n  [\n    {decision: ask}, # one\n    {decision: deny} # two\n  ]\n",
        "rules:\n- decision: ask",
        "rules:\n- decision: ask\n\n\n",
        "rules:\n- {decision: ask}\n- {decision: deny}\n",
        "rules:\n-   match:\n        action: exec\n    decision: ask\n",
        "rules:\n  -\n    decision: ask\n",
        "rules:\n  - # odd\n    decision: ask\n",
        "rules:\n- decision: ask\n  reason: |\n    text\n    # text\n\n# comment\n",
        "rules:\n- decision: ask\n  reason: |+\n    text\n\n\ndefault: deny\n",
        "rules:\n- decision: ask\n  reason: >-\n    folded\n    text",
        "rules:\n- decision: ask\n  reason: plain\n    over lines   # c",
        "rules:\n- decision: ask\n  reason: 'a\n\n    b'\n",
        "rules:\n- decision: ask #\ttab\n#\ttab\n- decision: deny\n",
        "rules:\n- decision: ask\n  match:\n",
        "rules:\n- decision: ask\ntests:\n- {action: exec, target: a, expect: ask}",
        "rules:\r\n  # c\r\n  - decision: ask\r\n    reason: x\r\ndefault: deny\r\n",
        "rules:\r\n  - decision: ask",
        "default: deny\r\n",
        "rules: [\r\n  {decision: ask}\r\n]\r\n",
    ],
)
def test_layouts(text: str) -> None:
    count = len(load_text(text, "p").rules)
    for before in [None, *range(1, count + 1)]:
        for draft in (DRAFT, ONE):
            new = check(text, before, draft)
            if "\r\n" in text:
                assert "\n" not in new.replace("\r\n", "")
            if text and not text.endswith("\n") and before is None and not text.endswith(("}", "]")):
                assert not new.endswith("\n")


def test_the_default_policy_takes_a_rule_anywhere() -> None:
    text = default_text()
    for before in (None, 1, len(load_text(text, "p").rules)):
        check(text, before)


@pytest.mark.parametrize("text", ["rules: ~\n", "rules: null\n", "{rules: }", "? rules\n: - decision: ask\n"])
def test_a_layout_that_is_not_known_is_refused(text: str) -> None:
    try:
        check(text, None)
    except PolicyError as error:
        assert "add the rule by hand" in str(error)


def test_a_rule_that_is_not_there_is_refused() -> None:
    for before in (0, 3, -1):
        with pytest.raises(PolicyError, match=f"no rule {before}"):
            insert_rule(BLOCK, DRAFT, before)
    with pytest.raises(PolicyError, match=r"policy.yaml:1:1: unknown key"):
        insert_rule("wrong: 1", DRAFT, None, "policy.yaml")


def test_a_draft_that_would_not_load_is_refused() -> None:
    with pytest.raises(PolicyError, match="cannot edit"):
        insert_rule(BLOCK, Draft(Kind.NET_EGRESS, ("not a host",), Decision.ALLOW), None)


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=1, max_size=30), st.text(max_size=30), st.sampled_from([1, 2, None]), st.booleans())
def test_any_target_and_reason_survive_the_trip(
    target: str, reason: str, before: int | None, flow: bool
) -> None:
    text = FLOW if flow else BLOCK
    check(text, before, Draft(Kind.EXEC, (escape(target), escape(target) + " *"), Decision.ALLOW, reason))


FLOW = "rules: [{decision: ask}, {decision: deny}]"
COMMENT = st.sampled_from(["", "\n", "# c\n", "  # c\n", "\n\n# a\n  # b\n", "#\t\n"])
RULE = st.sampled_from(
    [
        "{d}- decision: ask\n",
        "{d}-   decision: ask\n{d}    reason: x # c\n",
        "{d}- match:\n{d}    action: exec\n{d}    target_glob:\n{d}    - a\n{d}    - 'b' # c\n"
        "{d}  decision: deny\n",
        "{d}- {{match: {{target_glob: [a, b]}}, decision: ask}}   # c\n",
        "{d}- decision: ask\n{d}  reason: |\n{d}    # text\n{d}    more\n\n",
        "{d}- decision: ask\n{d}  reason: >+\n{d}    folded\n\n\n",
    ]
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(st.tuples(COMMENT, RULE), min_size=1, max_size=5),
    COMMENT,
    st.sampled_from(["", "  ", "    "]),
    st.sampled_from(["", "default: deny\n", "tests: []\n"]),
    st.booleans(),
    st.booleans(),
    st.data(),
)
def test_any_block_layout_keeps_its_bytes(
    rules: list[tuple[str, str]], end: str, dash: str, after: str, crlf: bool, cut: bool, data: st.DataObject
) -> None:
    text = "rules:\n" + "".join(comment + rule.format(d=dash) for comment, rule in rules) + end + after
    if crlf:
        text = text.replace("\n", "\r\n")
    if cut:
        text = text.rstrip("\r\n")
    count = len(load_text(text, "p").rules)
    before = data.draw(st.sampled_from([None, *range(1, count + 1)]))
    check(text, before, data.draw(st.sampled_from([DRAFT, ONE])))
