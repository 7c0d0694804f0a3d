"""The README's commands: what they name exists, and what the checks run is what the README says."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from agentgate.cli.main import parser
from agentgate.policy.explain import run_tests
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CI = (ROOT / ".ci" / "run").read_text()
COMMANDS = [line for line in README.splitlines() if line.startswith("$(command -v sudo)")]


def packages(command: str) -> set[str]:
    """What a command line has apt install."""
    found = re.search(r"apt-get install ([^&]*)", command)
    assert found
    return {word for word in found[1].split() if not word.startswith("-")}


def test_there_are_two_commands_each_on_one_line() -> None:
    assert len(COMMANDS) == 2
    demo, tests = COMMANDS
    assert demo.endswith(".venv/bin/agentgate tui --demo")
    assert tests.endswith(".venv/bin/python -m pytest")


@pytest.mark.parametrize("command", COMMANDS, ids=["demo", "tests"])
def test_a_shell_understands_them(command: str) -> None:
    subprocess.run(["sh", "-n", "-c", command], check=True, timeout=10)


def test_the_checks_run_the_readme_s_command_and_no_other() -> None:
    """.ci/run takes its steps from the one line of the README with ``-m pytest`` in it."""
    assert [line for line in README.splitlines() if "-m pytest" in line] == [COMMANDS[1]]
    assert "grep -F -- '-m pytest' \"$source/README.md\"" in CI
    own_words = [line for line in CI.splitlines() if not line.strip().startswith("#")]
    assert not any("pip install" in line or "apt-get install" in line for line in own_words)


def test_the_checks_know_when_everything_is_installed_already() -> None:
    tools = re.search(r"for tool in ([a-z ]+);", CI)
    assert tools
    of = {"ps": "procps", "setfacl": "acl", "setfattr": "attr", "gpg": "gnupg", "bwrap": "bubblewrap"}
    named = {of.get(tool, tool) for tool in tools[1].split()}
    assert named | {"python3-venv", "libc6-dev"} == packages(COMMANDS[1])


def test_the_extra_that_is_installed_exists() -> None:
    assert "-e '.[test]'" in COMMANDS[1]
    assert re.search(r"^test = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "words", sorted(set(re.findall(r"`agentgate ((?:tui|run|init|check|audit)\b[^`]*)`", README)))
)
def test_every_command_that_is_named_is_one(words: str) -> None:
    parser().parse_args(shlex.split(words.split(" -- ")[0]))


def test_the_policy_in_it_loads_and_passes_its_own_tests() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    policy = load_text(text, "README.md")
    context = Context("/home/u/p", "/home/u")
    assert len(policy.rules) == 2
    assert run_tests(policy, context) == []
    Matcher(policy, context)


def test_its_pictures_and_links_are_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
