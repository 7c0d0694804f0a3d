"""Starting and ending an agent behind the portable gate."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
import termios
from pathlib import Path

import pytest
from shim_agent import ECHO, PATIENCE, World, alive, make_gate

from agentgate.actions import Verdict
from agentgate.gate.entrance import Entrance
from agentgate.intercept.backend import GateUnavailable, Launch
from agentgate.intercept.shim import tree
from agentgate.intercept.shim.backend import ShimBackend

ALLOW = "default: allow"


async def until(path: Path, lines: int = 1) -> list[int]:
    """The numbers in a file, once it has that many lines."""
    async with asyncio.timeout(PATIENCE):
        while not path.exists() or len(path.read_text().split()) < lines:
            await asyncio.sleep(0.01)
    return [int(word) for word in path.read_text().split()]


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 255", 255), ("kill -TERM $$", 143)])
async def test_the_exit_status_is_the_agents(world: World, script: str, status: int) -> None:
    async with world.agent(make_gate(ALLOW, world.project), "sh", "-c", script) as agent:
        assert await agent.status() == status
        assert await agent.status() == status  # more than one may wait


async def test_the_agent_runs_in_its_directory_with_its_own_pid(world: World) -> None:
    async with world.agent(make_gate(ALLOW, world.project), "sh", "-c", "echo $$; pwd") as agent:
        assert await agent.status() == 0
    assert world.out.decode() == f"{agent.pid}\n{world.project}\n"


@pytest.mark.parametrize("command", ["no-such-program", "./no-such-program", "/no/such/program", ""])
async def test_a_command_that_does_not_exist(world: World, command: str) -> None:
    with pytest.raises(FileNotFoundError, match="no such program") as caught:
        async with world.agent(make_gate(ALLOW, world.project), command):
            pass
    assert caught.value.filename == command


async def test_a_command_that_cannot_be_executed(world: World) -> None:
    world.tool("agent", "").chmod(0o644)
    with pytest.raises(PermissionError, match="not executable"):
        async with world.agent(make_gate(ALLOW, world.project), "agent"):
            pass
    world.tool("agent", "#!/no/such/interpreter\n")
    with pytest.raises(FileNotFoundError):
        async with world.agent(make_gate(ALLOW, world.project), "agent"):
            pass


async def test_a_failed_start_leaves_nothing(world: World) -> None:
    world.tool("agent", "#!/no/such/interpreter\n")
    runtime = world.base / "run"
    runtime.mkdir()
    for command in ("agent", "no-such-program"):
        with pytest.raises(FileNotFoundError):
            async with world.agent(
                make_gate(ALLOW, world.project), command, env={**world.env(), "XDG_RUNTIME_DIR": str(runtime)}
            ):
                pass
    assert not list(runtime.iterdir())


async def test_relative_commands_are_the_projects(world: World) -> None:
    (world.project / "agent.sh").write_text("#!/bin/sh\necho here\n")
    (world.project / "agent.sh").chmod(0o755)
    async with world.agent(make_gate(ALLOW, world.project), "./agent.sh") as agent:
        assert await agent.status() == 0
    assert world.out == b"here\n"


async def test_the_agent_has_its_terminal(world: World) -> None:
    """A session of its own with the pty as controlling terminal: ^C reaches it, hang-up too."""
    backend = ShimBackend(Entrance(make_gate(ALLOW, world.project), "test"))
    master, slave = pty.openpty()
    try:
        termios.tcsetwinsize(slave, (33, 101))
        script = "ps -o pid=,pgid=,sid= -p $$ >ids; stty size </dev/tty >size; echo $$ >pid; sleep 60"
        pid = await backend.start(
            Launch(("bash", "-c", script), str(world.project), world.env(), (slave, slave, slave), True)
        )
        os.close(slave)
        slave = -1
        await until(world.project / "pid")
        assert (world.project / "ids").read_text().split() == [str(pid)] * 3
        assert (world.project / "size").read_text() == "33 101\n"
        os.write(master, b"\x03")
        assert await asyncio.wait_for(backend.wait(), PATIENCE) == 128 + signal.SIGINT
    finally:
        await backend.stop()
        os.close(master)
        if slave >= 0:
            os.close(slave)


async def test_stop_ends_the_whole_tree_daemons_too(world: World) -> None:
    script = """
        sh -c 'trap "" HUP TERM; echo $$ >>pids; sleep 100' &
        setsid sh -c 'echo $$ >>pids; sleep 100' &
        (setsid sh -c 'sh -c "trap \\"\\" HUP; echo \\$\\$ >>pids; sleep 100" & ' &)
        sh -c 'echo $$ >>pids; kill -STOP $$' &
        echo $$ >>pids; wait
    """
    async with world.agent(make_gate(ALLOW, world.project), "sh", "-c", script) as agent:
        pids = await until(world.project / "pids", 5)
        assert all(map(alive, pids)) and agent.pid in pids
    async with asyncio.timeout(PATIENCE):
        while any(map(alive, pids)):
            await asyncio.sleep(0.01)
    await agent.backend.stop()  # again is no harm


async def test_stop_ends_only_the_agents_tree(world: World) -> None:
    neighbour = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        async with world.agent(make_gate(ALLOW, world.project), "sleep", "60") as agent:
            assert alive(agent.pid)
        assert not alive(agent.pid) and alive(neighbour.pid)
    finally:
        neighbour.kill()
        await neighbour.wait()


def test_a_later_process_with_the_agents_pid_is_not_the_agent() -> None:
    processes = {
        5: tree.Found(5, 1, 5, start=200),  # another one, leader of its own session
        6: tree.Found(6, 5, 5, start=201),
        7: tree.Found(7, 1, 4, start=90),
    }
    assert tree.find(processes, tree.Found(5, 1, 5, start=100), b"no such mark") == set()
    assert tree.find(processes, tree.Found(5, 1, 5, start=200), b"no such mark") == {
        processes[5],
        processes[6],
    }
    # the agent is gone, a process of its session is not
    assert tree.find(processes, tree.Found(4, 1, 4, start=80), b"no such mark") == {processes[7]}


@pytest.mark.skipif(not os.access("/bin/ps", os.X_OK), reason="ps is not installed")
def test_processes_are_found_without_proc_too() -> None:
    ours = {pid: (found.parent, found.session) for pid, found in tree._elsewhere().items()}
    known = tree.snapshot()
    for pid in (os.getpid(), os.getppid()):
        assert ours[pid] == (known[pid].parent, known[pid].session)


async def test_the_shims_are_private_and_gone_afterwards(world: World) -> None:
    world.tool("rsync", ECHO)
    world.tool("no-shim-for-this", ECHO)
    async with world.agent(make_gate(ALLOW, world.project), "sh", "-c", "echo $PATH; sleep 60") as agent:
        async with asyncio.timeout(PATIENCE):
            while not world.out:
                await asyncio.sleep(0.01)
        shims = Path(world.out.decode().split(":")[0])
        assert shims.stat().st_mode & 0o777 == shims.parent.stat().st_mode & 0o777 == 0o700
        names = {path.name for path in shims.iterdir()}
        assert "rsync" in names
        assert not names & {"no-shim-for-this", "sh", "bash", "env", "xargs"}
        assert alive(agent.pid)
    assert not shims.parent.exists()


async def test_no_place_for_the_shims_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = world.base / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    monkeypatch.setenv("HOME", str(deep))
    with pytest.raises(GateUnavailable, match="too long a path for a socket"):
        async with world.agent(make_gate(ALLOW, world.project), "true"):
            pass


CONTROL_ROOM = """
import asyncio, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from shim_agent import World, make_gate, Asked
async def main():
    world = World.__new__(World)
    world.base = Path(sys.argv[1]); world.project = world.base / "project"; world.tools = world.base / "tools"
    async with world.agent(make_gate("default: ask", world.project), "sh", "-c", sys.argv[2]) as agent:
        await agent.asked()
        print(agent.pid, flush=True)
        await asyncio.sleep(100)
asyncio.run(main())
"""


async def test_a_killed_control_room_denies_what_was_pending_and_ends_the_agent(world: World) -> None:
    world.tool("npm", "#!/bin/sh\ntouch ran\n")
    # the detached command outlives the agent, and is still denied
    detached = "echo $$ >shell; npm install; echo $? >status; npm ci; echo $? >>status"
    script = f"setsid sh -c '{detached}' & npm x; exec sleep 1000"
    room = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CONTROL_ROOM, str(world.base), script, str(Path(__file__).parent)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert room.stdout is not None
        agent = int(await asyncio.wait_for(room.stdout.readline(), PATIENCE))
        (shell,) = await until(world.project / "shell")
        async with asyncio.timeout(PATIENCE):  # its first command is on its way
            while not Path(f"/proc/{shell}/task/{shell}/children").read_text():
                await asyncio.sleep(0.01)
    finally:
        room.kill()
        await room.wait()
    assert await until(world.project / "status", 2) == [126, 126]
    async with asyncio.timeout(PATIENCE):
        while alive(agent) or alive(shell):
            await asyncio.sleep(0.01)
    assert not (world.project / "ran").exists()
    assert "the gate" in world.err


async def test_a_question_is_not_lost_when_the_agent_ends_first(world: World) -> None:
    world.tool("npm", "#!/bin/sh\ntouch ran\n")
    async with world.agent(
        make_gate("default: ask", world.project), "sh", "-c", "setsid npm i & exit 3"
    ) as agent:
        ask = await agent.asked()
        assert await agent.status() == 3
        agent.answer(ask, Verdict.ALLOW)
        async with asyncio.timeout(PATIENCE):
            while not (world.project / "ran").exists():
                await asyncio.sleep(0.01)
