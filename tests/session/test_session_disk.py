"""While decisions cannot be recorded, nothing is allowed; afterwards the record has no gap."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from session_kit import Desk, until

from agentgate.actions import Action, Kind, Source, Verdict
from agentgate.audit import write
from agentgate.gate.events import Notice

# Makes directory after directory, and goes on when it must not.
BUSY = """exec python3 -c '
import itertools, os, sys, time
for n in itertools.count():
    try:
        os.mkdir(f"d{n}")
    except OSError as error:
        print(error, file=sys.stderr, flush=True)
    time.sleep(0.02)
'"""
CONNECTION = Action(Kind.NET_EGRESS, "a.example:443")
POLICY = """\
default: ask
rules:
  - match: {action: exec, target_glob: "cp *"}
    decision: ask
  - match: {action: exec}
    decision: allow
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    made.policy.write_text(POLICY)
    return made


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    libc = ctypes.CDLL(None, use_errno=True)
    where = tmp_path / "disk"
    where.mkdir()
    if libc.mount(b"tmpfs", bytes(where), b"tmpfs", 0, b"size=256k"):
        pytest.skip(f"not here: mounting ({os.strerror(ctypes.get_errno())})")
    yield where
    libc.umount2(bytes(where), 2)


def fill(where: Path) -> Path:
    filler = where / "filler"
    with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1024))
    return filler


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """The same for everybody: RLIMIT_FSIZE refuses every write of this process to a file (EFBIG)."""
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)


def made(desk: Desk) -> set[str]:
    return {path.name for path in desk.project.glob("d[0-9]*")}


def complete(desk: Desk) -> None:
    """Every line is there, and every directory that was made has its line."""
    record = desk.record()
    assert [line["id"] for line in record] == list(range(1, len(record) + 1))
    allowed = {
        os.path.basename(line["target"])
        for line in record
        if line["verdict"] == "allow" and line["syscall"] == "mkdir"
    }
    assert made(desk) == allowed


async def nothing_more(desk: Desk, seconds: float = 1.0) -> None:
    """Nothing is made for so long, though the agent tries all the time."""
    before, words = made(desk), len(desk.err)
    await asyncio.sleep(seconds)
    assert made(desk) == before and len(desk.err) > words


async def test_a_full_disk_denies_until_there_is_room(desk: Desk, small_disk: Path) -> None:
    desk.audit = small_disk / "audit.jsonl"
    async with desk.running(BUSY) as session:
        await until(lambda: len(made(desk)) > 5)
        filler = fill(small_disk)
        await until(lambda: session.audit.failed)
        await until(lambda: "the record cannot be written: No space left on device" in desk.err)
        await nothing_more(desk)
        [notice] = [text for text in desk.notices() if "audit log" in text]
        assert "nothing is allowed" in notice and "No space left on device" in notice
        count = len(made(desk))
        filler.unlink()
        await until(lambda: not session.audit.failed and len(made(desk)) > count + 5)
        assert any("written again" in text for text in desk.notices())
    complete(desk)
    reasons = {line["reason"] for line in desk.record() if line["verdict"] == "deny"}
    assert reasons == {"the record cannot be written: No space left on device"}


async def test_nor_does_the_operator_allow_what_cannot_be_recorded(desk: Desk) -> None:
    (desk.project / "a").write_text("a")
    async with desk.running("mkdir d0; cp a b; echo $? >&2; sleep 60") as session:
        ask = await desk.asked()
        with no_room():
            session.gate.refuse(ask.action, "kernel", "something to be recorded")
            await until(lambda: session.audit.failed)
            assert session.gate.answer(ask.number, Verdict.ALLOW)
            await desk.heard(lambda event: isinstance(event, Notice))
            answer = await session.agents[0]._decide_connection(ask.action)
            assert (answer.verdict, answer.source) == (Verdict.DENY, Source.GATE)
            await until(lambda: "126" in desk.err)
            await asyncio.sleep(0.2)
        await until(lambda: not session.audit.failed)
    assert not (desk.project / "b").exists()
    assert "the record cannot be written: File too large" in desk.err
    complete(desk)
    assert [line["verdict"] for line in desk.record() if line["target"] == "cp a b"] == ["deny"] * 3


async def test_when_too_much_waits_for_the_disk_all_waits(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refusals are decisions too: they must not fill the memory instead of the disk."""
    monkeypatch.setattr(write, "KEPT", 20_000)
    async with desk.running(BUSY) as session:
        await until(lambda: len(made(desk)) > 2)
        with no_room():
            await until(lambda: session.audit._said[1])
            await asyncio.sleep(0.3)
            before, words = made(desk), len(desk.err)
            await asyncio.sleep(1)
            assert made(desk) == before and len(desk.err) == words
            assert len(session.audit._lines) < 200_000
            waiting = asyncio.create_task(session.gate.decide(CONNECTION, "proxy"))
            await asyncio.sleep(0.1)
            assert not waiting.done()
        await until(lambda: len(made(desk)) > len(before) + 3)
        waiting.cancel()
    complete(desk)


async def test_closing_does_not_wait_for_a_disk_that_stays_full(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "KEPT", 1000)
    async with desk.running(BUSY) as session:
        await until(lambda: made(desk))
        with no_room():
            await until(lambda: session.audit._said[1])
            begun = time.monotonic()
            await session.close()
            assert time.monotonic() - begun < 10
    assert any("could not be written to the audit log" in text for text in desk.notices())


@pytest.mark.parametrize("how", ["removed", "its directory removed", "moved away", "replaced"])
async def test_a_log_that_is_taken_away_goes_on_where_it_was(desk: Desk, how: str) -> None:
    async with desk.running(BUSY) as session:
        await until(lambda: session.audit.written > 5)
        old = desk.audit.with_name("old")
        if how == "moved away":
            desk.audit.rename(old)
        elif how == "replaced":
            other = desk.audit.with_name("other")
            other.write_text("")
            other.rename(desk.audit)
        else:
            for path in [desk.audit, *desk.audit.parent.iterdir()][: 1 if how == "removed" else None]:
                path.unlink(missing_ok=True)
            if how != "removed":
                desk.audit.parent.rmdir()
        await until(lambda: desk.audit.exists() and desk.audit.stat().st_size > 5000)
        said = f": {desk.audit}"
        await until(lambda: any("audit log was" in text and said in text for text in desk.notices()))
    if how == "moved away":
        desk.audit.write_bytes(old.read_bytes() + desk.audit.read_bytes())
    complete(desk)


async def test_a_link_in_the_place_of_the_log_stops_everything(desk: Desk, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    async with desk.running(BUSY) as session:
        await until(lambda: session.audit.written > 5)
        desk.audit.unlink()
        desk.audit.symlink_to(victim)
        await until(lambda: session.audit.failed)
        await until(lambda: "the record cannot be written" in desk.err)
        await nothing_more(desk)
        desk.audit.unlink()
        await until(lambda: not session.audit.failed)
    assert victim.read_text() == "mine\n"
    complete(desk)
