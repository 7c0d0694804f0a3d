"""One command is one question; what it starts is decided on its own, as its child. And where that ends."""

from __future__ import annotations

import os
import shutil

import pytest
from shim_agent import World, make_gate

from agentgate.actions import Verdict

NODE = "#!/bin/sh\nscript=$1; shift\n. $script\n"  # a node whose scripts are sh: the exec chain is the same
NPM = '#!/usr/bin/env node\nprintf "%s;" "$@"\ncurl http://x/\n'
CURL = "#!/bin/sh\ntouch fetched\n"


def tools(world: World) -> None:
    world.tool("node", NODE)
    world.tool("npm", NPM)
    world.tool("curl", CURL)


async def test_a_script_whose_interpreter_is_shimmed_is_asked_once(world: World) -> None:
    tools(world)
    async with world.agent(
        make_gate("default: ask", world.project), "sh", "-c", "npm install 'a b'"
    ) as agent:
        ask = await agent.asked()
        assert ask.action.argv[1:] == ("install", "a b")
        agent.answer(ask, Verdict.ALLOW)
        child = await agent.asked()
        assert child.action.target == f"{world.tools}/curl http://x/"
        # the asking process is a fork of npm, and npm is still called what was decided
        assert [process.command for process in child.action.chain] == [
            f"{world.tools}/npm install a b",
            f"{world.tools}/npm install a b",
            "sh -c npm install 'a b'",
        ]
        agent.answer(child, Verdict.DENY)
        assert await agent.status() == 126
        assert [line.replace(f"{world.tools}/", "") for line in agent.decided()] == [
            "allow npm install a b",
            "deny curl http://x/",
        ]
    assert world.out == b"install;a b;"
    assert not (world.project / "fetched").exists()


async def test_a_rule_within_a_command_sees_the_command_that_was_decided(world: World) -> None:
    tools(world)
    policy = """
default: allow
rules:
  - match: {action: exec, target_glob: "*curl*", within: "*/npm install"}
    decision: deny
"""
    async with world.agent(
        make_gate(policy, world.project), "sh", "-c", "npm install; echo $?; npm test; curl; echo $?"
    ) as agent:
        assert await agent.status() == 0
    assert world.out == b"install;126\ntest;0\n"
    assert (world.project / "fetched").exists()


async def test_a_forbidden_interpreter_stays_forbidden(world: World) -> None:
    tools(world)
    policy = """
default: allow
rules:
  - match: {action: exec, target_glob: "*/node *"}
    decision: deny
"""
    async with world.agent(make_gate(policy, world.project), "sh", "-c", "npm install") as agent:
        assert await agent.status() == 126
        assert agent.decided()[-1].startswith("deny")
    assert world.out == b""


@pytest.mark.parametrize(
    "script",
    [
        "exec node {tools}/npm install other",  # another command of the script
        "exec node -e evil {tools}/other install",
        "exec env git {tools}/npm install",  # another program than the script's interpreter
    ],
)
async def test_another_command_of_the_same_process_is_asked_again(world: World, script: str) -> None:
    world.tool("node", '#!/bin/sh\nif [ "$1" = -e ]; then touch ran; else . $1; fi\n')
    world.tool("git", "#!/bin/sh\ntouch ran\n")
    world.tool("npm", f"#!/usr/bin/env node\n{script.format(tools=world.tools)}\n")
    async with world.agent(make_gate("default: ask", world.project), "sh", "-c", "npm install") as agent:
        agent.answer(await agent.asked(), Verdict.ALLOW)
        again = await agent.asked()
        assert again.action.target != f"{world.tools}/npm install"
        agent.answer(again, Verdict.DENY)
        assert await agent.status() == 126
    assert not (world.project / "ran").exists()


async def test_the_agents_own_start_is_not_asked(world: World) -> None:
    """Its operator typed the command; an agent is often itself a script for a shimmed interpreter."""
    world.tool("node", NODE)
    world.tool("npm", "#!/usr/bin/env node\necho agent runs as $$ $1; node x\n")
    async with world.agent(make_gate("default: ask", world.project), "npm", "start") as agent:
        ask = await agent.asked()
        assert ask.action.target == f"{world.tools}/node x"
        assert world.out == f"agent runs as {agent.pid} start\n".encode()
        assert ask.action.chain[-1].pid == agent.pid
        agent.answer(ask, Verdict.DENY)
        assert await agent.status() == 126


@pytest.mark.skipif(
    not shutil.which("npm", path="/usr/bin:/bin") or not shutil.which("node", path="/usr/bin:/bin"),
    reason="npm is not installed",
)
async def test_the_real_npm_is_asked_once_for_a_run_with_a_script(world: World) -> None:
    (world.project / "package.json").write_text(
        '{"name": "x", "scripts": {"go": "git --version && echo done"}}'
    )
    env = {**world.env(), "PATH": "/usr/bin:/bin", "npm_config_update_notifier": "false"}
    async with world.agent(
        make_gate("default: allow", world.project), "sh", "-c", "npm run -s go", env=env
    ) as agent:
        assert await agent.status() == 0
        decided = agent.decided()
    assert world.out.endswith(b"done\n")
    assert decided[0] == "allow npm run -s go"
    assert not [line for line in decided if "npm" in line][1:], decided


# What the portable gate does not hold. These tests say so on purpose: the kernel gate is for that.


async def test_limit_an_empty_environment_goes_around_the_portable_gate(world: World) -> None:
    """``env -i`` drops PATH, so nothing leads to a shim. With PATH kept but no token, it is denied."""
    world.tool("git", "#!/bin/sh\ntouch ran\n")
    script = 'env -i PATH="$PATH" git; echo $?; env -i git --version >/dev/null; echo $?'
    async with world.agent(make_gate("default: deny", world.project), "sh", "-c", script) as agent:
        assert await agent.status() == 0
        assert agent.decided() == []  # the second one was never seen
    denied, _, around = world.out.decode().partition("\n")
    assert denied == "126" and not (world.project / "ran").exists()
    assert "the gate cannot be reached" in world.err
    if shutil.which("git", path=os.defpath):
        assert around == "0\n"


async def test_limit_an_absolute_path_goes_around_the_portable_gate(world: World) -> None:
    git = world.tool("git", "#!/bin/sh\ntouch ran\n")
    async with world.agent(make_gate("default: deny", world.project), "sh", "-c", str(git)) as agent:
        assert await agent.status() == 0
        assert agent.decided() == []
    assert (world.project / "ran").exists()
