"""Which programs have shims, and the script they are links to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from shim_agent import World, make_gate

from agentgate.actions import Decision, Kind
from agentgate.intercept.shim.install import available, install, script
from agentgate.intercept.shim.names import shimmed
from agentgate.policy.load import load_text


def test_every_command_that_the_default_policy_asks_about_has_a_shim() -> None:
    text = files("agentgate.policy").joinpath("default.yaml").read_text()
    asked = [
        glob
        for rule in load_text(text, "default").rules
        if rule.action is Kind.EXEC and rule.decision is not Decision.ALLOW
        for glob in rule.targets
    ]
    assert len(asked) > 100
    words = {glob.split()[0].removeprefix("/*/").removeprefix("*/") for glob in asked}
    samples = {re.sub(r"-\*$", "-env", word).removesuffix("*").removesuffix(".") for word in words}
    assert not {word for word in samples if not shimmed(word.replace("*", "3"))}


def test_versioned_names() -> None:
    assert all(map(shimmed, ["python3.12", "pip3", "pip3.12", "node22", "ruby3.2", "npm", "git"]))
    assert not any(map(shimmed, ["python3-config", "pip3.12-x", "gitk", "nodemon", "perldoc", "sh", "env"]))


def test_only_programs_that_are_there_are_found(tmp_path: Path) -> None:
    for name, mode in (("npm", 0o755), ("pip", 0o644), ("ls", 0o755)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "git").mkdir()
    (tmp_path / "curl").symlink_to("npm")
    (tmp_path / "wget").symlink_to("nowhere")
    assert available(f"{tmp_path}:relative::/no/such/place") == {"npm", "curl"}


@pytest.mark.parametrize("name", ["py thon", "it's a py", "x" * 200])
async def test_a_python_that_no_interpreter_line_can_name(
    world: World, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spaces, quotes and long paths: a line of shell starts the Python instead."""
    python = world.base / name / "python3"
    python.parent.mkdir()
    python.symlink_to(os.path.realpath(sys.executable))
    assert script(str(python)).startswith(b"#!/bin/sh\n")
    monkeypatch.setattr("agentgate.intercept.shim.install._interpreter", lambda: str(python))
    world.tool("npm", '#!/bin/sh\nprintf "<%s>" "$@"\n')
    policy = 'rules: [{match: {target_glob: "*npm a*"}, decision: allow}]\ndefault: deny'
    async with world.agent(
        make_gate(policy, world.project), "sh", "-c", "npm 'a b' '' \"it's\"; npm x; echo $?"
    ) as agent:
        assert await agent.status() == 0
    assert world.out == b"<a b><><it's>126\n"


def test_the_usual_python_is_started_without_a_shell() -> None:
    assert script("/usr/bin/python3").startswith(b"#!/usr/bin/python3 -IS\n")


def test_the_shim_starts_fast_because_it_imports_next_to_nothing(tmp_path: Path) -> None:
    """Each module costs every command of the agent: ``os`` 1.6 ms, ``json`` 3, ``socket`` 10."""
    install(str(tmp_path / "bin"), ["npm"])
    text = (tmp_path / "bin" / ".agentgate-shim").read_bytes().partition(b"\n")[2].decode()
    code = text.replace(
        "if __name__ ==", "ask.__code__ and sys.stdout.write(' '.join(sys.modules))\nif __name__ == 1 and"
    )
    loaded = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True, timeout=30
    ).stdout.split()
    assert not {"os", "json", "socket", "signal", "typing", "re", "enum", "subprocess"} & set(loaded)


def test_a_shim_outside_its_directory_or_without_path_finds_the_real_program(tmp_path: Path) -> None:
    """Called by its own absolute path, with its directory last on PATH, or with an unset PATH."""
    install(str(tmp_path / "bin"), ["true"])
    shim = str(tmp_path / "bin" / "true")
    for env in ({"PATH": f"/usr/bin:/bin:{tmp_path}/bin"}, {"PATH": "/usr/bin:/bin"}, {}, {"PATH": ""}):
        run = subprocess.run([shim], env=env, capture_output=True, text=True, timeout=30, check=False)
        if env.get("PATH") == "":
            assert run.returncode == 127
        else:
            assert run.returncode == 126 and "denied exec " in run.stderr and "/true (" in run.stderr
