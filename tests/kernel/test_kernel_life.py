"""How a session lives and ends: what waits costs nothing and holds up nobody; nothing outlives its end."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

from harness import Run, World, alive, allow, deny, gone, wait


def test_what_waits_holds_up_nobody(worlds: World) -> None:
    """Three commands wait, 200 files are written meanwhile, and the answers come in another order."""
    script = (
        "for n in a b c; do (touch ../outside/$n; echo $n $?) & done\n"
        "i=0; while [ $i -lt 200 ]; do echo $i > file$i; i=$((i+1)); done; echo written; wait"
    )
    with worlds.start("sh", "-c", script, operator=wait) as run:
        run.says("written")
        run.until(lambda: len(run.asks) == 3, "three questions")
        assert len(list(worlds.project.glob("file*"))) == 200
        by_name = {Path(ask.target).name: ask for ask in run.asks}
        run.serve(1.0)
        assert list(worlds.outside.iterdir()) == []
        for name, verdict in (("c", "allow"), ("a", "deny"), ("b", "allow")):
            run.answer(by_name[name], verdict)
            run.says(f"{name} {int(verdict == 'deny')}")
        assert run.finish().status == 0
    assert sorted(path.name for path in worlds.outside.iterdir()) == ["b", "c"]


def ticks(pid: int) -> int:
    """Processor time of ``pid`` so far, in clock ticks (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_what_waits_costs_nothing(world: World) -> None:
    with world.start("sh", "-c", "echo x > ../outside/x", operator=wait) as run:
        run.asked("fs_write *")
        run.serve(0.3)
        before = [ticks(run.started[name]) for name in ("app", "warden", "pid")]
        time.sleep(1.5)
        spent = [
            ticks(run.started[name]) - was for name, was in zip(("app", "warden", "pid"), before, strict=True)
        ]
        assert max(spent) <= 5, spent  # 50 ms in 1,500
        run.close()


def lingering(world: World, run: Run) -> list[int]:
    """The processes of ``linger.c``, once it asks."""
    run.asked(f"fs_write {world.outside}/x")
    pids = [int(pid) for pid in re.findall(r"pid (\d+)", run.out)]
    assert len(pids) == 4 and all(map(alive, pids))
    return pids


def test_the_app_killed(worlds: World, gcc: str) -> None:
    program = worlds.compiled("linger")
    with worlds.start(program, worlds.outside / "x", operator=wait) as run:
        pids = lingering(worlds, run)
        run.kill_app()
        assert gone([*pids, run.started["warden"]]) == []
        assert not (worlds.outside / "x").exists() and "done" not in run.out


def test_the_warden_killed(worlds: World, gcc: str) -> None:
    program = worlds.compiled("linger")
    with worlds.start(program, worlds.outside / "x", operator=wait) as run:
        pids = lingering(worlds, run)
        os.kill(run.started["warden"], signal.SIGKILL)
        run.until(lambda: run.lost, "the app saying so")
        assert gone(pids) == []
        assert run.finish().status == 137
        assert not (worlds.outside / "x").exists() and "done" not in run.out


def test_both_killed(worlds: World, gcc: str) -> None:
    """Nobody is left to end the tree; it can still do nothing."""
    script = "import os, time\nprint('ready', flush=True)\ntime.sleep(1)\nopen('../outside/x', 'w')"
    command = [sys.executable, "-c", f"import os\nif os.fork(): os.wait()\n{script}"]
    with worlds.start(*command, operator=allow) as run:
        run.says("ready")
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and run_by(int(name), script)]
        assert pids
        os.kill(run.started["app"], signal.SIGSTOP)
        os.kill(run.started["warden"], signal.SIGKILL)
        run.kill_app()
        left = gone(pids, 3)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not (worlds.outside / "x").exists()


def run_by(pid: int, script: str) -> bool:
    try:
        return script in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return False


def test_the_agent_ends_and_its_daemons_with_it(worlds: World, gcc: str) -> None:
    program = worlds.compiled("linger")
    with worlds.start(program, worlds.project / "x", "end") as run:
        result = run.finish()
        pids = [int(pid) for pid in re.findall(r"pid (\d+)", result.out)]
        assert result.status == 0 and len(pids) == 4
        assert gone(pids) == []


def test_closing_ends_the_tree(worlds: World, gcc: str) -> None:
    program = worlds.compiled("linger")
    with worlds.start(program, worlds.outside / "x", operator=wait) as run:
        pids = lingering(worlds, run)
        run.close()
        assert gone([*pids, run.started["warden"]]) == []
        assert not (worlds.outside / "x").exists()


def test_who_is_gone_asks_no_more(worlds: World) -> None:
    script = (
        "sh -c 'echo x > ../outside/x' & pid=$!\n"
        "while ! [ -e go ]; do sleep 0.02; done; kill -9 $pid; sleep 8"
    )
    with worlds.start("sh", "-c", script, operator=wait) as run:
        ask = run.asked("fs_write *")
        worlds.file(worlds.project / "go")
        run.until(lambda: ask.number in run.withdrawn, "the question withdrawn")
        run.answer(ask, "allow")
        run.until(lambda: run.answers, "an answer to nobody")
        assert run.answers == [False]
        assert not (worlds.outside / "x").exists()
        run.close()


def test_a_process_may_hide_and_still_work(worlds: World) -> None:
    """PR_SET_DUMPABLE 0 (ssh-agent, gpg, browsers): the process could not be looked into any more."""
    script = (
        "import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
        "open('made', 'w')\nopen('../outside/made', 'w')"
    )
    result = worlds.run(sys.executable, "-c", script, operator=allow)
    assert result.status == 0 and result.targets == [f"fs_write {worlds.outside}/made"]


STORM = """\
import os, signal, sys, threading, time
count = 0
def heard(*_):
    global count
    count += 1
signal.signal(signal.SIGUSR1, heard)
me = os.getpid()
if not os.fork():
    for _ in range(300):
        os.kill(me, signal.SIGUSR1)
        time.sleep(0.002)
    os._exit(0)
os.open('../outside/made', os.O_CREAT | os.O_WRONLY)
os.wait()
print('signals', count > 0)
"""


def test_signals_make_no_second_question(worlds: World) -> None:
    with worlds.start(sys.executable, "-c", STORM, operator=wait) as run:
        ask = run.asked("fs_write *")
        run.serve(0.8)
        assert len(run.asks) == 1
        run.answer(ask, "allow")
        result = run.finish()
    assert result.out == "signals True\n" and (worlds.outside / "made").exists()


def test_one_answer_lets_a_process_finish(world: World) -> None:
    """Open, write, chmod, rename onto the same file: one question for what is one thing."""
    script = (
        "import os\nfd = os.open('../outside/f', os.O_CREAT | os.O_WRONLY)\nos.fchmod(fd, 0o600)\n"
        "os.utime('../outside/f')\nos.truncate('../outside/f', 3)\nos.unlink('../outside/f')\n"
    )
    result = world.run(sys.executable, "-c", script, operator=allow)
    assert result.status == 0 and result.targets == [f"fs_write {world.outside}/f"]


def test_statuses(worlds: World) -> None:
    for script, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)):
        assert worlds.run("sh", "-c", script).status == status


def test_a_command_that_is_not_there(world: World) -> None:
    with world.start("/no/such/program") as run:
        run.until(lambda: run.failed, "a word about it")
        assert run.failed.startswith("FileNotFoundError")


def test_the_agent_inherits_nothing(worlds: World) -> None:
    """Its three descriptors, default signals, no mask: nothing of the gate's."""
    script = (
        "import os, resource, signal\n"
        "print(sorted(int(n) for n in os.listdir('/proc/self/fd') if n != str(os.dup(0))))\n"
        "lines = open('/proc/self/status').read().split('\\n')\n"
        "print([l.split()[1] for l in lines if l.startswith(('SigBlk', 'SigIgn', 'CapInh', 'CapAmb'))])\n"
        "print([k for k in os.environ if k.startswith('AGENTGATE')], os.getcwd())\n"
    )
    result = worlds.run("sh", "-c", "ls /proc/self/fd | wc -l; grep -c . /dev/null; exec \"$@\"", "sh",
                        sys.executable, "-c", script)  # fmt: skip
    lines = result.out.split("\n")
    assert lines[0] == "4"  # and the one that ls reads
    ignored = "0000000001001000"  # Python itself ignores SIGPIPE and SIGXFSZ
    assert lines[3] == str(["0" * 16, ignored, "0" * 16, "0" * 16])
    assert lines[4] == f"['AGENTGATE'] {worlds.project}"


def test_a_policy_put_in_force(world: World) -> None:
    """A new policy answers what waits, and decides what comes."""
    script = "echo x > ../outside/one; echo x > ../outside/two; echo x > ../outside/three; true"
    with world.start("sh", "-c", script, operator=wait) as run:
        run.asked(f"fs_write {world.outside}/one")
        run.policy(
            "default: deny\nrules:\n- match: {action: exec}\n  decision: allow\n"
            f'- match: {{action: fs_write, target_glob: "{world.outside}/t*"}}\n  decision: allow\n'
        )
        result = run.finish()
    assert sorted(path.name for path in world.outside.iterdir()) == ["three", "two"]
    assert len(result.asks) == 1


def test_records_tell_who_what_and_why(worlds: World) -> None:
    result = worlds.run("sh", "-c", "sh -c 'echo x > ../outside/x; true'; true", operator=deny)
    [record] = [r for r in result.records if r["action"] == "fs_write"]
    assert record["target"] == f"{worlds.outside}/x" and record["cwd"] == str(worlds.project)
    assert (record["decision"], record["verdict"], record["source"]) == ("ask", "deny", "operator")
    assert (record["gate"], record["syscall"]) == ("kernel", "open")
    chain = [entry["argv"][0] for entry in record["chain"]]
    assert chain == ["sh", "sh"] and all(entry["start"] for entry in record["chain"])
    assert record["waited_ms"] >= 0
    logged = (worlds.root / "run" / "audit.jsonl").read_text().count("\n")
    assert logged >= len(result.records)


def warden_descriptors(run: Run) -> int:
    return len(os.listdir(f"/proc/{run.started['warden']}/fd"))


MISUSE = """\
import os, sys, time
from raw import CWD, EMPTY, FOLLOW, call, outcome
BAD, WR = 1, os.O_WRONLY  # no address of ours
def times(number):
    fd = os.open('.', os.O_RDONLY)
    file = os.open('file', os.O_RDONLY)
    for _ in range(number):
        for args in (
            ('setxattr', b'file', BAD, b'v', 1, 0), ('setxattr', b'file', b'user.a', BAD, 1, 0),
            ('setxattr', b'file', b'user.a', b'v', 1 << 20, 0), ('removexattr', b'file', BAD),
            ('setxattr', b'file', b'security.x', b'v', 1, 0), ('fsetxattr', file, BAD, b'v', 1, 0),
            ('utimensat', CWD, b'file', BAD, 0), ('utimensat', CWD, BAD, None, 0),
            ('renameat', CWD, b'file', CWD, BAD), ('linkat', CWD, b'file', CWD, BAD, 0),
            ('renameat', CWD, b'file', CWD, b'no/such'), ('linkat', fd, b'', CWD, BAD, EMPTY),
            ('mkdirat', CWD, b'file/x', 0), ('mkdirat', fd, BAD, 0), ('unlinkat', CWD, b'nosuch', 0),
            ('openat', CWD, b'nosuch', WR), ('openat', CWD, b'file', WR | os.O_CREAT | os.O_EXCL),
            ('openat', CWD, b'.', WR), ('openat', CWD, b'loop', WR | os.O_CREAT, 0o600),
            ('fchownat', CWD, b'file', -1, -1, 0x40000000), ('mknodat', CWD, b'x', 0o170000, 0),
            ('mknodat', CWD, b'dev', 0o020600, 259), ('execve', b'file', BAD, 0), ('execve', b'no', 0, 0),
            ('truncate', b'.', 0), ('truncate', b'file', -1), ('fchmod', 999, 0),
            ('fchmodat', CWD, b'no', 0), ('bind', file, BAD, 16), ('connect', file, BAD, 16),
            ('connect', 999, b'\\x02\\0', 2), ('symlinkat', BAD, CWD, b'x'),
            ('openat', CWD, b'/dev/null', WR | os.O_EXCL | os.O_CREAT, 0), ('mkdirat', CWD, b'..', 0),
            ('openat', CWD, b'../outside/no/x', WR | os.O_CREAT, 0), ('mkdirat', CWD, b'../outside', 0),
        ):
            result = outcome(lambda: call(*args))
            if result == 'ok' and args[0] == 'openat': raise SystemExit(f'{args} worked')
times(3)
print('warm', flush=True)
while not os.path.exists('go'): time.sleep(0.01)
times(20)
print('done', flush=True)
while not os.path.exists('end'): time.sleep(0.01)
"""


def test_errors_leave_nothing_open(world: World) -> None:
    """Calls that fail in every way there is cost the warden no descriptor."""
    world.file(world.project / "file", "x", 0o755)
    (world.project / "loop").symlink_to("loop")
    with world.start(sys.executable, "-c", MISUSE, operator=deny) as run:
        run.says("warm")
        run.serve(0.1)
        before = warden_descriptors(run)
        world.file(world.project / "go")
        run.says("done")
        run.serve(0.1)
        after = warden_descriptors(run)
        world.file(world.project / "end")
        assert run.finish().status == 0
    assert after <= before + 1
    assert run.notices == []


def test_asks_leave_nothing_open(world: World) -> None:
    script = (
        "for i in 1 2 3 4 5 6 7 8 9; do\n"
        "echo x > ../outside/$i; mkdir ../outside/d$i; mv ../outside/$i x; ln x ../outside/l$i\n"
        "done 2>/dev/null; echo done; while ! [ -e end ]; do sleep 0.02; done"
    )
    for operator in (deny, allow):
        (world.project / "end").unlink(missing_ok=True)
        with world.start("sh", "-c", script, operator=operator) as run:
            before = warden_descriptors(run)
            run.says("done")
            run.serve(1.5)  # processes that ended are forgotten once a second
            after = warden_descriptors(run)
            world.file(world.project / "end")
            run.finish()
        assert after <= before + 6  # a pidfd for each process that lives
