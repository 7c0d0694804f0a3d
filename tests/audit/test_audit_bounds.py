"""What nobody reads does not fill the log, and is told to be missing."""

from __future__ import annotations

import pytest

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.bounds import LONGEST, WORDS, shortened, shortened_words
from agentgate.audit.lines import Lines
from agentgate.audit.read import parse
from agentgate.audit.record import Record


@pytest.mark.parametrize("size", [0, 1, LONGEST])
def test_what_has_room_stays(size: int) -> None:
    assert shortened("x" * size) == "x" * size
    assert shortened_words(["a", "x" * max(size - 1, 0)]) == ["a", "x" * max(size - 1, 0)]


def test_what_has_none_keeps_both_its_ends_and_says_so() -> None:
    text = "begin" + "m" * (2 << 20) + "end"
    short = shortened(text)
    assert short.startswith("beginmm")
    assert short.endswith("mmend")
    assert f"[{len(text) - LONGEST} characters left out, SHA-256 " in short
    assert len(short) < LONGEST + 200
    assert short == shortened(text) != shortened(text.replace("end", "END").replace("mmm", "mmn", 1))


def test_many_words_are_cut_where_a_word_begins() -> None:
    words = [f"word{number}" for number in range(200_000)]
    short = shortened_words(words)
    assert short[:WORDS] == words[:WORDS]
    assert short[WORDS].startswith(f"[{200_000 - WORDS} words left out, SHA-256 ")
    assert shortened_words(["a", "x" * (LONGEST + 1)])[0] == "a"


@pytest.mark.timeout(60)
def test_the_longest_command_line_makes_no_long_record() -> None:
    argv = ("sh", *(f"token=x{number}" for number in range(150_000)))
    chain = tuple(Process(pid, argv) for pid in range(9, 1, -1))
    ruling = Ruling(Decision.ALLOW, Source.DEFAULT)
    record = Record(
        1.0, Action(Kind.EXEC, " ".join(argv), argv, "/", chain), ruling,
        Answer(Verdict.ALLOW, Source.DEFAULT, ruling), 0, "kernel",
    )  # fmt: skip
    line = Lines("5e55", "sh").line(record, 1)
    assert len(line) < 2 << 20
    entry = parse(line)
    assert entry is not None
    assert entry.record.action.chain[7].argv[1] == "token=***"
