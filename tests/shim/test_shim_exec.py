"""Commands through the shims: what is allowed runs as if nothing were there, what is denied does not run."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest
from shim_agent import ECHO, World, make_gate, plain

from agentgate.actions import Kind, Verdict

ALLOW = "default: allow"
ODD = [b"a b", b"new\nline", b"\xff\xfe", b"", b'q"\\', "é✓".encode(), b"--", b"\x1b[31m", b"'", b"*"]


async def test_an_allowed_command_gets_its_bytes_and_gives_its_status(world: World) -> None:
    world.tool("rsync", ECHO)
    given = os.urandom(200_000)
    for locale in ("C.UTF-8", "C", "POSIX"):
        env = {**world.env(), "LC_ALL": locale}
        async with world.agent(
            make_gate(ALLOW, world.project), "env", "rsync", *ODD, stdin=given, env=env
        ) as agent:
            assert await agent.status() == 7
        assert world.out == b"".join(b"<%s>" % word for word in ODD) + given
        assert world.err == "to stderr\n"


async def test_a_command_of_a_hundred_thousand_arguments_arrives_whole(world: World) -> None:
    world.tool("rsync", "#!/bin/sh\necho $# $1\n")
    script = "rsync $(seq 100000)"
    async with world.agent(make_gate(ALLOW, world.project), "sh", "-c", script) as agent:
        assert await agent.status() == 0
        (target,) = agent.decided()
        assert len(target) > 500_000
    assert world.out == b"100000 1\n"


async def test_the_program_sees_no_trace_of_the_shim(world: World) -> None:
    """Environment, ignored signals and open files are those of a run without a gate."""
    world.tool("rsync", "#!/bin/sh\nenv | sort\ngrep Sig /proc/self/status\nls /proc/$$/fd\n")
    env = {name: value for name, value in world.env().items() if name != "LC_ALL"}
    async with world.agent(make_gate(ALLOW, world.project), "env", "rsync", env=env) as agent:
        assert await agent.status() == 0
    lines = world.out.decode().splitlines()
    added = [line for line in lines if line.startswith(("AGENTGATE_SOCKET=", "AGENTGATE_TOKEN="))]
    path = [line for line in lines if line.startswith("PATH=")]
    rest = [line for line in lines if line not in added and line not in path]
    assert len(added) == 2 and path[0].endswith(env["PATH"])
    expected = plain(world, "env", "-u", "LC_ALL", str(world.tools / "rsync")).stdout.decode().splitlines()
    assert rest == [line for line in expected if not line.startswith("PATH=")]


@pytest.mark.skipif(not shutil.which("python3", path="/usr/bin:/bin"), reason="python3 is not installed")
async def test_a_program_that_looks_for_itself_finds_itself(world: World) -> None:
    """A Python's prefix and virtual environment hang on where it thinks it lies."""
    command = ("env", "python3", "-c", "import sys; print(sys.executable, sys.prefix)")
    made = plain(world, "/usr/bin/python3", "-m", "venv", "--without-pip", str(world.base / "venv"))
    assert made.returncode == 0, made.stderr
    for place in ("/usr/bin", str(world.base / "venv" / "bin")):
        env = {**world.env(), "PATH": f"{place}:/usr/bin:/bin"}
        async with world.agent(make_gate(ALLOW, world.project), *command, env=env) as agent:
            assert await agent.status() == 0
            assert len(agent.decided()) == 1
        executable, prefix = world.out.decode().split()
        assert executable == f"{place}/python3"
        assert prefix == os.path.dirname(place)


@pytest.mark.skipif(not shutil.which("git", path="/usr/bin:/bin"), reason="git is not installed")
async def test_git_works_and_is_named_by_its_bare_name(world: World) -> None:
    commit = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m 'one two'"
    script = f"git init -q . && {commit} && git log"
    async with world.agent(make_gate(ALLOW, world.project), "sh", "-c", script) as agent:
        assert await agent.status() == 0
        assert agent.decided() == [
            "allow git init -q .",
            "allow git -c user.name=a -c user.email=a@b commit -q --allow-empty -m one two",
            "allow git log",
        ]
    assert b"one two" in world.out


async def test_a_denied_command_does_not_run_and_says_why(world: World) -> None:
    world.tool("npm", "#!/bin/sh\ntouch ran\n")
    policy = """
default: allow
rules:
  - match: {action: exec, target_glob: "*/npm install*"}
    decision: deny
    reason: "not today"
"""
    script = "npm install 'a\x1b[2Jb'; echo $?; npm test; echo $?"
    async with world.agent(make_gate(policy, world.project), "sh", "-c", script) as agent:
        assert await agent.status() == 0
    assert world.out == b"126\n0\n"
    npm = world.tools / "npm"
    assert world.err == f"agentgate: denied exec {npm} install a\\x1b[2Jb (rule 1 (line 4): not today)\n"
    assert (world.project / "ran").exists()  # by npm test
    (world.project / "ran").unlink()
    async with world.agent(make_gate(policy, world.project), "env", "npm", "install") as agent:
        assert await agent.status() == 126
    assert not (world.project / "ran").exists()


def ticks(pid: int) -> int:
    """CPU time used, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def test_questions_are_held_without_cpu_and_answered_in_any_order(world: World) -> None:
    world.tool("npm", '#!/bin/sh\ntouch "ran-$1"\n')
    script = "npm one & npm two & npm three & wait"
    async with world.agent(make_gate("default: ask", world.project), "sh", "-c", script) as agent:
        asks = {}
        for _ in range(3):
            ask = await agent.asked()
            asks[ask.action.argv[1]] = ask
        assert sorted(asks) == ["one", "three", "two"]
        assert asks["one"].action.kind is Kind.EXEC and asks["one"].action.cwd == str(world.project)
        assert asks["one"].gate == "shim"
        before = [ticks(ask.action.pid) for ask in asks.values()]
        await asyncio.sleep(0.5)
        assert [ticks(ask.action.pid) for ask in asks.values()] == before
        assert not list(world.project.iterdir())

        agent.answer(asks["three"], Verdict.ALLOW)
        agent.answer(asks["two"], Verdict.DENY, note="use yarn")
        async with asyncio.timeout(30):
            while not (world.project / "ran-three").exists() or "use yarn" not in world.err:
                await asyncio.sleep(0.01)
        assert os.path.exists(f"/proc/{asks['one'].action.pid}")
        assert not (world.project / "ran-one").exists()
        agent.answer(asks["one"], Verdict.ALLOW)
        assert await agent.status() == 0
    assert sorted(path.name for path in world.project.iterdir()) == ["ran-one", "ran-three"]
    assert world.err == f"agentgate: denied exec {world.tools}/npm two (operator: use yarn)\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
async def test_a_killed_command_withdraws_its_question(world: World, number: signal.Signals) -> None:
    world.tool("npm", "#!/bin/sh\ntouch ran\n")
    async with world.agent(
        make_gate("default: ask", world.project), "sh", "-c", "npm i; echo $?; sleep 60"
    ) as agent:
        ask = await agent.asked()
        os.kill(ask.action.pid, number)
        assert (await agent.withdrawn()).number == ask.number
        assert len(agent.gate) == 0
        assert not agent.gate.answer(ask.number, Verdict.ALLOW)
        async with asyncio.timeout(30):
            while not world.out:
                await asyncio.sleep(0.01)
    assert int(world.out) == 128 + number
    assert "Traceback" not in world.err
    assert not (world.project / "ran").exists()


async def test_an_ignored_interrupt_stays_ignored(world: World) -> None:
    """A background job of a script ignores ^C; so must its shim, or the question would be lost."""
    world.tool("npm", "#!/bin/sh\ntouch ran\n")
    async with world.agent(
        make_gate("default: ask", world.project), "sh", "-c", "trap '' INT; npm i; echo $?"
    ) as agent:
        ask = await agent.asked()
        os.kill(ask.action.pid, signal.SIGINT)
        await asyncio.sleep(0.1)
        agent.answer(ask, Verdict.ALLOW)
        assert await agent.status() == 0
    assert world.out == b"0\n" and (world.project / "ran").exists()


async def test_a_program_that_is_gone_is_not_found(world: World) -> None:
    gone = world.tool("wrangler", "#!/bin/sh\n")
    script = f"rm {gone}; wrangler i; echo $?"
    async with world.agent(make_gate(ALLOW, world.project), "sh", "-c", script) as agent:
        assert await agent.status() == 0
    assert world.out == b"127\n"
    assert world.err == "agentgate: wrangler: command not found\n"


async def test_a_script_without_an_interpreter_line_is_the_shells(world: World) -> None:
    world.tool("npm", "echo by sh: $1\n")
    async with world.agent(make_gate(ALLOW, world.project), "env", "npm", "x") as agent:
        assert await agent.status() == 0
    assert world.out == b"by sh: x\n"
