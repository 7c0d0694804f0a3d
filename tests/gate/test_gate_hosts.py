"""Which hosts the record says were reached."""

from __future__ import annotations

import os
from pathlib import Path

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.record import Record
from agentgate.gate.hosts import BYTES, recorded_hosts


def line(target: str, verdict: Verdict, kind: Kind = Kind.NET_EGRESS) -> bytes:
    ruling = Ruling(Decision.ASK, Source.DEFAULT)
    record = Record(1.0, Action(kind, target), ruling, Answer(verdict, Source.OPERATOR, ruling), 0, "kernel")
    return record.to_line(session="s", agent="a", number=1)


def test_hosts_that_were_allowed_are_known(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    log.write_bytes(
        line("api.example:443", Verdict.ALLOW)
        + b'{"net_egress" "allow" broken\n'
        + line("evil.example:443", Verdict.DENY)
        + line("cat net_egress", Verdict.ALLOW, Kind.EXEC)
        + line("udp://time.example:123", Verdict.ALLOW)
    )
    assert recorded_hosts(log) == {"api.example", "time.example"}


def test_only_the_end_of_a_long_record_is_read(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    with open(log, "wb") as file:
        file.write(line("old.example:443", Verdict.ALLOW))
        file.seek(BYTES + 4096, os.SEEK_CUR)
        file.write(b"\n" + line("new.example:443", Verdict.ALLOW))
    assert recorded_hosts(log) == {"new.example"}


def test_what_is_no_record_says_nothing_and_blocks_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "none", tmp_path, tmp_path / "fifo"):
        assert recorded_hosts(path) == frozenset()
