"""``--keep``: the session goes on for what the agent started and left; the status stays the agent's."""

from __future__ import annotations

import time

import pytest
from cli_kit import World, on_terminal
from test_cli_run import gone

pytestmark = pytest.mark.timeout(100)

LEAVES = "setsid sh -c 'echo $$ >daemon; sleep {seconds}; echo late >late' >/dev/null 2>&1 </dev/null & {end}"
UNTIL_THERE = "while ! [ -s daemon ]; do sleep 0.02; done; exit 5"


@pytest.fixture
def kernel(world: World) -> World:
    world.gate = "kernel"
    done = world.agentgate("run", "--gate", "kernel", "--", "true")
    if done.returncode == 69:
        pytest.skip(done.stderr.strip())
    (world.bin / "setsid").symlink_to("/usr/bin/setsid")
    return world.with_policy()


@pytest.mark.parametrize("keep", [True, False])
def test_the_session_ends_with_the_last_where_that_is_asked_for(kernel: World, keep: bool) -> None:
    script = LEAVES.format(seconds=0.7, end=UNTIL_THERE)
    done = kernel.agentgate("run", *["--keep"] * keep, "--", "sh", "-c", script)
    assert done.returncode == 5
    assert (kernel.project / "late").exists() is keep and gone(kernel.project / "daemon")
    words = "agentgate: the agent ended with status 5; 2 processes that it started go on, gated"
    assert (words in done.stderr) is keep


def test_an_interrupt_ends_what_is_left(kernel: World) -> None:
    script = LEAVES.format(seconds=60, end=UNTIL_THERE)
    with on_terminal(kernel, "sh", "-c", script, options=("--keep",)) as terminal:
        terminal.wait("go on, gated (^C ends")
        assert not gone(kernel.project / "daemon")
        terminal.type("\x03")
        start = time.monotonic()
        assert terminal.status() == 5 and time.monotonic() - start < 20
    assert gone(kernel.project / "daemon") and not (kernel.project / "late").exists()


def test_what_is_left_still_asks(kernel: World) -> None:
    (kernel.project / "later").write_text("echo $$ >daemon; sleep 0.7; npm install x")
    late = f"setsid sh later >/dev/null 2>&1 & {UNTIL_THERE}"
    with on_terminal(kernel, "sh", "-c", late, options=("--keep",)) as terminal:
        terminal.wait("go on, gated (^C ends")
        terminal.answer("a")
        assert terminal.status() == 5
    assert kernel.ran == ["npm install x"]


def test_the_shim_gate_cannot_keep(world: World) -> None:
    done = world.with_policy().agentgate("run", "--gate", "shim", "--keep", "--", "true")
    assert done.returncode == 69 and done.stderr.startswith("agentgate: --keep needs the kernel gate")
