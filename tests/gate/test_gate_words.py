"""The shared words: they cross a process boundary unchanged, say why in one phrase, and show nothing that
moves a cursor."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.escape import printable
from agentgate.settings import agent_name, default_audit

_TEXT = st.text(st.characters(codec="utf-8") | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF))
_ARGV = st.lists(_TEXT, max_size=3).map(tuple)
_PROCESS = st.builds(Process, st.integers(0), _ARGV, _TEXT, st.integers(0))
_ACTIONS = st.builds(
    Action, st.sampled_from(Kind), _TEXT, _ARGV, _TEXT, st.lists(_PROCESS, max_size=3).map(tuple),
    _TEXT, _TEXT, _TEXT,
)  # fmt: skip
_RULINGS = st.builds(
    Ruling, st.sampled_from(Decision), st.sampled_from(Source), st.none() | st.integers(1),
    st.none() | st.integers(1), _TEXT, _TEXT,
)  # fmt: skip


@given(_ACTIONS)
def test_an_action_crosses_a_link_unchanged(action: Action) -> None:
    assert Action.from_wire(json.loads(json.dumps(action.to_wire()))) == action


@given(_RULINGS)
def test_a_ruling_crosses_a_link_unchanged(ruling: Ruling) -> None:
    assert Ruling.from_wire(json.loads(json.dumps(ruling.to_wire()))) == ruling


def test_a_process_is_called_by_what_is_known_of_it() -> None:
    assert Process(7, ("npm", "i"), "/usr/bin/node").command == "npm i"
    assert Process(7, (), "/usr/bin/node").command == "/usr/bin/node"
    assert Process(7).command == "pid 7"


def test_an_action_is_decided_on_all_its_objects() -> None:
    assert Action(Kind.FS_WRITE, "/a").objects == ("/a",)
    assert Action(Kind.FS_WRITE, "/a", origin="/b").objects == ("/a", "/b")
    assert Action(Kind.FS_WRITE, "/a").pid == 0
    assert Action(Kind.FS_WRITE, "/a", chain=(Process(7), Process(1))).pid == 7


RULE = Ruling(Decision.ASK, Source.RULE, 3, 12, "every install is looked at")


@pytest.mark.parametrize(
    ("ruling", "why"),
    [
        (RULE, "rule 3 (line 12): every install is looked at"),
        (Ruling(Decision.DENY, Source.RULE, 3), "rule 3"),
        (
            Ruling(Decision.DENY, Source.SCOPE, 3, 12, "outside $PWD"),
            "outside the scope of rule 3: outside $PWD",
        ),
        (Ruling(Decision.ASK, Source.GUARD, 3, 12, "opens logins", "ssh"), "guard ssh: opens logins"),
        (Ruling(Decision.ASK, Source.DEFAULT), "default"),
        (Ruling(Decision.DENY, Source.GATE, reason="it is gone"), "gate: it is gone"),
    ],
)
def test_a_ruling_says_why(ruling: Ruling, why: str) -> None:
    assert ruling.why == why


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Answer(Verdict.DENY, Source.OPERATOR, RULE, "not today"), "operator: not today"),
        (Answer(Verdict.DENY, Source.OPERATOR, RULE), f"operator; asked by {RULE.why}"),
        (Answer(Verdict.DENY, Source.RULE, RULE), RULE.why),
        (Answer(Verdict.DENY, Source.TIMEOUT, RULE), f"timeout; asked by {RULE.why}"),
    ],
)
def test_an_answer_says_why(answer: Answer, why: str) -> None:
    assert answer.why == why


# -- escapes


@given(st.text() | _TEXT)
def test_what_is_shown_has_nothing_invisible_in_it(text: str) -> None:
    shown = printable(text)
    assert not [char for char in shown if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")]
    shown.encode()  # can be written to any terminal that takes UTF-8


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("npm install x", "npm install x"),
        ("größe ✓ 文", "größe ✓ 文"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("\x9b2J", "\\x9b2J"),  # CSI in one byte
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),  # right to left override
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),  # no width
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),  # a tag character
        ("\udcff", "\\xff"),  # a byte that is no UTF-8
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_long_text_keeps_both_ends_and_says_what_is_missing() -> None:
    text = "head" + "x" * 10_000 + "tail"
    shown = printable(text, 100)
    assert shown.startswith("headx") and shown.endswith("xtail")
    kept = shown.count("x") + 8
    assert f"…{len(text) - kept} more characters…" in shown
    assert len(shown) < 120
    assert printable("x" * 100, 100) == "x" * 100
    assert "\n" not in printable("a\n" * 100, 10)


# -- settings


def test_an_agent_is_called_as_its_command_is() -> None:
    assert agent_name(("/opt/x/claude", "--autonomous")) == "claude"
    assert agent_name(("bash",)) == "bash"
    assert agent_name(()) == "agent"


def test_the_record_lies_where_the_flag_says_else_the_environment_else_in_the_project() -> None:
    project = Path("/srv/p")
    assert default_audit(None, {}, project) == project / ".agentgate/audit.jsonl"
    assert default_audit(None, {"AGENTGATE_AUDIT": "/log/a"}, project) == Path("/log/a")
    assert default_audit("b.jsonl", {"AGENTGATE_AUDIT": "/log/a"}, project) == project / "b.jsonl"
    assert default_audit("~/c", {}, project) == Path("~/c").expanduser()
    assert default_audit(None, {"AGENTGATE_AUDIT": ""}, project) == project / ".agentgate/audit.jsonl"
