"""The gate itself: out of reach of what it holds, and not to be worn down by it."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import statistics
import sys
import time
from pathlib import Path

import pytest
from harness import AGENTS, OPEN_POLICY, World, allow, deny, gone, wait

PATIENCE = 60.0

# Runs grip.py on the warden, the app and whoever is named.
REACH = """
import os, sys
warden = os.getppid()
app = open(f"/proc/{warden}/stat").read().rpartition(")")[2].split()[1]
os.execv(sys.executable, [sys.executable, sys.argv[1], f"{warden},{app},{sys.argv[2]}", "gated"])
"""


def posture(pid: int) -> dict[str, object]:
    """How ``pid`` runs, seen from outside."""
    here = Path(f"/proc/{pid}")
    status = here.joinpath("status").read_text()
    found: dict[str, object] = {
        "nice": os.getpriority(os.PRIO_PROCESS, pid),
        "processors": os.sched_getaffinity(pid),
        "scheduler": os.sched_getscheduler(pid),
        "stopped": "T (stopped)" in status or "t (tracing" in status,
        "traced": re.findall(r"TracerPid:\s+(\d+)", status),
        "pending": re.findall(r"S(?:ig|hd)Pnd:\s+(\w+)", status),
    }
    for name in ("limits", "oom_score_adj", "comm", "coredump_filter", "timerslack_ns", "autogroup"):
        with contextlib.suppress(OSError):
            found[name] = here.joinpath(name).read_text()
    return found


def test_nobody_outside_can_be_slowed_stopped_or_read(worlds: World) -> None:
    with contextlib.ExitStack() as last:

        def other() -> int:
            process = worlds.worker.spawn(["sleep", "300"], start_new_session=True)
            last.callback(process.wait)
            last.callback(process.kill)
            return process.pid

        victim = other()
        bare = worlds.bare(*worlds.python("grip", victim)).json
        failed = {name for name, came in bare.items() if came != "done"}
        assert len(failed) < 7 and not gone([victim]), bare  # a name, memory at 4096...

        victim = other()
        stopped = other()
        os.kill(stopped, signal.SIGSTOP)
        command = (sys.executable, "-c", REACH, AGENTS / "grip.py", f"{victim},{stopped}")
        with worlds.start(*command, operator=allow, policy=OPEN_POLICY) as run:
            outside = [run.started["warden"], run.started["app"], victim, stopped]
            before = {pid: posture(pid) for pid in outside}
            run.says("}", PATIENCE)
            after = {pid: posture(pid) for pid in outside}
            (worlds.project / "go").touch()
            result = run.finish()
        done = {key for key, came in result.json.items() if came == "done"}
        tried = {key.partition(" ")[2] for key in result.json}
        assert len(tried) > 25
        for pid in after:
            assert after[pid] == before[pid], result.json
        for pid in (run.started["app"], victim, stopped):
            # /proc lists what is open to whoever has the same user, but lets nobody open it; kill(-1)
            # reaches the session only
            assert {key for key in done if key.startswith(f"{pid} ")} <= {
                f"{pid} descriptors", f"{pid} everybody"
            }  # fmt: skip
        assert result.status == 0 and not result.asks


def test_the_wardens_files_in_proc_are_not_the_agents(worlds: World) -> None:
    """Names in /proc that mean "myself" are spelled out; the warden's own number is not among them."""
    script = "for f in oom_score_adj comm coredump_filter; do echo 99 > /proc/$PPID/$f; done; read x < go"
    go = worlds.project / "go"
    os.mkfifo(go)
    worlds.give(go)
    with worlds.start("sh", "-c", script, operator=allow, policy=OPEN_POLICY) as run:
        before = posture(run.started["warden"])
        time.sleep(0.5)
        assert posture(run.started["warden"]) == before
        go.open("w").write("\n")
        run.finish()


def test_a_terminals_number_is_the_sessions_only_as_long_as_its_terminal(worlds: World) -> None:
    """The operator opens a new terminal, which gets the number of one that the agent had."""
    with contextlib.ExitStack() as last, worlds.start(*worlds.python("terminals")) as run:
        run.says("/dev/pts/")
        name = run.out.strip()
        assert not run.asks
        for _ in range(64):
            master, slave = os.openpty()
            last.callback(os.close, master)
            last.callback(os.close, slave)
            if os.ttyname(slave) == name:
                break
        else:
            pytest.skip(f"not here: {name} to open again")
        os.fchmod(slave, 0o666)  # as far as the file's mode goes, anybody may write
        os.set_blocking(master, False)
        (worlds.project / "go").touch()
        result = run.finish()
        assert "EACCES" in result.out and f"fs_write {name}" in result.targets
        with pytest.raises(BlockingIOError):
            os.read(master, 100)


def test_thousands_of_held_calls_delay_no_answer(world: World) -> None:
    """One program holds two thousand calls; another one's answer comes through as fast as without them."""
    many = 2000

    def latency(run, folder: Path) -> list[float]:  # type: ignore[no-untyped-def]
        """Seconds from the verdict to the deed, for ten of the pending questions."""
        found = []
        for ask in [ask for ask in run.asks if ask.target.startswith(str(folder))][:10]:
            begun = time.monotonic()
            run.answer(ask, "allow")
            while not os.path.exists(ask.target):
                assert time.monotonic() < begun + 10
                time.sleep(0.0005)
            found.append(time.monotonic() - begun)
        return found

    few = world.outside / "few"
    few.mkdir()
    with world.start(*world.python("storm", "threads", 10, few), operator=wait) as run:
        run.until(lambda: len(run.asks) == 10, "ten questions")
        usual = statistics.median(latency(run, few))
    with world.start(*world.python("storm", "threads", many, world.outside), operator=wait) as run:
        warden = run.started["warden"]
        run.until(lambda: len(run.asks) == many, "all questions", PATIENCE)
        assert statistics.median(latency(run, world.outside)) < 10 * usual + 0.05
        before, begun = processor_seconds(warden), time.monotonic()
        run.serve(2)
        assert (processor_seconds(warden) - before) / (time.monotonic() - begun) < 0.2
        assert memory(warden) < 100 << 20
        begun = time.monotonic()
        os.kill(run.started["pid"], signal.SIGKILL)  # all of them wait no more
        run.until(lambda: run.status is not None, "the end", PATIENCE)
        run.close(PATIENCE)
        assert time.monotonic() - begun < 20
    assert len(list(world.outside.glob("d*"))) == 10


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def below(pid: int) -> list[int]:
    """Every descendant of ``pid``."""
    parents: dict[int, int] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return sorted(found - {pid})


@pytest.mark.parametrize("end", ["closed", "the app is killed"])
def test_a_fork_bomb_of_held_calls_ends_with_the_session(world: World, end: str) -> None:
    count = 256
    with world.start(*world.python("storm", "bomb", 8, world.outside), operator=wait) as run:
        warden = run.started["warden"]
        run.until(lambda: len(run.asks) >= count // 2, "half of the questions", PATIENCE)
        run.serve(1)
        pids = below(warden)
        assert len(pids) >= count // 2
        ask = run.asks[0]
        begun = time.monotonic()
        run.answer(ask, "allow")
        run.until(lambda: os.path.isdir(ask.target), "the deed", 10)
        assert time.monotonic() - begun < 3
        begun = time.monotonic()
        if end == "closed":
            run.close(PATIENCE)
        else:
            run.kill_app()
        left = gone([*pids, warden], 10)
        assert not left and time.monotonic() - begun < 15
    assert len(list(world.outside.iterdir())) == 1


def test_what_cannot_be_told_to_the_app_is_not_done(world: World) -> None:
    """An app that is stopped takes no records. The warden goes on deciding for a bounded number of them,
    and not in unbounded memory; afterwards nothing is missing."""
    with world.start(*world.python("storm", "loop", world.project), operator=deny) as run:
        run.says("200", PATIENCE)
        warden, app = run.started["warden"], run.started["app"]

        def progress() -> int:
            return int((run.out.strip().splitlines() or ["0"])[-1])

        os.kill(app, signal.SIGSTOP)
        try:
            before, held, still = progress(), memory(warden), 0
            end = time.monotonic() + PATIENCE
            while still < 10:
                assert time.monotonic() < end, "it goes on"
                time.sleep(0.2)
                now = progress()
                still = still + 1 if now == before else 0
                before = now
            assert memory(warden) - held < 30 << 20
        finally:
            os.kill(app, signal.SIGCONT)
        run.until(lambda: progress() > before + 200, "that it goes on", PATIENCE)
        run.close(PATIENCE)
    made = [row for row in run.records if row["syscall"] == "mkdir" and row["verdict"] == "allow"]
    assert len(made) >= progress() // 2
