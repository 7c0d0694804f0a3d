"""The installed program on a real terminal: a person's keys, a real shell, the kernel's gate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tmux_kit import (
    AGENTGATE,
    LEADER,
    Tmux,
    World,
    alive,
    children,
    descendants,
    need_tmux_and_script,
    world_outside_tmp,
)

from agentgate.intercept.kernel.support import missing

pytestmark = [
    pytest.mark.timeout(170),
    pytest.mark.skipif(bool(missing()), reason=f"the kernel gate: {missing()}"),
]

POLICY = """\
default: ask
rules:
  - match: {action: exec, target_glob: "cp *"}
    decision: ask
    reason: "copies are looked at"
  - match: {action: exec}
    decision: allow
  - match: {action: fs_write, target_glob: "$PWD/**"}
    decision: allow
"""
SIZES = [pytest.param((120, 36), id="120x36"), pytest.param((80, 24), id="80x24")]
BASH = ("bash", "--norc", "--noprofile")


@pytest.fixture
def world(tmp_path: Path) -> World:
    need_tmux_and_script()
    world = World(tmp_path)
    (world.project / "seed").write_text("grain\n")
    return world


@pytest.fixture(params=SIZES)
def room(request: pytest.FixtureRequest, world: World) -> Iterator[Tmux]:
    """``agentgate tui --policy FILE -- bash``, at its prompt."""
    policy = world.root / "rules.yaml"
    policy.write_text(POLICY)
    command = [str(AGENTGATE), "tui", "--policy", str(policy), "--", *BASH]
    with Tmux(world, command, *request.param) as tmux:
        tmux.wait("ready$")
        assert tmux.size == request.param
        yield tmux


def test_allow_deny_and_the_status(room: Tmux, world: World) -> None:
    assert "gate kernel" in room.screen
    room.type("cp seed grown")
    screen = room.wait("exec cp seed grown")
    assert "1 waiting" in screen
    assert not (world.project / "grown").exists()
    room.verdict("a")
    room.wait(lambda: (world.project / "grown").exists())

    room.type("cp seed weed")
    room.verdict("d")
    screen = room.wait("Permission denied")
    assert "agentgate: denied exec cp seed weed" in screen
    assert not (world.project / "weed").exists()

    room.type("clear; echo pest > ../outside")
    room.verdict("d")
    room.wait("Permission denied")
    assert not (world.home / "outside").exists()

    room.type("exit 7")
    screen = room.wait("[status 7]")
    assert "gate kernel" not in screen  # the terminal's own screen is back
    verdicts = [(entry["action"], entry["verdict"]) for entry in asked(world)]
    assert verdicts == [("exec", "allow"), ("exec", "deny"), ("fs_write", "deny")]


def test_control_mode_decides_the_same(room: Tmux, world: World) -> None:
    room.type("cp seed grown")
    room.wait("1 waiting")
    room.keys(LEADER, "Tab")
    room.wait("CONTROL")
    time.sleep(0.8)
    room.keys("a")
    room.wait(lambda: (world.project / "grown").exists())
    room.wait("0 waiting")
    room.keys("Escape")
    room.wait(" AGENT ")
    room.type("echo $((6 * 7))")
    room.wait("42")


def test_a_second_agent_beside_the_first(room: Tmux, world: World) -> None:
    room.keys(LEADER, "c")
    room.wait("new agent  bash --norc --noprofile")
    room.keys("Enter")
    room.wait("[2 bash-2] ● runs")
    room.wait("ready$")
    room.type("cp seed grown")
    room.verdict("a")
    room.wait(lambda: (world.project / "grown").exists())
    room.keys(LEADER, "1")
    room.wait("[1 bash]")
    room.type("exit 5")
    room.wait("[1 bash] ■ ended, status 5")
    room.keys(LEADER, "k")
    room.wait(lambda: "1 bash" not in room.screen)
    room.type("exit 0")
    room.wait("[status 5]")
    assert [(entry["agent"], entry["target"]) for entry in asked(world)] == [("bash-2", "cp seed grown")]


def test_kill_9_of_the_room_ends_everything_and_lets_nothing_through(room: Tmux, world: World) -> None:
    room.type("sleep 1234 &")
    room.type("cp seed late")
    room.wait("1 waiting")
    (app,) = children(room.shell)
    tree = descendants(app)
    assert len(tree) >= 4  # the warden, bash, sleep, and the one that would be cp
    os.kill(app, signal.SIGKILL)
    room.wait("[status 137]")
    room.wait(lambda: not any(map(alive, tree)), 15)
    assert not (world.project / "late").exists()


def test_kill_9_of_the_warden_ends_the_agent_and_the_room_says_so(room: Tmux, world: World) -> None:
    room.type("sleep 1234 &")
    room.type("cp seed late")
    room.wait("1 waiting")
    (app,) = children(room.shell)
    warden = children(app)[0]
    tree = descendants(warden)
    assert len(tree) >= 3  # bash, sleep, and the one that would be cp
    os.kill(warden, signal.SIGKILL)
    room.wait("GATE LOST")
    room.wait(lambda: not any(map(alive, tree)), 15)
    assert not (world.project / "late").exists()
    room.keys(LEADER, "q")
    screen = room.wait("[status ")
    assert "[status 0]" not in screen
    assert "the gate was lost" in " ".join(screen.split())


def asked(world: World) -> list[dict[str, object]]:
    """The record's entries that were asked about."""
    entries = [json.loads(line) for line in world.audit.read_text().splitlines()]
    return [entry for entry in entries if entry["decision"] == "ask"]


# -- real installs, from the registries as this machine's clients are set up


@pytest.fixture
def outside_tmp() -> Iterator[World]:
    """A project with the built-in rules."""
    with world_outside_tmp() as made:
        yield made


def reachable(world: World, what: str, *command: str) -> None:
    """Skip unless ``command`` works here without any gate."""
    try:
        run = subprocess.run(
            command, env=world.env, cwd=world.project, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{what}: {error}")
    if run.returncode:
        pytest.skip(f"{what}: {run.stderr.strip().splitlines()[-1:]}")


def plain_room(world: World) -> Tmux:
    return Tmux(world, [str(AGENTGATE), "tui", "--", *BASH], 120, 36)


def test_npm_install_in_the_pane(outside_tmp: World) -> None:
    world = outside_tmp
    reachable(world, "npm", "npm", "--version")
    reachable(world, "the npm registry", "npm", "view", "chalk", "version")
    chalk = world.project / "node_modules" / "chalk" / "package.json"
    with plain_room(world) as room:
        room.wait("ready$")
        room.type("npm install chalk")
        room.wait("exec npm install chalk")
        room.verdict("d")
        screen = room.wait("Permission denied")
        assert "agentgate: denied exec npm install chalk" in screen
        assert not (world.project / "node_modules").exists()

        room.type("clear; npm install --no-audit --no-fund chalk && echo in''stalled")
        room.verdict("a")
        room.wait("installed", 90)
        assert json.loads(chalk.read_text())["name"] == "chalk"
        room.type("exit")
        room.wait("[status 0]")
    answers = [(entry["target"], entry["verdict"]) for entry in asked(world)]
    assert answers == [("npm install chalk", "deny"), ("npm install --no-audit --no-fund chalk", "allow")]


def test_pip_install_into_a_virtual_environment_in_the_pane(outside_tmp: World) -> None:
    world = outside_tmp
    reachable(world, "python -m venv", sys.executable, "-m", "venv", str(world.project / "v"))
    pip = str(world.project / "v" / "bin" / "pip")
    reachable(
        world, "the package index", pip, "download", "-q", "--no-deps", "-d", str(world.root / "got"), "six"
    )
    with plain_room(world) as room:
        room.wait("ready$")
        room.type("v/bin/pip install -q --no-cache-dir six && echo in''stalled")
        room.verdict("a")
        room.wait("installed", 90)
        room.type("exit")
        room.wait("[status 0]")
    assert list(world.project.glob("v/lib/python3*/site-packages/six.py"))
    assert [entry["verdict"] for entry in asked(world)] == ["allow"]


# -- the demo, as the README starts it


def test_the_demo_from_its_first_line_to_its_last(world: World) -> None:
    with Tmux(world, [str(AGENTGATE), "tui", "--demo"], 80, 24) as room:
        for target, key in (
            ("net_egress localhost:", "a"),
            ("exec sh vendor/left-padder/install.sh", "a"),
            ("home/.bashrc", "d"),
            ("home/.ssh/id_ed25519", "d"),
            ("net_egress 127.0.0.1:", "d"),
            ("thesis/thesis.txt", "d"),
        ):
            room.wait_alert(target)
            room.verdict(key)
        room.wait("enter ends the demo")
        room.keys("Enter")
        screen = room.wait("[status 0]")
    assert "✗" not in screen
    assert screen.count("as it was") == 3
    assert "0 connections" in screen
