"""The index of a log: every line that fits, in order, from whichever end it is found; and groups of calls."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from test_audit_match import record, write

from agentgate.actions import Kind, Process, Verdict
from agentgate.audit import index as index_module
from agentgate.audit.groups import Groups
from agentgate.audit.index import Index
from agentgate.audit.query import Filter
from agentgate.audit.row import Row


def filled(index: Index) -> Index:
    while (found := index.work()) is not None:
        index.take(found)
    return index


def targets(index: Index) -> list[str]:
    rows = [Row.of(index[number] + b"\n") for number in range(len(index))]
    return [row.target if row else "?" for row in rows]


@pytest.mark.parametrize("forward", [False, True])
@pytest.mark.parametrize("line", ["", "deny"])
def test_every_line_that_fits_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, forward: bool
) -> None:
    monkeypatch.setattr(index_module, "PIECE", 1500)
    monkeypatch.setattr(index_module, "READ", 100)
    path, chance, wanted = tmp_path / "log", random.Random(3), []
    path.touch()
    index = Index(path, Filter.parse(line, 0.0), forward=forward)
    for number in range(200):
        verdict = chance.choice(list(Verdict))
        target = f"{number} " + "x" * chance.choice((5, 50, 9000))
        write(path, record(target=target, verdict=verdict))
        if not line or verdict is Verdict.DENY:
            wanted.append(target)
        if chance.random() < 0.1:
            with open(path, "ab") as file:
                file.write(b"no record\n\n")
            if not line:
                wanted.append("?")
        if number == 100:
            index.close()
            index = Index(path, Filter.parse(line, 0.0), forward=forward)  # half of it is there already
        if number % 37 == 0 and number > 100 and (found := index.work()):
            index.take(found)
    filled(index)
    assert targets(index) == wanted
    assert index.complete and index.done == index.total and not index.behind()
    assert [index.place(number) for number in range(len(index))] == list(index.places())
    index.close()


def test_the_newest_come_first_and_what_comes_before_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "PIECE", 4000)
    path = tmp_path / "log"
    write(path, *(record(target=f"{number}") for number in range(50)))
    index = Index(path, Filter())
    found = index.work()
    assert found is not None and index.take(found) == len(index) > 2
    assert targets(index)[-1] == "49" and not index.complete and 0 < index.done < index.total
    write(path, record(target="50"))
    assert index.behind()
    found = index.work()
    assert found is not None and index.take(found) == 0 and targets(index)[-1] == "50"  # at once
    filled(index)
    assert targets(index) == [str(number) for number in range(51)]
    index.close()


def test_a_line_without_its_end_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    whole = record(target="one").to_line(session="s", agent="a", number=1)
    path.write_bytes(whole + whole[:40])
    index = filled(Index(path, Filter()))
    assert len(index) == 1 and index.work() is None
    with open(path, "ab") as file:
        file.write(whole[40:])
    assert targets(filled(index)) == ["one", "one"]
    index.close()


def test_it_begins_where_it_is_told_but_not_in_a_shorter_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, record(target="before"))
    begin = path.stat().st_size
    write(path, record(target="after"))
    index = filled(Index(path, Filter(), begin))
    assert targets(index) == ["after"] and not index.replaced()
    path.rename(tmp_path / "old")
    write(path, record(target="new"))
    assert index.replaced()
    index.close()
    path.write_bytes(b"")
    write(path, record(target="n"))
    assert targets(filled(Index(path, Filter(), begin))) == ["n"]


def test_a_call_has_what_its_processes_did() -> None:
    agent = Process(10, ("claude",), "/usr/bin/claude", 1)
    copy = Process(20, ("claude",), "/usr/bin/claude", 2)
    shell = Process(20, ("bash", "-c", "npm ci"), "/usr/bin/bash", 2)
    child = Process(30, ("bash", "-c", "npm ci"), "/usr/bin/bash", 3)
    again = Process(20, ("bash",), "/usr/bin/bash", 9)  # the same pid, later
    groups = Groups()
    for place, made in enumerate(
        (
            record(Kind.EXEC, "claude", chain=(agent,)),
            record(Kind.EXEC, "bash -c npm ci", chain=(copy, agent)),
            record(Kind.EXEC, "npm ci", chain=(child, shell, agent)),
            record(Kind.FS_WRITE, "/p/y", chain=(again, agent)),
            record(Kind.FS_WRITE, "/p/x", chain=(child, shell, agent), verdict=Verdict.DENY),
            record(Kind.NET_EGRESS, "a:1", chain=()),
        )
    ):
        row = Row.of(made.to_line(session="s", agent="a", number=place))
        assert row is not None
        groups.add(place, row)
    assert [(each.name, list(each.places), each.denied, each.agents) for each in groups.all] == [
        ("claude", [0], 0, True),
        ("bash -c npm ci", [1, 2, 4], 1, False),
        ("bash", [3], 0, False),
        ("nobody that is known", [5], 0, False),
    ]
