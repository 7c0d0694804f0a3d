"""``agentgate run`` with a pipe or a file among its standard three: nothing of ours in between."""

from __future__ import annotations

import json
import sys

import pytest
from cli_kit import Terminal, World

pytestmark = pytest.mark.timeout(100)

SHIM = ("run", "--gate", "shim")


def test_bytes_and_status_pass_through(world: World) -> None:
    data = bytes(range(256)) * 2000
    done = world.agentgate(
        *SHIM,
        "--",
        "sh",
        "-c",
        "cat; echo oops >&2; exit 9",
        input=data,
        stdin=None,
        encoding=None,
        errors=None,
    )
    assert (done.returncode, done.stdout, done.stderr) == (9, data, b"oops\n")


def test_the_status_of_an_agent_that_a_signal_ended(world: World) -> None:
    assert world.agentgate(*SHIM, "--", "sh", "-c", "kill -TERM $$").returncode == 128 + 15


def test_with_nobody_to_ask_the_answer_is_no(world: World) -> None:
    done = world.with_policy().agentgate(*SHIM, "--", "sh", "-c", "npm install chalk; echo status:$?")
    assert done.stdout == "status:126\n" and world.ran == []
    assert "agentgate: denied exec" in done.stderr and "no terminal to ask on" in done.stderr
    (record,) = [json.loads(line) for line in world.audit.read_text().splitlines()]
    assert (record["decision"], record["verdict"], record["source"]) == ("ask", "deny", "enforce")
    assert record["note"] == "no terminal to ask on" and record["gate"] == "shim"


def test_enforce_denies_what_would_be_asked(world: World) -> None:
    done = world.with_policy().agentgate(*SHIM, "--enforce", "--", "sh", "-c", "npm install chalk; npm ls")
    assert done.stdout == "really: npm ls\n" and world.ran == ["npm ls"]
    assert "agentgate: denied exec" in done.stderr and "enforce" in done.stderr
    verdicts = [json.loads(line)["verdict"] for line in world.audit.read_text().splitlines()]
    assert verdicts == ["deny", "allow"]


def test_the_question_goes_to_the_terminal_when_the_output_does_not(world: World) -> None:
    command = " ".join(world.command(*SHIM)) + " -- sh -c 'npm install chalk; exit' > out; echo status:$?"
    with Terminal(world.with_policy(), "sh", "-c", command) as terminal:
        terminal.wait("asked by rule 1 (line 4): every install is looked at")
        assert world.ran == [] and f"{world.bin}/npm install chalk" in terminal.text
        terminal.answer("a")
        terminal.wait("status:0")
        assert "  allowed" in terminal.lines
        assert terminal.restored
    assert (world.project / "out").read_text() == "really: npm install chalk\n"


def test_in_the_background_of_a_terminal_nobody_is_asked(world: World) -> None:
    command = (
        " ".join(world.command(*SHIM))
        + " -- sh -c 'npm install chalk; exit' > out 2>&1 & wait $!; echo status:$?"
    )
    with Terminal(world.with_policy(), "sh", "-mc", command) as terminal:
        terminal.wait("status:126")
    assert world.ran == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("run",), 2, "no command (agentgate run -- COMMAND ...)"),
        (("run", "--"), 2, "no command (agentgate run -- COMMAND ...)"),
        (("run", "ls", "-l"), 2, "put -- before the agent's command: agentgate run -- ls -l"),
        (("run", "--", "no-such-program"), 127, "no-such-program: command not found"),
        (("run", "--", "./policy.yaml"), 126, "./policy.yaml: not a program that can be run"),
        (("run", "--", "/"), 126, "/: not a program that can be run"),
        (("run", "--policy", "none.yaml", "--", "ls"), 2, "none.yaml: no such file"),
        (("run", "--wat", "--", "ls"), 2, "run: unknown argument '--wat' (see agentgate run --help)"),
        (("run", "--gat", "shim", "--", "ls"), 2, "run: unknown argument '--gat' (see agentgate run --help)"),
        (("tui", "--", "ls"), 2, "tui needs a terminal (agentgate run -- COMMAND works without one)"),
        (("tui", "--", "no-such-program"), 127, "no-such-program: command not found"),
        (("tui", "--demo", "--", "ls"), 2, "--demo brings its own agent: leave out the command"),
    ],
)
def test_a_mistake_is_one_line(world: World, words: tuple[str, ...], status: int, said: str) -> None:
    done = world.with_policy().agentgate(*words)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", f"agentgate: {said}\n")


def test_without_a_record_there_is_no_run(world: World) -> None:
    world.audit.parent.mkdir()
    world.audit.symlink_to(world.home / "elsewhere")
    done = world.agentgate(*SHIM, "--", "npm", "ls")
    assert done.returncode == 2 and world.ran == [] and not (world.home / "elsewhere").exists()
    assert done.stderr == (
        f"agentgate: cannot write the audit log {world.audit}: it is a symbolic link "
        "(--audit names another place)\n"
    )


def test_a_bad_policy_is_one_line_with_its_place(world: World) -> None:
    done = world.with_policy("rules:\n  - decision: alow\n").agentgate(*SHIM, "--", "npm", "ls")
    assert done.returncode == 2 and world.ran == [] and done.stderr.count("\n") == 1
    assert done.stderr.startswith("agentgate: policy.yaml:2:15: ") and "alow" in done.stderr


def test_no_net_is_said_to_the_agent_in_a_refusal(world: World) -> None:
    fetch = (
        "import os, urllib.request, urllib.error\n"
        "try: urllib.request.urlopen('http://example.invalid/')\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    done = world.with_policy("default: allow\n").agentgate(
        *SHIM, "--no-net", "--", sys.executable, "-c", fetch
    )
    assert done.stdout == "403\n", done.stderr


def test_the_agents_name_is_on_record(world: World) -> None:
    for options in ((), ("--agent", "claude")):
        done = world.agentgate(*SHIM, *options, "--", "sh", "-c", "npm ls")
        assert done.returncode == 0
    names = [json.loads(line)["agent"] for line in world.audit.read_text().splitlines()]
    assert names == ["sh", "claude"]
