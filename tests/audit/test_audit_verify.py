"""Any edit, removal or reordering of what was written is found, and told where."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.chain import Chain, unlink
from agentgate.audit.heads import Head, Heads
from agentgate.audit.place import parts
from agentgate.audit.record import Record
from agentgate.audit.verify import Outcome, verify
from agentgate.audit.write import AuditWriter
from agentgate.gate.events import Decided, Hub


def record(target: str) -> Record:
    ruling = Ruling(Decision.ALLOW, Source.DEFAULT)
    action = Action(Kind.EXEC, target, (target,), "/")
    return Record(1700000000.5, action, ruling, Answer(Verdict.ALLOW, Source.DEFAULT, ruling), 0, "kernel")


class Place:
    """A log and the state directory beside it."""

    def __init__(self, folder: Path) -> None:
        self.log, self.state = folder / "audit.jsonl", folder / "state"

    @property
    def heads(self) -> Heads:
        return Heads(self.state)

    async def session(self, name: str, count: int, heads: bool = True) -> None:
        hub = Hub()
        writer = AuditWriter(self.log, session=name, agent="a", heads=self.heads if heads else None)
        await writer.start()
        task = asyncio.create_task(writer.follow(hub.subscribe()))
        for number in range(count):
            hub.post(Decided((record(f"{name} {number}"),)))
        while writer.written < count:
            await asyncio.sleep(0.01)
        task.cancel()
        await writer.close()

    @property
    def lines(self) -> list[bytes]:
        return self.log.read_bytes().splitlines(keepends=True)

    @lines.setter
    def lines(self, lines: list[bytes]) -> None:
        self.log.write_bytes(b"".join(lines))

    def verify(self) -> Outcome:
        return verify(self.log, self.heads)

    def faults(self) -> list[tuple[int, str]]:
        return [(fault.line, fault.what) for fault in self.verify().faults]


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    await place.session("one", 5)
    await place.session("two", 3)
    return place


async def test_what_was_written_verifies(place: Place) -> None:
    outcome = place.verify()
    assert outcome.good
    assert (outcome.records, outcome.sessions, outcome.unsigned, outcome.old, outcome.torn) == (
        8,
        2,
        0,
        0,
        [],
    )
    assert json.loads(place.lines[0])["v"] == 2
    assert stat.S_IMODE((place.state / "audit.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((place.state / "heads" / "one").stat().st_mode) == 0o600


async def test_an_edit_is_found(place: Place) -> None:
    lines = place.lines
    lines[2] = lines[2].replace(b'"one 2"', b'"one X"')
    place.lines = lines
    assert place.faults() == [(3, "record 3 of session one was changed, or what stood before it")]


async def test_an_edit_with_all_hashes_made_anew_is_found(place: Place) -> None:
    chain, lines = Chain("one"), []
    for line in place.lines[:5]:
        linked = unlink(line)
        assert linked
        lines.append(chain.link(linked.body.replace(b'"one 2"', b'"one X"') + b"}\n"))
    place.lines = lines + place.lines[5:]
    assert place.faults() == [(0, "session one has another record 5 than the one that was signed")]


async def test_a_removed_record_is_found(place: Place) -> None:
    place.lines = place.lines[:1] + place.lines[3:]
    assert place.faults() == [(2, "records 2 to 3 of session one are missing before this")]


async def test_the_first_removed_is_found(place: Place) -> None:
    place.lines = place.lines[1:]
    assert place.faults() == [(1, "record 1 of session one is missing before this")]


async def test_the_last_removed_is_found(place: Place) -> None:
    place.lines = place.lines[:-2]
    assert place.faults() == [(0, "the last 2 records of session two are missing")]


async def test_a_removed_session_is_found(place: Place) -> None:
    place.lines = place.lines[5:]
    assert place.faults() == [(0, "session one is missing with all its records (5)")]


async def test_reordering_is_found(place: Place) -> None:
    lines = place.lines
    lines[1], lines[2] = lines[2], lines[1]
    place.lines = lines
    assert [line for line, _ in place.faults()] == [2, 3, 4]


async def test_a_repeated_record_is_found(place: Place) -> None:
    place.lines = place.lines[:2] + place.lines[1:]
    assert place.faults()[0] == (3, "record 2 of session one is not where it was written")


async def test_a_lost_hash_is_found(place: Place) -> None:
    lines = place.lines
    data = json.loads(lines[1])
    del data["hash"]
    lines[1] = json.dumps(data).encode() + b"\n"
    place.lines = lines
    assert place.faults()[0] == (2, "record 2 of session one has lost its hash")


async def test_a_changed_head_is_found(place: Place) -> None:
    path = place.state / "heads" / "two"
    data = json.loads(path.read_bytes())
    path.write_text(json.dumps(data | {"id": 2}))
    assert place.faults() == [(0, "the head of session two was changed: its signature is wrong")]


async def test_a_head_of_another_session_is_no_head_of_this(place: Place) -> None:
    folder = place.state / "heads"
    (folder / "two").write_bytes((folder / "one").read_bytes())
    assert place.faults() == [(0, "the head of session two was changed: its signature is wrong")]


async def test_without_the_key_nothing_is_claimed(place: Place) -> None:
    (place.state / "audit.key").unlink()
    with pytest.raises(FileNotFoundError):
        place.verify()


async def test_what_is_torn_or_old_is_counted_and_no_fault(place: Place) -> None:
    old = record("x").to_line(session="zero", agent="a", number=1)
    torn = place.lines[7][:-20] + b"\n"
    place.lines = [old, *place.lines, b"\n", b'{"other": 1}\n']
    await place.session("three", 2, heads=False)
    with open(place.log, "ab") as file:
        file.write(torn)
    outcome = place.verify()
    assert outcome.good
    assert (outcome.records, outcome.old, outcome.torn, outcome.unsigned) == (
        10,
        1,
        [(place.log, 11), (place.log, 14)],
        2,
    )


async def test_records_behind_the_last_head_are_said_to_be(place: Place) -> None:
    first = place.verify()
    heads = place.heads
    linked = unlink(place.lines[3])
    assert linked
    heads.write(Head("one", str(place.log.resolve()), 4, linked.hash.hex(), 1.0))
    assert first.unsigned == 0
    outcome = place.verify()
    assert outcome.good
    assert outcome.unsigned == 1


async def test_a_long_log_is_put_away_and_the_chain_goes_on(tmp_path: Path) -> None:
    place = Place(tmp_path)
    hub, said = Hub(), []
    writer = AuditWriter(
        place.log, session="one", agent="a", heads=place.heads, rotate=1500, complain=said.append
    )
    await writer.start()
    task = asyncio.create_task(writer.follow(hub.subscribe()))
    for number in range(20):
        writer._looked = float("-inf")  # it looks at every write, not once a second
        hub.post(Decided((record(f"one {number}"),)))
        while writer.written <= number:
            await asyncio.sleep(0.002)
    task.cancel()
    await writer.close()
    assert said == []
    files = parts(place.log)
    assert len(files) >= 4
    assert [path.name for path in files[:2]] == ["audit.1.jsonl", "audit.2.jsonl"]
    assert all(path.stat().st_size < 2200 for path in files)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert (place.verify().good, place.verify().records) == (True, 20)
    await place.session("two", 2)
    assert (place.verify().good, place.verify().records) == (True, 22)

    lines = files[1].read_bytes().splitlines(keepends=True)
    files[1].write_bytes(b"".join(lines[:1] + lines[2:]))
    fault = place.verify().faults[0]
    assert fault.log in files[1:3]
    assert fault.what.startswith("record ")
    files[0].unlink()
    assert place.verify().faults[0].what.endswith("of session one are missing before this")


async def test_other_logs_have_their_own_heads(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path)
    other.log = tmp_path / "other.jsonl"
    await other.session("three", 2)
    assert place.verify().good
    assert other.verify().records == 2


async def test_a_state_directory_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    place, said = Place(tmp_path), []
    place.state.write_text("no directory")
    writer = AuditWriter(place.log, session="s", agent="a", complain=said.append, heads=place.heads)
    hub = Hub()
    await writer.start()
    task = asyncio.create_task(writer.follow(hub.subscribe()))
    hub.post(Decided((record("x"),)))
    while writer.written < 1:
        await asyncio.sleep(0.01)
    task.cancel()
    await writer.close()
    assert len(place.lines) == 1
    assert len(said) == 1
    assert said[0].startswith("the end of the audit log cannot be signed")


@given(st.lists(st.text(max_size=8), min_size=2, max_size=6), st.data())
def test_no_single_byte_can_be_changed(targets: list[str], data: st.DataObject) -> None:
    chain = Chain("s")
    lines = [
        chain.link(record(target).to_line(session="s", agent="a", number=number))
        for number, target in enumerate(targets, 1)
    ]
    place = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[place]) - 2))
    before = lines[place][at : at + 1]
    other = bytes([data.draw(st.integers(32, 126))])
    assume(other.lower() != before.lower())  # a hexadecimal digit's case says the same
    lines[place] = lines[place][:at] + other + lines[place][at + 1 :]
    follower, right = Chain("s"), True
    for line in lines:
        linked = unlink(line)
        right = linked is not None and follower.follows(linked) and right
    assert not right or follower.head != chain.head


async def test_old_heads_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgate.audit.heads.KEPT", 2)
    heads = Heads(tmp_path)
    for number, name in enumerate(("a", "b", "c", "d")):
        heads.write(Head(name, "/log", 1, "00", 1.0))
        os.utime(tmp_path / "heads" / name, (number, number))
    heads.prune()
    assert sorted(os.listdir(tmp_path / "heads")) == ["c", "d"]
