"""``agentgate run`` on a real terminal: the agent on a pty of its own, questions in between."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from cli_kit import World, on_terminal

pytestmark = pytest.mark.timeout(100)


def gone(pid_file: Path) -> bool:
    """Whether the process has ended; what nobody has waited for yet has."""
    try:
        stat = Path(f"/proc/{int(pid_file.read_text())}/stat").read_text()
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


INSTALL = "npm install chalk; echo status:$?; read x; echo got:$x"


def test_a_question_holds_the_command_and_a_key_lets_it_go_on(gated: World) -> None:
    with on_terminal(
        gated.with_policy(), "sh", "-c", "printf 'prompt> '; npm install chalk; exit 7"
    ) as terminal:
        terminal.wait("[a]llow")
        shown = terminal.text
        assert "prompt>" in shown
        assert f" {gated.bin}/npm install chalk" in shown
        assert "intent   install the npm package chalk" in shown
        assert f"in       {gated.project}" in shown
        assert "asked by rule 1 (line 4): every install is looked at" in shown
        assert "sh -c" in shown, shown  # who
        assert gated.ran == []
        terminal.answer("a")
        terminal.wait("really: npm install chalk")
        assert terminal.status() == 7
        assert gated.ran == ["npm install chalk"]
        # the question is gone, and what the agent had on the screen stands as it stood
        assert "[a]llow" not in terminal.text and "every install" not in terminal.text
        assert "prompt> really: npm install chalk" in terminal.lines
        assert terminal.restored


def test_learning_makes_a_policy_of_the_answers(gated: World) -> None:
    script = "npm install chalk; echo one''done; read x; npm exec x; true"
    with on_terminal(gated, "sh", "-c", script, options=("--learn",)) as terminal:
        terminal.answer("a")
        if gated.gate == "kernel":  # and about the file in which that npm notes that it ran
            terminal.wait("fs_write")
            terminal.answer("a")
        terminal.wait("onedone")
        terminal.type("\r")
        terminal.answer("d")
        terminal.status()
        assert " rules, see policy.learned.yaml" in terminal.text, terminal.text
    learned = gated.project / "policy.learned.yaml"
    assert not gated.policy.exists()
    words = ("--policy", "policy.learned.yaml", "exec")
    assert gated.agentgate("check", *words, "npm", "install", "chalk").returncode == 0
    assert gated.agentgate("check", *words, "npm", "exec", "x").returncode == 1
    assert gated.agentgate("check", *words, "npm", "install", "other").returncode == 0
    assert gated.agentgate("check", *words, "npm", "ci").returncode == 3
    assert "asked about and allowed each time" in learned.read_text()
    tested = gated.agentgate("policy", "test", "--policy", "policy.learned.yaml")
    assert (tested.returncode, tested.stdout[:21]) == (0, "policy.learned.yaml: ")
    wrong = gated.agentgate("run", "--learn", "--enforce", "--", "true")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_denied_it_does_not_run_and_the_agent_is_told(gated: World) -> None:
    with on_terminal(gated.with_policy(), "sh", "-c", "npm install chalk; echo status:$?") as terminal:
        terminal.answer("d")
        terminal.wait("status:126")
        assert "agentgate: denied exec" in terminal.text
        assert terminal.status() == 0
    assert gated.ran == []
    shown = gated.agentgate("audit", "--decision", "ask", "--verdict", "deny").stdout
    assert shown.count("\n") == 1 and "exec deny" in shown and "npm install chalk" in shown


def test_what_was_typed_before_a_question_is_the_agents(gated: World) -> None:
    agent = "echo ready; sleep 1; npm install chalk; echo status:$?; read x; echo got:$x"
    with on_terminal(gated.with_policy(), "sh", "-c", agent) as terminal:
        terminal.wait("ready")
        terminal.type("aaa\r")
        terminal.wait("[a]llow")
        terminal.rest(1.0)
        assert gated.ran == [] and "[a]llow" in terminal.text
        terminal.type("d")
        terminal.wait("got:aaa")
        assert terminal.status() == 0
    assert gated.ran == []


def test_always_shows_the_rule_and_enter_writes_it(gated: World) -> None:
    with on_terminal(gated.with_policy(), "sh", "-c", "npm install chalk; npm install chalk") as terminal:
        terminal.answer("A")
        terminal.wait("[enter] write the rule and allow")
        assert "decision: allow" in terminal.text and gated.ran == []
        before = gated.policy.read_text()
        terminal.rest(0.7)
        terminal.type("\r")
        terminal.wait(lambda: terminal.text.count("really: npm install chalk") == 2)
        assert terminal.status() == 0
    after = gated.policy.read_text()
    assert after != before and "# every install is looked at" in after
    assert after.index("decision: allow") < after.index("decision: ask")
    assert gated.agentgate("check", "exec", f"{gated.bin}/npm", "install", "chalk").returncode == 0


def test_always_is_left_again_by_escape(gated: World) -> None:
    with on_terminal(gated.with_policy(), "sh", "-c", INSTALL) as terminal:
        terminal.answer("A")
        terminal.wait("[enter] write the rule and allow")
        terminal.rest(0.7)
        terminal.type("\x1b")
        terminal.wait(lambda: "[enter]" not in terminal.text)
        terminal.answer("d")
        terminal.wait("status:126")
    assert "decision: allow" not in gated.policy.read_text() and gated.ran == []


def test_without_always_there_is_none(gated: World) -> None:
    with on_terminal(gated.with_policy(), "sh", "-c", INSTALL, options=("--no-always",)) as terminal:
        terminal.wait("[d]eny")
        assert "[A]lways" not in terminal.text
        terminal.answer("A")
        terminal.wait("! --no-always: every answer is given once")
        assert "[enter]" not in terminal.text


def test_questions_come_one_after_the_other(gated: World) -> None:
    agent = "npm install one & npm install two & wait; echo do''ne"
    with on_terminal(gated.with_policy(), "sh", "-c", agent) as terminal:
        terminal.answer("a")
        terminal.wait(lambda: len(gated.ran) == 1)
        terminal.answer("a")
        terminal.wait("done")
        assert terminal.status() == 0
    assert sorted(gated.ran) == ["npm install one", "npm install two"]


def test_a_question_whose_process_went_away_goes_too(gated: World) -> None:
    agent = "npm install chalk & sleep 1; kill $!; wait; echo go''ne; read x"
    with on_terminal(gated.with_policy(), "sh", "-c", agent) as terminal:
        terminal.wait("[a]llow")
        terminal.wait("gone")
        assert "[a]llow" not in terminal.text
        terminal.type("\r")
        assert terminal.status() == 0
    assert gated.ran == []


@pytest.mark.parametrize(
    ("trick", "restored"),
    [
        ("\\033]0;title", None),  # a string left open would swallow what follows
        ("\\033[", None),
        ("\\033P", None),
        ("\\033(0", None),  # letters as line drawing
        ("\\033[8m", None),  # hidden
        ("\\033[1;2r", b"\x1b[1;2r"),  # a scrolling region of two lines
    ],
)
def test_the_agent_cannot_make_a_question_unreadable(
    gated: World, trick: str, restored: bytes | None
) -> None:
    agent = f"printf '{trick}'; npm install chalk; exit 5"
    with on_terminal(gated.with_policy(), "sh", "-c", agent) as terminal:
        terminal.wait("[a]llow  [d]eny  [A]lways")
        assert f"  {gated.bin}/npm install chalk" in terminal.text
        assert "asked by rule 1" in terminal.text
        terminal.answer("a")
        assert terminal.status() == 5
        if restored:
            assert restored in terminal.seen[terminal.seen.rindex(b"[A]lways") :]


FULL_SCREEN = """
import os, signal, subprocess, sys
def draw(*_):
    size = os.get_terminal_size(1)
    sys.stdout.write(f"\\x1b[2J\\x1b[3;5Hfull screen {size.lines}x{size.columns}")
    sys.stdout.flush()
sys.stdout.write("\\x1b[?1049h")
signal.signal(signal.SIGWINCH, draw)
draw()
subprocess.run(["npm", "install", "chalk"], stdout=subprocess.DEVNULL)
sys.stdin.readline()
sys.stdout.write("\\x1b[?1049l")
"""


def test_a_full_screen_program_gets_its_screen_back(gated: World) -> None:
    with on_terminal(gated.with_policy(), sys.executable, "-c", FULL_SCREEN, rows=30, cols=100) as terminal:
        terminal.wait("[a]llow")
        assert not terminal.alternate and "full screen" not in terminal.text
        terminal.answer("a")
        terminal.wait(lambda: terminal.alternate and "    full screen 30x100" in terminal.text)
        assert "[a]llow" not in terminal.text
        terminal.type("\r")
        assert terminal.status() == 0
        assert not terminal.alternate and terminal.restored


def test_a_new_size_reaches_the_agent_and_the_question(gated: World) -> None:
    agent = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.1; done"
    with on_terminal(gated, "sh", "-c", agent, rows=30, cols=100) as terminal:
        terminal.wait("ready")
        terminal.resize(20, 60)
        terminal.wait("20 60")
    with on_terminal(gated.with_policy(), "sh", "-c", INSTALL, rows=30, cols=100) as terminal:
        terminal.wait("[a]llow")
        terminal.resize(20, 60)
        terminal.rest(0.3)
        terminal.answer("d")
        terminal.wait("status:126")


def test_interrupt_is_the_agents_own(gated: World) -> None:
    agent = "trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.1; done"
    with on_terminal(gated, "sh", "-c", agent) as terminal:
        terminal.wait("ready")
        terminal.type("\x03")
        terminal.wait("interrupted")
        assert terminal.status() == 3


def test_interrupt_works_while_a_question_is_shown(gated: World) -> None:
    with on_terminal(gated.with_policy(), "sh", "-c", "npm install chalk; true") as terminal:
        terminal.wait("[a]llow")
        terminal.type("\x03")
        assert terminal.status() == 128 + signal.SIGINT
        assert terminal.restored and "[a]llow" not in terminal.text
    assert gated.ran == []


def test_bytes_pass_unchanged_both_ways(gated: World) -> None:
    """All byte values and a megabyte of them, through a terminal in raw mode on both sides."""
    agent = (
        "import os, sys, tty\n"
        "tty.setraw(0)\n"
        "os.write(1, b'ready')\n"
        "data = b''\n"
        "while len(data) < 256: data += os.read(0, 999)\n"
        "os.write(1, data.hex().encode())\n"
        "sys.stdout.buffer.write(bytes(range(1, 256)) * 4000 + b'end')\n"
    )
    everything = bytes(range(256))
    with on_terminal(gated, sys.executable, "-c", agent) as terminal:
        terminal.wait(lambda: b"ready" in terminal.seen)
        terminal.type(everything)
        terminal.wait(lambda: terminal.seen.endswith(b"end"))
        assert everything.hex().encode() in terminal.seen
        assert bytes(range(1, 256)) * 4000 in terminal.seen
        assert terminal.status() == 0


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_the_agents_tree_and_gives_the_terminal_back(gated: World, signum: int) -> None:
    agent = "echo $$ > agent.pid; trap '' TERM HUP; npm install chalk & sleep 600 & echo $! > child.pid; wait"
    with on_terminal(gated.with_policy(), "sh", "-c", agent) as terminal:
        terminal.wait("[a]llow")
        terminal.process.send_signal(signum)
        assert terminal.status() == 128 + signum
        assert terminal.restored
    for name in ("agent.pid", "child.pid"):
        assert gone(gated.project / name)
    assert gated.ran == []
    assert "exec deny" in gated.agentgate("audit").stdout


def test_a_terminal_that_goes_away_ends_the_agents_tree(gated: World) -> None:
    with on_terminal(
        gated, "sh", "-c", "trap '' HUP; echo $$ > agent.pid; echo ready; sleep 600"
    ) as terminal:
        terminal.wait("ready")
        terminal.hang_up()
        assert terminal.process.wait(30) == 128 + signal.SIGHUP
    assert gone(gated.project / "agent.pid")


def test_the_first_line_says_what_holds(gated: World) -> None:
    gates = {
        "kernel": "kernel gate",
        "shim": "shim gate, which holds only what goes through PATH and the proxy",
    }
    with on_terminal(gated, "true", cols=200) as terminal:
        assert terminal.status() == 0
        first = terminal.lines[0]
    rules = "built-in rules (agentgate init writes them to a file)"
    assert first.startswith(f"agentgate: {gates[gated.gate]}; {rules}; questions say ")


def test_nobody_answers_in_time(gated: World) -> None:
    command = ("sh", "-c", "npm install chalk; echo status:$?")
    with on_terminal(gated.with_policy(), *command, options=("--timeout", "1")) as terminal:
        terminal.wait("[a]llow")
        terminal.wait("status:126")
        assert "timeout: nobody answered within 1 s" in terminal.text
        assert terminal.status() == 0
    assert gated.ran == []


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf"])
def test_a_timeout_is_a_number_of_seconds(gated: World, value: str) -> None:
    done = gated.agentgate("run", f"--timeout={value}", "--", "true")
    assert done.returncode == 2
    assert f"not a number of seconds above 0: '{value}'" in done.stderr and done.stderr.count("\n") == 1
