"""The document of the log names what is written, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import agentgate.audit.record
from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.chain import Chain
from agentgate.audit.lines import Lines
from agentgate.audit.record import VERSION, Record

TEXT = Path(agentgate.audit.record.__file__).with_name("SCHEMA.md").read_text()


def test_every_member_is_documented() -> None:
    ruling = Ruling(Decision.ASK, Source.GUARD, 1, 2, "why", "ssh")
    answer = Answer(Verdict.DENY, Source.OPERATOR, ruling, "note")
    action = Action(Kind.FS_WRITE, "/a", ("mv",), "/", (Process(1),), "rename", "/b", "move")
    line = Chain("s").link(Lines("s", "a").line(Record(1.0, action, ruling, answer, 1, "kernel", "a"), 1))
    named = {
        name for row in re.findall(r"^\| (`.*?`) \|", TEXT, re.M) for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(json.loads(line))
    assert f"version {VERSION}" in TEXT.splitlines()[0]


def test_every_word_is_documented() -> None:
    for word in (*Kind, *Decision, *Verdict, *Source):
        assert f"`{word.value}`" in TEXT, word
