"""What outlives the agent: ended with it, or kept and gated where that is asked for."""

from __future__ import annotations

import os
import re
import time

from harness import Run, World, alive, gone, wait


def daemon(run: Run) -> int:
    run.says("daemon ")
    found = re.search(r"daemon (\d+)", run.out)
    assert found
    return int(found[1])


def go(world: World, number: int) -> None:
    world.file(world.project / f"go{number}")


def test_a_daemon_ends_with_the_agent(worlds: World) -> None:
    """Without the gate it lives on (the control)."""
    bare = worlds.bare("sh", "-c", 'exec "$@" >out 2>&1', "sh", *worlds.python("daemon", 3, "f"))
    pid = int((worlds.project / "out").read_text().split()[1])
    assert bare.status == 3 and alive(pid)
    go(worlds, 1)
    assert gone([pid]) == []
    assert (worlds.project / "f").exists()

    (worlds.project / "go1").unlink()
    with worlds.start(*worlds.python("daemon", 3, "g")) as run:
        pid = daemon(run)
        assert run.finish().status == 3
        assert gone([pid]) == [] and run.left is None
    assert not (worlds.project / "g").exists()


def test_a_daemon_is_kept_and_gated(worlds: World) -> None:
    steps = (worlds.outside / "denied", worlds.outside / "allowed", worlds.project / "free")
    with worlds.start(*worlds.python("daemon", 3, *steps), keep=True, operator=wait) as run:
        run.until(lambda: run.left, "the agent's end")
        pid = daemon(run)
        assert run.left == (3, 1) and alive(pid) and run.status is None and not alive(run.started["pid"])
        go(worlds, 1)
        ask = run.asked(f"fs_write {steps[0]}")
        assert ask.chain[0][0] == pid and "daemon.py" in ask.chain[0][1]
        run.answer(ask, "deny")
        run.says("not opened")
        go(worlds, 2)
        run.answer(run.asked(f"fs_write {steps[1]}"), "allow")
        run.says(f"opened {steps[1]}")
        assert run.status is None
        go(worlds, 3)
        result = run.finish()
    assert result.status == 3  # the agent's
    assert [step.exists() for step in steps] == [False, True, True]


def test_nobody_left_ends_the_session_at_once(worlds: World) -> None:
    with worlds.start("sh", "-c", "true; exit 4", keep=True) as run:
        start = time.monotonic()
        assert run.finish().status == 4
        assert run.left is None and time.monotonic() - start < 5


def test_closing_ends_what_was_kept(worlds: World) -> None:
    with worlds.start(*worlds.python("daemon", 3, worlds.outside / "f"), keep=True, operator=wait) as run:
        run.until(lambda: run.left, "the agent's end")
        pid = daemon(run)
        go(worlds, 1)
        run.asked("fs_write *")
        run.close()
        assert gone([pid, run.started["warden"]]) == [] and run.status == 3
    assert not (worlds.outside / "f").exists()


def test_what_was_kept_ends_with_the_app(worlds: World) -> None:
    with worlds.start(*worlds.python("daemon", 3, worlds.outside / "f"), keep=True, operator=wait) as run:
        run.until(lambda: run.left, "the agent's end")
        pid = daemon(run)
        run.kill_app()
        assert gone([pid, run.started["warden"]]) == []


def test_many_that_are_kept_leave_no_zombies(world: World) -> None:
    """The warden is their parent now, also of those that they leave."""
    script = "(while ! [ -e go1 ]; do sleep 0.05; done) & (sleep 0.1 & sleep 0.2 & exit 0) & exit 0"
    with world.start("sh", "-c", script, keep=True) as run:
        run.until(lambda: run.left, "the agent's end")
        run.serve(2.5)
        children = [
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if parent(pid) == run.started["warden"]
        ]  # fmt: skip
        assert [pid for pid in children if not alive(pid)] == []
        go(world, 1)
        assert run.finish().status == 0


def parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0
