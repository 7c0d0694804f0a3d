"""The operator's own terminal is out of the agent's reach: it can neither read what is typed there nor write
what the terminal would answer."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import textwrap

import pytest
from cli_kit import POLICY, Terminal, World, on_terminal

from agentgate.intercept.kernel.backend import missing

_TIOCGEXCL = 0x80045440

AGENT = textwrap.dedent("""
    import errno, os, sys
    for how, flags in (("reads", os.O_RDONLY), ("writes", os.O_WRONLY)):
        try:
            os.close(os.open(sys.argv[1], flags | os.O_NOCTTY))
            print(how, "done", flush=True)
        except OSError as error:
            print(how, errno.errorcode[error.errno], flush=True)
    input("ready")
""")


# Runs what follows with the terminal's name as its last argument.
NAMING = [sys.executable, "-c", "import os, sys; os.execvp(sys.argv[1], [*sys.argv[1:], os.ttyname(0)])"]


def exclusive(terminal: Terminal) -> bool:
    return struct.unpack("i", fcntl.ioctl(terminal._slave, _TIOCGEXCL, bytes(4)))[0] != 0


@pytest.mark.skipif(bool(missing()), reason=f"kernel gate: {missing()}")
def test_the_operators_terminal_is_out_of_reach(world: World) -> None:
    world.gate = "kernel"
    world.with_policy(POLICY)  # which allows everything else
    agent = [sys.executable, "-c", AGENT]
    with Terminal(world, *NAMING, *agent) as terminal:
        terminal.wait("ready")
        assert "reads done" in terminal.text and "writes done" in terminal.text
        terminal.type("\n")
    with Terminal(world, *NAMING, *world.command("run", "--gate", "kernel", "--", *agent)) as terminal:
        name = os.ttyname(terminal._slave)
        terminal.wait("guard read-devices")
        assert "fs_read" in terminal.text and name in terminal.text
        terminal.answer("d")
        terminal.wait("guard gate")
        assert "fs_write" in terminal.text and name in terminal.text and exclusive(terminal)
        terminal.answer("d")
        terminal.wait(lambda: b"writes EACCES" in terminal.seen)
        assert b"reads EACCES" in terminal.seen  # which waited while the next question was on the screen
        terminal.type("\n")
        assert terminal.status() == 0
        assert not exclusive(terminal) and terminal.restored


@pytest.mark.skipif(bool(missing()), reason=f"kernel gate: {missing()}")
def test_nor_has_an_agent_in_a_pipeline_part_in_it(world: World) -> None:
    """None of its standard three is the terminal, on which only the questions are."""
    world.with_policy(POLICY)
    inside = f"{sys.executable} -c '{AGENT}' /dev/tty < /dev/null > out 2>&1"
    gated = f"{' '.join(world.command('run', '--gate', 'kernel', '--'))} {inside}"
    for command, came in ((inside, "reads done\nwrites done"), (gated, "reads EBUSY\nwrites EBUSY")):
        with Terminal(world, "sh", "-c", f"{command}; echo over") as terminal:
            terminal.wait("over")
            terminal.status()
            assert came in (world.project / "out").read_text()
            assert not exclusive(terminal)


def test_it_is_given_back_however_the_agent_ends(world: World) -> None:
    world.with_policy(POLICY)
    with on_terminal(world, "sh", "-c", "echo here; kill -9 $$") as terminal:
        terminal.wait(lambda: exclusive(terminal))
        assert terminal.status() == 137
        assert not exclusive(terminal)


def test_what_was_refused_is_said_at_the_end(world: World) -> None:
    world.with_policy()
    world.env["COLUMNS"] = "250"
    agent = ("sh", "-c", "npm install chalk; true")
    with on_terminal(world, *agent, options=("--enforce",), cols=250) as terminal:
        assert terminal.status() == 0
        last = [line for line in terminal.lines if line][-1]
        assert last.startswith("agentgate: refused   to run ")
        assert "/npm install chalk (enforce: " in last  # in a place that the agent can write: its whole path
    assert world.ran == []


def test_a_session_without_anything_of_note_says_nothing_at_its_end(world: World) -> None:
    world.with_policy()
    with on_terminal(world, "sh", "-c", "npm test; echo done") as terminal:
        assert terminal.status() == 0
        assert [line for line in terminal.lines if line][-1] == "done"
    assert world.ran == ["npm test"]
