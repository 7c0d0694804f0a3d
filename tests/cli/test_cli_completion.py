"""Completion: the words, and a real shell that gets them."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from cli_kit import World

from agentgate.cli.completion import candidates
from agentgate.cli.main import parser

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["ch"], ["check"]),
        (["policy", "l"], ["lint", "ls"]),
        (["policy", "add", ""], ["exec", "fs_read", "fs_write", "net_egress"]),
        (["policy", "add", "exec", "--dec"], ["--decision"]),
        (["policy", "add", "exec", "--decision", "a"], ["allow", "ask"]),
        (["run", "--gate", "s"], ["shim"]),
        (["run", "--policy", ""], []),  # a file
        (["run", "--", "np"], []),  # the agent's command
        (["nonsense", "x"], []),
        (["audit", "ver"], ["verify"]),
    ],
)
def test_what_a_word_may_become(words: list[str], found: list[str]) -> None:
    assert candidates(parser(), words) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_its_shell_reads(world: World, shell: str) -> None:
    done = world.agentgate("completion", shell)
    assert done.returncode == 0
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"not here: {shell}")
    subprocess.run([path, "-n", "/dev/stdin"], input=done.stdout, text=True, check=True, timeout=20)


def test_bash_completes(world: World) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("not here: bash")
    agentgate = world.bin / "agentgate"
    agentgate.write_text(f'#!/bin/sh\nexec {sys.executable} -m agentgate "$@"\n')
    agentgate.chmod(0o755)
    script = """
        source <(agentgate completion bash)
        COMP_WORDS=(agentgate policy l) COMP_CWORD=2
        _agentgate
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run([bash, "-c", script], env=world.env, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.stderr) == ("lint\nls\n", "")
