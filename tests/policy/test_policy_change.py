"""Replace, delete, move, switch off: the one change that was meant, and every other byte as it was."""

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.actions import Decision, Kind
from agentgate.policy.edit import check_draft, delete_rule, move_rule, replace_rule, set_disabled
from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_text
from agentgate.policy.model import Policy, Rule
from agentgate.policy.store import default_text
from agentgate.policy.suggest import Draft

BLOCK = """\
# head
default: ask   # tail

rules:
  # --- commands

  # about npm
  # and its kin
  - match:
      action: exec
      target_glob:
        # first
        - "npm *"   # all of it
        - "pnpm *"
        # last
        - "yarn *"
    decision: ask          # why not
    reason: |
      two lines
      # not a comment

  # --- files

  # about ls
  - match: {action: exec, target_glob: ls}  # short
    decision: allow
  - decision: deny
    scope: "$PWD"
# behind the last rule
tests:
  - {action: exec, target: ls, expect: allow}
"""

FLOW = (
    '{"default": "deny", "rules": [{"match": {"action": "exec"}, "decision": "ask"}, {"decision": "deny"}]}'
)


def bare(rule: Rule) -> Rule:
    return replace(rule, number=0, line=0)


def rules(text: str) -> list[Rule]:
    return [bare(rule) for rule in load_text(text, "p").rules]


def rest(text: str) -> Policy:
    policy = load_text(text, "p")
    return replace(policy, rules=(), tests=tuple(replace(test, line=0) for test in policy.tests))


def draft(text: str, number: int, **changes: object) -> Draft:
    return replace(Draft.of(load_text(text, "p").rules[number - 1]), **changes)  # type: ignore[arg-type]


def difference(old: str, new: str) -> tuple[list[str], list[str]]:
    """The lines that went and those that came, between the first and the last difference."""
    a, b = old.splitlines(), new.splitlines()
    while a and b and a[0] == b[0]:
        del a[0], b[0]
    while a and b and a[-1] == b[-1]:
        del a[-1], b[-1]
    return a, b


# Replace


@pytest.mark.parametrize(
    ("number", "changes", "went", "came"),
    [
        (
            1,
            {"decision": Decision.DENY},
            ["    decision: ask          # why not"],
            ["    decision: deny          # why not"],
        ),
        (1, {"targets": ("npm *", "yarn *")}, ['        - "pnpm *"'], []),
        (1, {"targets": ("npm *", "pnpm *", "yarn *", "bun *")}, [], ['        - "bun *"']),
        (1, {"targets": ("bun *", "npm *", "pnpm *", "yarn *")}, [], ['        - "bun *"']),
        (
            1,
            {"targets": ("npm i*", "pnpm *", "yarn *")},
            ['        - "npm *"   # all of it'],
            ['        - "npm i*"   # all of it'],
        ),
        (
            1,
            {"reason": "one line"},
            ["    reason: |", "      two lines", "      # not a comment"],
            ['    reason: "one line"'],
        ),
        (1, {"within": "make *"}, [], ['      within: "make *"']),
        (1, {"until": dt.date(2027, 1, 31)}, [], ["    until: 2027-01-31"]),
        (
            2,
            {"targets": ("ls", "ls *")},
            ["  - match: {action: exec, target_glob: ls}  # short"],
            ['  - match: {action: exec, target_glob: ["ls", "ls *"]}  # short'],
        ),
        (
            2,
            {"action": None, "targets": ()},
            ["  - match: {action: exec, target_glob: ls}  # short", "    decision: allow"],
            ["  - decision: allow"],
        ),
        (2, {"action": Kind.FS_READ, "targets": ("/x",), "scope": "/"}, None, None),
        (
            3,
            {"action": Kind.FS_WRITE},
            ["  - decision: deny"],
            ["  - match: {action: fs_write}", "    decision: deny"],
        ),
        (3, {"scope": None}, ['    scope: "$PWD"'], []),
    ],
)
def test_only_what_changed_is_rewritten(
    number: int, changes: dict[str, object], went: list[str] | None, came: list[str] | None
) -> None:
    new = replace_rule(BLOCK, number, draft(BLOCK, number, **changes))
    expected = rules(BLOCK)
    expected[number - 1] = draft(BLOCK, number, **changes).rule
    assert rules(new) == expected and rest(new) == rest(BLOCK)
    if went is not None:
        assert difference(BLOCK, new) == (went, came)


def test_nothing_changed_is_the_same_text() -> None:
    for number in (1, 2, 3):
        assert replace_rule(BLOCK, number, draft(BLOCK, number)) == BLOCK


def test_a_rule_in_flow_style_keeps_its_style() -> None:
    new = replace_rule(FLOW, 1, draft(FLOW, 1, targets=("a", "b"), decision=Decision.ALLOW, reason="why"))
    assert json.loads(new)["rules"] == [
        {"match": {"action": "exec", "target_glob": ["a", "b"]}, "decision": "allow", "reason": "why"},
        {"decision": "deny"},
    ]
    assert json.loads(delete_rule(FLOW, 1))["rules"] == [{"decision": "deny"}]
    assert json.loads(delete_rule(delete_rule(FLOW, 2), 1)) == {"default": "deny", "rules": []}
    assert json.loads(move_rule(FLOW, 1, 2))["rules"][0] == {"decision": "deny"}
    assert json.loads(set_disabled(FLOW, 2, True))["rules"][1] == {"decision": "deny", "disabled": True}


def test_a_draft_that_no_policy_could_hold_says_why() -> None:
    check_draft(Draft(Kind.EXEC, ("ls",), Decision.ALLOW))
    for bad, message in (
        (Draft(Kind.NET_EGRESS, ("not a host",), Decision.ALLOW), "glob 'not a host'"),
        (Draft(Kind.FS_WRITE, ("a/b",), Decision.ALLOW), "a path starts with"),
        (Draft(Kind.EXEC, ("ls",), Decision.ALLOW, scope="/x"), "scope is for files"),
    ):
        with pytest.raises(PolicyError, match=message):
            check_draft(bad)
        with pytest.raises(PolicyError, match="cannot edit this layout"):
            replace_rule(BLOCK, 1, bad)


# Delete, move, switch off


def test_a_rule_goes_with_the_comment_right_above_it() -> None:
    assert difference(BLOCK, delete_rule(BLOCK, 2)) == (
        ["  # about ls", "  - match: {action: exec, target_glob: ls}  # short", "    decision: allow"],
        [],
    )
    new = delete_rule(BLOCK, 1)
    assert "# --- commands\n\n  # --- files" in new and "npm" not in new


def test_a_moved_rule_takes_its_comment_and_leaves_the_headings() -> None:
    new = move_rule(BLOCK, 2, 1)
    assert new.index("# --- commands") < new.index("# about ls") < new.index("# --- files")
    assert new.index("# --- files") < new.index("# about npm") < new.index("scope:")
    assert move_rule(new, 1, 2) == BLOCK


def test_a_rule_that_is_switched_off_keeps_its_place_and_says_so() -> None:
    new = set_disabled(BLOCK, 2, True)
    assert difference(BLOCK, new) == ([], ["    disabled: true"])
    assert [rule.disabled for rule in load_text(new, "p").rules] == [False, True, False]
    assert set_disabled(new, 2, False) == BLOCK


def test_the_default_policy_can_be_changed_anywhere() -> None:
    text = default_text()
    count = len(rules(text))
    for number in (1, count):
        assert set_disabled(set_disabled(text, number, True), number, False) == text
    assert move_rule(move_rule(text, 1, count), count, 1) == text
    assert len(rules(delete_rule(text, 3))) == count - 1


@pytest.mark.parametrize(
    "text",
    [
        "rules: [\n  {decision: ask}, # one\n  {decision: deny} # two\n]\n",
        "rules: [{decision: ask} # one\n, {decision: deny}]\n",
    ],
)
def test_a_comment_that_might_lose_its_rule_refuses_the_edit(text: str) -> None:
    with pytest.raises(PolicyError, match="do it by hand"):
        move_rule(text, 1, 2)
    with pytest.raises(PolicyError, match="do it by hand"):
        delete_rule(text, 1)


@pytest.mark.parametrize("number", [0, 4, -1])
def test_a_rule_that_is_not_there_is_refused(number: int) -> None:
    edits: list[Callable[[], str]] = [
        lambda: replace_rule(BLOCK, number, draft(BLOCK, 1)),
        lambda: delete_rule(BLOCK, number),
        lambda: move_rule(BLOCK, number, 1),
        lambda: move_rule(BLOCK, 1, number),
        lambda: set_disabled(BLOCK, number, True),
    ]
    for edit in edits:
        with pytest.raises(PolicyError, match=f"no rule {number}"):
            edit()


# Any policy: each comment has a mark of its own, so that none can be lost or change its rule unseen

BODY = [
    "{d}- decision: ask  # in-{n}\n",
    "{d}-   decision: ask\n{d}    reason: r{n}\n",
    "{d}- match:\n{d}    action: exec\n{d}    target_glob:\n{d}    - a{n}\n{d}    # in-{n}\n{d}    - 'b'\n"
    "{d}  decision: deny\n",
    "{d}- match:\n{d}      target_glob: [a, b{n}]\n{d}  decision: ask\n{d}  until: 2027-01-01   # in-{n}\n",
    "{d}- {{match: {{target_glob: [a{n}, b]}}, decision: ask}}   # in-{n}\n",
    "{d}- decision: ask\n{d}  reason: |\n{d}    # text {n}\n{d}    more\n",
    "{d}- decision: allow\n{d}  reason: >-\n{d}    folded {n}\n{d}  disabled: true\n",
    "{d}- decision: ask # in-{n}\n{d}  match: {{action: fs_write}}\n{d}  scope: /s{n}\n",
]
ABOVE = ["", "{d}# own-{n}\n", "{d}# own-{n}\n# own-{n}\n"]
GAP = ["", "\n", "{d}# alone-{n}\n\n", "\n\n{d}# alone-{n}\n\n", "# alone-{n}\n#\talone-{n}\n\n"]


@st.composite
def policies(draw: st.DrawFn) -> tuple[str, int]:
    """The text of a policy, and how many rules it has."""
    dash = draw(st.sampled_from(["", "  ", "    "]))
    text = draw(st.sampled_from(["", "# head\n", "default: deny\n", "---\n"])) + "rules:\n"
    count = draw(st.integers(1, 5))
    for number in range(1, count + 1):
        for parts in (GAP, ABOVE, BODY):
            text += draw(st.sampled_from(parts)).format(d=dash, n=number)
    text += draw(st.sampled_from(["", "\n", "# foot\n", "\n# foot\n", "tests: []\n", "\ndefault: allow\n"]))
    if "default: deny" in text:
        text = text.replace("default: allow\n", "")
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    if draw(st.booleans()):
        text = text.rstrip("\r\n")
    return text, count


def marks(text: str, but: int | None = None) -> list[str]:
    """The comments' marks in order, without what belongs to rule ``but``."""
    found = re.findall(r"(?:own|in|alone)-\d", text)
    return [mark for mark in found if but is None or not re.fullmatch(rf"(own|in)-{but}", mark)]


def same_ends(text: str, new: str) -> bool:
    """Line ends, and the lack of one at the end, are as before."""
    bare_ends = "\n" in new.replace("\r\n", "")
    return ("\r\n" not in text or not bare_ends) and (
        text.endswith("\n") == new.endswith("\n") or new.endswith(":")
    )


@settings(max_examples=80, deadline=None)
@given(policies(), st.data())
def test_any_rule_can_be_deleted(policy: tuple[str, int], data: st.DataObject) -> None:
    text, count = policy
    number = data.draw(st.integers(1, count))
    new = delete_rule(text, number)
    old = rules(text)
    assert rules(new) == old[: number - 1] + old[number:] and rest(new) == rest(text)
    assert marks(new) == marks(text, but=number)
    assert same_ends(text, new)
    gone = len(text) - len(new)
    assert any(text[:at] + text[at + gone :] == new for at in range(len(new) + 1))  # one piece


@settings(max_examples=80, deadline=None)
@given(policies(), st.data())
def test_any_rule_can_be_moved_and_moved_back(policy: tuple[str, int], data: st.DataObject) -> None:
    text, count = policy
    number, to = data.draw(st.integers(1, count)), data.draw(st.integers(1, count))
    new = move_rule(text, number, to)
    expected = rules(text)
    expected.insert(to - 1, expected.pop(number - 1))
    assert rules(new) == expected and rest(new) == rest(text)
    assert sorted(marks(new)) == sorted(marks(text))
    alone = [mark for mark in marks(text) if mark.startswith("alone")]
    assert [mark for mark in marks(new) if mark.startswith("alone")] == alone
    assert same_ends(text, new)
    assert move_rule(new, to, number) == text


@settings(max_examples=80, deadline=None)
@given(policies(), st.data())
def test_any_rule_can_be_switched_off_and_on_again(policy: tuple[str, int], data: st.DataObject) -> None:
    text, count = policy
    number = data.draw(st.integers(1, count))
    was = rules(text)[number - 1].disabled
    new = set_disabled(text, number, not was)
    assert rules(new)[number - 1] == replace(rules(text)[number - 1], disabled=not was)
    assert marks(new) == marks(text) and same_ends(text, new)
    again = set_disabled(new, number, was)
    assert rules(again) == rules(text)
    assert was or again == text


GLOBS = st.lists(st.sampled_from(["a", "b", "c *", "d/**", "**"]), max_size=4, unique=True)
DRAFTS = st.builds(
    Draft,
    st.sampled_from([None, Kind.EXEC]),
    GLOBS.map(tuple),
    st.sampled_from(Decision),
    st.text("aé:#'{[ \"\\", max_size=12),
    st.sampled_from([None, "make *", "a # b"]),
    st.none(),
    st.sampled_from([None, dt.date(2027, 1, 31), dt.datetime(2027, 1, 31, 12, 30, tzinfo=dt.UTC)]),
    st.booleans(),
)


@settings(max_examples=120, deadline=None)
@given(policies(), DRAFTS, st.data())
def test_any_rule_can_become_any_other(policy: tuple[str, int], new: Draft, data: st.DataObject) -> None:
    text, count = policy
    number = data.draw(st.integers(1, count))
    changed = replace_rule(text, number, new)
    expected = rules(text)
    expected[number - 1] = new.rule
    assert rules(changed) == expected and rest(changed) == rest(text)
    if "\r\n" in text:
        assert "\n" not in changed.replace("\r\n", "")
    assert marks(changed, but=number) == marks(text, but=number)
    # everything above the rule and everything below it stands as it was
    line = load_text(text, "p").rules[number - 1].line
    above = "".join(text.splitlines(keepends=True)[: line - 1])
    assert changed.startswith(above)
    if number < count:
        below = text.splitlines(keepends=True)[load_text(text, "p").rules[number].line - 1 :]
        assert changed.endswith("".join(below))


@settings(max_examples=60, deadline=None)
@given(st.lists(DRAFTS, min_size=1, max_size=4), st.sampled_from([None, 2]), DRAFTS, st.data())
def test_json_stays_json(drafts: list[Draft], indent: int | None, new: Draft, data: st.DataObject) -> None:
    text = json.dumps({"rules": [json.loads(draft.to_flow(json=True)) for draft in drafts]}, indent=indent)
    number = data.draw(st.integers(1, len(drafts)))
    expected = rules(text)
    expected[number - 1] = new.rule
    changed = replace_rule(text, number, new)
    assert json.loads(changed) and rules(changed) == expected
    to = data.draw(st.integers(1, len(drafts)))
    assert json.loads(move_rule(text, number, to)) and json.loads(delete_rule(text, number))
