"""The built-in demo, run for real: what it shows must be what happened."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentgate.actions import Kind, Verdict
from agentgate.audit.read import Log
from agentgate.demo.show import Stage, stage
from agentgate.gate.events import Ask
from agentgate.intercept.kernel.support import missing
from agentgate.policy.explain import run_tests
from agentgate.session import Session
from agentgate.settings import GateChoice
from agentgate.tui.app import ControlRoom

pytestmark = pytest.mark.timeout(90)

kernel = pytest.mark.skipif(bool(missing()), reason=f"the kernel gate: {missing()}")

INSTALL = "sh vendor/left-padder/install.sh"


def ordered(ask: Ask) -> str:
    """Press allow for what the agent announced, deny for what the package does on its own."""
    action = ask.action
    return "a" if action.target == INSTALL or action.target.startswith("localhost:") else "d"


async def play(on: Stage, press: Callable[[Ask], str]) -> tuple[int, list[str]]:
    """Run the demo in the control room, answering each question with keys; the exit status and what
    was asked, in order."""
    app = ControlRoom(Session(on.settings))
    asked: list[str] = []
    end = time.monotonic() + 75
    try:
        async with app.run_test(size=(80, 24)) as pilot:
            while app.return_value is None and app.start_error is None:
                assert time.monotonic() < end, f"the demo did not end; asked: {asked}"
                await pilot.pause(0.05)
                if app.state.asks and app.state.armed(time.monotonic()):
                    ask = app.state.asks[0]
                    asked.append(f"{ask.action.kind} {ask.action.target}")
                    await pilot.press("ctrl+right_square_bracket", press(ask))
                elif not app.state.asks and (on.world.project / "greet.py").exists():
                    await pilot.press("enter")  # thrown away by the agent but at its very end
            assert app.start_error is None, app.start_error
            return app.return_value or 0, asked
    finally:
        await app.session.close()


def relative(on: Stage, asked: list[str]) -> list[str]:
    ports = {str(on.thief.port): "THIEF"}
    found = []
    for line in asked:
        line = line.replace(str(on.world.home), "~")
        head, colon, port = line.rpartition(":")
        found.append(f"{head}:{ports.get(port, 'DOCS')}" if colon else line)
    return found


ASKED = [
    "net_egress localhost:DOCS",
    f"exec {INSTALL}",
    "fs_write ~/.bashrc",
    "fs_read ~/.ssh/id_ed25519",
    "net_egress 127.0.0.1:THIEF",
    "fs_write ~/thesis/thesis.txt",
]


def greeting(project: Path) -> str:
    """What the program that the agent wrote says, without its padding."""
    command = [sys.executable, "-B", "greet.py", "you"]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=20, check=True)
    assert run.stdout.startswith("..")
    return run.stdout.strip(".\n")


@kernel
async def test_what_nobody_ordered_is_stopped_and_the_rest_is_done() -> None:
    with stage(pace=0) as on:
        status, asked = await play(on, ordered)
        assert status == 0
        assert relative(on, asked) == ASKED
        assert not any(on.world.damage().values())
        assert (on.thief.connections, on.thief.bytes) == (0, 0)
        assert greeting(on.world.project) == "hello you"
        assert "✗" not in on.report()
        denied = [entry.record.action for entry in Log(on.settings.audit) if
                  entry.record.answer.verdict is Verdict.DENY]  # fmt: skip
        assert [action.kind for action in denied] == [
            Kind.FS_WRITE,
            Kind.FS_READ,
            Kind.NET_EGRESS,
            Kind.FS_WRITE,
        ]
        root = on.world.root
    assert not root.exists()


@kernel
async def test_the_attack_is_a_real_one() -> None:
    """Allowed, each part of it does its harm, and the report says so: nothing here is make-believe."""
    with stage(pace=0) as on:
        status, asked = await play(on, lambda ask: "a")
        assert status == 0
        assert relative(on, asked) == [*ASKED, "fs_write ~/thesis"]
        assert on.world.damage() == {".bashrc": "changed", ".ssh/id_ed25519": "", "thesis/thesis.txt": "gone"}
        key = (on.world.home / ".ssh" / "id_ed25519").read_bytes()
        assert (on.thief.connections, on.thief.bytes) == (1, len(key))
        assert on.report().count("✗") == 3


@kernel
async def test_a_denied_install_and_fetch_leave_nothing_behind() -> None:
    with stage(pace=0) as on:
        status, asked = await play(on, lambda ask: "d")
        assert status == 0
        assert relative(on, asked) == ASKED[:2]
        assert not any(on.world.damage().values())
        assert not (on.world.project / "left_padder.py").exists()


async def test_behind_the_portable_gate_the_report_says_what_got_through() -> None:
    with stage(GateChoice.SHIM, pace=0) as on:
        status, _asked = await play(on, ordered)
        assert status == 0
        harm = sum(map(bool, on.world.damage().values())) + bool(on.thief.connections)
        assert harm == on.report().count("✗")


def test_its_policy_passes_its_own_tests() -> None:
    with stage(pace=0) as on:
        session = Session(on.settings)
        assert session.policy.tests
        assert run_tests(session.policy, session.context()) == []


def test_the_package_harms_nobody_outside_the_demo(tmp_path: Path) -> None:
    """Whoever finds the script in the installed package and runs it."""
    (tmp_path / "thesis").mkdir()
    with stage(pace=0) as on:
        script = on.world.package / "install.sh"
        run = subprocess.run(["sh", script], env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, timeout=20)
        assert run.returncode == 1
        assert on.thief.connections == 0
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


@pytest.mark.parametrize(
    "words", [("--policy", "p.yaml"), ("--audit", "a"), ("--agent", "x"), ("--no-net",), ("--no-always",)]
)
def test_only_the_gate_can_be_chosen(words: tuple[str, ...]) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "agentgate", "tui", "--demo", *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )
    assert run.returncode == 2
    assert (
        run.stderr == "agentgate: --demo brings its own agent, policy and record: only --gate goes with it\n"
    )
