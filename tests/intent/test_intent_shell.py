"""The model's own command, out of what each agent wraps around it."""

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentgate.intent import unwrap_shell
from agentgate.intent.shell import plain_command

SNAPSHOT = (
    "source /home/u/.claude/shell-snapshots/snapshot-bash-1.sh 2>/dev/null || true && "
    "\\builtin shopt -u extglob 2>/dev/null || true && eval {} < /dev/null && pwd -P >| /tmp/claude-ab12-cwd"
)
TRAPS = (
    "shopt -u promptvars nullglob\n_bgpids_file=/tmp/gemini-shell-Ab/bgpids.tmp\n(\n"
    "  trap 'jobs -p > \"$_bgpids_file\"' EXIT\n{}\n)\n__code=$?\nexit $__code"
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\"'\"'") + "'"


COMMANDS = [
    "npm install chalk",
    "echo 'it''s' \"$HOME\" | cat && (cd x; ls)",
    "a\nb",
    "cat <<'E'\nx\n)\nE",
    "  ls  ",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_text_inside_eval(command: str) -> None:
    assert unwrap_shell(("/usr/bin/bash", "-c", SNAPSHOT.format(quoted(command)))) == command.strip()
    assert unwrap_shell(("bash", "-c", "-l", SNAPSHOT.format(quoted(command)))) == command.strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_lines_behind_the_trap(command: str) -> None:
    assert unwrap_shell(("/usr/bin/bash", "-c", TRAPS.format(command))) == command.strip()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_last_of_several_shells(command: str) -> None:
    restore = f"exec '/bin/bash' -c {quoted(command)}"
    helper = (
        "/proc/self/exe",
        "--run-as-process-setup",
        "54",
        "1",
        "pipe",
        "",
        "/p",
        "/bin/bash",
        "/bin/bash",
    )
    assert unwrap_shell((*helper, "-c", restore)) == command.strip()
    assert unwrap_shell(("/bin/bash", "-c", command)) == command.strip()
    assert unwrap_shell(("/bin/bash", "-lc", command)) == command.strip()
    assert unwrap_shell(("bash", "-o", "pipefail", "-c", command)) == command.strip()


@pytest.mark.parametrize(
    "argv",
    [
        (),
        ("",),
        ("bash",),
        ("bash", "x.sh"),
        ("bash", "-c"),
        ("ls", "-c", "x"),
        ("bash", "--", "-c"),
        ("bash", "x", "-c", "y"),
    ],
)
def test_what_is_no_shell_command_has_none(argv: tuple[str, ...]) -> None:
    assert unwrap_shell(argv) == ""


@settings(max_examples=60, deadline=None)
@example("\\';\\'\\\\")
@example('"it\'s" ; x "\'"')
@example('a "\\\n"')
@given(st.text("abc '\"\\$|;\n", min_size=1, max_size=12))
def test_a_plain_command_is_what_the_shell_makes_of_it(text: str) -> None:
    """Where we say that text is one command, a real shell splits it the same way."""
    words = plain_command(text)
    if not words:
        return
    script = f"set -- {text}\nfor word; do printf '%s\\0' \"$word\"; done"
    shell = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20)
    assert shell.returncode == 0
    assert tuple(shell.stdout.split("\0")[:-1]) == words


PIECES = ["bash", "-c", "-lc", "eval '", "'", "(", ")", "\n", "trap x", "pwd -P && eval 'a"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_any_argv_is_taken(argv: list[str]) -> None:
    for made in (argv, ["bash", "-c", " ".join(argv)], ["bash", "-c", "_bgpids" + "\n".join(argv)]):
        assert isinstance(unwrap_shell(tuple(made)), str)
