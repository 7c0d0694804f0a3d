"""Tidying changes how a policy is laid out, and nothing that it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_text
from agentgate.policy.store import default_text
from agentgate.policy.tidy import tidy

SAMPLES = sorted((Path(__file__).parents[2] / "policy-samples").iterdir())
CLEAN = """\
# ours
default: ask

rules:
  # tests are free
  - match: {action: exec, target_glob: "npm test*"}   # always
    decision: allow
"""


def test_what_differs_by_accident_goes() -> None:
    untidy = "\ufeff\n\n" + CLEAN.replace("\n", "  \r\n").replace("\r\n\r\n", "\r\n\r\n \r\n\r\n") + "\n\n\n"
    assert tidy(untidy) == CLEAN
    assert tidy(CLEAN) == CLEAN
    assert tidy("") == ""


def test_what_is_shipped_is_tidy() -> None:
    for text in (default_text(), *(path.read_text() for path in SAMPLES)):
        assert tidy(text) == text


def test_what_would_say_something_else_is_refused() -> None:
    text = "rules:\n  - match: {}\n    decision: deny\n    reason: |\n      one\n\n\n      two\n"
    with pytest.raises(PolicyError, match="cannot be tidied without changing what it says"):
        tidy(text)
    with pytest.raises(PolicyError, match="p:1:10"):
        tidy("default: alow\n", "p")


@given(st.lists(st.sampled_from(["\n", "  \n", "\r\n", "# x \n"]), max_size=4), st.integers(0, 7))
def test_every_rule_and_comment_stays(noise: list[str], at: int) -> None:
    lines = CLEAN.splitlines(keepends=True)
    text = "".join([*lines[:at], *noise, *lines[at:]])
    new = tidy(text)
    assert tidy(new) == new
    assert [line.strip() for line in new.splitlines() if line.strip()] == [
        line.strip() for line in text.splitlines() if line.strip()
    ]
    assert [rule.decision for rule in load_text(new, "p").rules] == [
        rule.decision for rule in load_text(text, "p").rules
    ]
