"""The writer against real files: nothing lost, nothing half, nothing written through a link."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import stat
import subprocess
import sys
import textwrap

import pytest

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.read import Log
from agentgate.audit.record import Record
from agentgate.audit.write import AuditWriter
from agentgate.gate.events import Decided, Event, Hub, Notice

pytestmark = pytest.mark.timeout(60)


def decided(target: str, count: int = 1) -> Decided:
    ruling = Ruling(Decision.ALLOW, Source.RULE, 1)
    answer = Answer(Verdict.ALLOW, Source.RULE, ruling)
    return Decided(
        tuple(Record(1.0, Action(Kind.EXEC, target), ruling, answer, 0, "shim") for _ in range(count))
    )


async def end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until(condition, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def targets(path) -> list[str]:
    return [entry.record.action.target for entry in Log(path)]


async def test_decisions_reach_the_file_while_the_session_runs(tmp_path):
    path = tmp_path / ".agentgate" / "audit.jsonl"
    hub, writer = Hub(), AuditWriter(path, session="s1", agent="bash")
    await writer.start()
    task = asyncio.create_task(writer.follow(hub.subscribe()))
    hub.post(Notice("not a decision"))
    hub.post(decided("ls"))
    hub.post(decided("pwd", 2))
    await until(lambda: writer.written == 3)
    assert targets(path) == ["ls", "pwd", "pwd"]
    assert [json.loads(line)["id"] for line in path.read_bytes().splitlines()] == [1, 2, 3]
    await end(task)
    await writer.close()
    await writer.close()


async def test_directory_and_file_are_private_and_kept_out_of_git(tmp_path):
    path = tmp_path / ".agentgate" / "audit.jsonl"
    writer = AuditWriter(path, session="s", agent="a")
    await writer.start()
    await writer.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (path.parent / ".gitignore").read_text() == "*\n"


async def test_a_directory_of_the_operators_own_gets_no_gitignore(tmp_path):
    writer = AuditWriter(tmp_path / "logs" / "deep" / "a.jsonl", session="s", agent="a")
    await writer.start()
    await writer.close()
    assert sorted(name.name for name in (tmp_path / "logs" / "deep").iterdir()) == ["a.jsonl"]


async def test_close_writes_what_was_posted_before_it(tmp_path):
    """Decisions that are queued when the follower is cancelled, also before its first step, are written."""
    path = tmp_path / "a.jsonl"
    hub, writer = Hub(), AuditWriter(path, session="s", agent="a")
    await writer.start()
    task = asyncio.create_task(writer.follow(hub.subscribe()))
    for number in range(1000):
        hub.post(decided(f"c{number}"))
    await end(task)  # never had a turn
    await writer.close()
    assert targets(path) == [f"c{number}" for number in range(1000)]


async def test_cancelled_in_the_middle_nothing_is_lost_or_doubled(tmp_path):
    path = tmp_path / "a.jsonl"
    hub, writer = Hub(), AuditWriter(path, session="s", agent="a")
    await writer.start()
    task = asyncio.create_task(writer.follow(hub.subscribe()))
    for number in range(3000):
        hub.post(decided(f"c{number}"))
        if number % 250 == 0:
            await asyncio.sleep(0)
    await end(task)
    hub.post(decided("last"))
    await writer.close()
    assert targets(path) == [f"c{number}" for number in range(3000)] + ["last"]


async def test_it_appends_and_mends_a_torn_last_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"time":1,"acti')
    hub, writer = Hub(), AuditWriter(path, session="s", agent="a")
    await writer.start()
    task = asyncio.create_task(writer.follow(hub.subscribe()))
    hub.post(decided("ls"))
    await end(task)
    await writer.close()
    log = Log(path)
    assert [entry.record.action.target for entry in log] == ["ls"]
    assert log.skipped == 1
    assert path.read_bytes().startswith(b'{"time":1,"acti\n{"v":2,')


async def refused(path) -> str:
    with pytest.raises(OSError) as caught:
        await AuditWriter(path, session="s", agent="a").start()
    text = str(caught.value)
    assert "\n" not in text and text.startswith("cannot write the audit log ")
    return text


async def test_a_planted_link_is_refused(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "a.jsonl").symlink_to(victim)
    assert "symbolic link" in await refused(tmp_path / "a.jsonl")
    assert victim.read_text() == "precious"


async def test_a_planted_directory_link_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".agentgate").symlink_to("elsewhere")
    assert "symbolic link" in await refused(tmp_path / ".agentgate" / "audit.jsonl")
    assert not list((tmp_path / "elsewhere").iterdir())


async def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in await refused(tmp_path / "fifo")
    assert "irectory" in await refused(tmp_path)
    (tmp_path / "file").write_text("")
    await refused(tmp_path / "file" / "audit.jsonl")


async def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path):
    """RLIMIT_FSIZE stands for the full disk: the kernel refuses the write (EFBIG, and short writes first)."""
    path = tmp_path / "a.jsonl"
    hub: Hub = Hub()
    events: asyncio.Queue[Event] = hub.subscribe()
    writer = AuditWriter(
        path, session="s", agent="a", complain=lambda text: hub.post(Notice(text, urgent=True)), retry=0.05
    )
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    await writer.start()
    task = asyncio.create_task(writer.follow(hub.subscribe()))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        for number in range(50):
            hub.post(decided(f"c{number}"))
        await until(lambda: writer.failed)
        assert str(path) in writer.failed
        assert path.stat().st_size == 1000  # ends within a line
        for number in range(50, 100):
            hub.post(decided(f"c{number}"))
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        await until(lambda: writer.written == 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    await end(task)
    await writer.close()
    assert not writer.failed
    log = Log(path)
    assert [entry.record.action.target for entry in log] == [f"c{number}" for number in range(100)]
    assert log.skipped == 0
    said = [event.text for event in iter_queue(events) if isinstance(event, Notice)]
    assert len(said) == 2 and "cannot be written" in said[0] and "again" in said[1]


def iter_queue(queue: "asyncio.Queue[Event]"):
    while not queue.empty():
        yield queue.get_nowait()


async def test_given_up_at_close_it_says_how_many(tmp_path):
    said: list[str] = []
    writer = AuditWriter(tmp_path / "a.jsonl", session="s", agent="a", complain=said.append, retry=0.01)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    await writer.start()
    hub = Hub()
    task = asyncio.create_task(writer.follow(hub.subscribe()))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        for _ in range(300):
            hub.post(decided("ls"))
        await end(task)
        await writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old)
    assert writer.failed
    assert said[-1].startswith("300 decisions could not be written")


def test_killed_in_the_middle_every_other_line_stays_whole(tmp_path):
    """SIGKILL while writing: what is in the file reads back, at most the last line is torn."""
    script = textwrap.dedent("""
        import asyncio, sys
        sys.path[:0] = sys.argv[2:]
        from pathlib import Path
        from agentgate.audit.write import AuditWriter
        from agentgate.gate.events import Hub
        from test_audit_write import decided
        async def main():
            hub, writer = Hub(), AuditWriter(Path(sys.argv[1]), session="s", agent="a")
            await writer.start()
            task = asyncio.create_task(writer.follow(hub.subscribe()))
            number = 0
            while True:
                hub.post(decided(f"c{number}"))
                number += 1
                await asyncio.sleep(0)
        asyncio.run(main())
    """)
    path = tmp_path / "a.jsonl"
    process = subprocess.Popen([sys.executable, "-c", script, str(path), os.path.dirname(__file__)])
    try:
        for _ in range(3000):
            if path.exists() and path.stat().st_size > 50_000:
                break
            assert process.poll() is None
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                pass
    finally:
        process.kill()
        process.wait(10)
    log = Log(path)
    seen = [entry.record.action.target for entry in log]
    assert len(seen) > 50
    assert seen == [f"c{number}" for number in range(len(seen))]
    assert log.skipped <= 1
