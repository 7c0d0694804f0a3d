"""How long the agent waits for its command: said only where it is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgate.actions import Process
from agentgate.intent.patience import Patience, patience

CLAUDE = Process(10, ("claude",), "/usr/bin/node", 100)
TOOL = Process(20, ("/bin/bash", "-c", "sleep 500"), "/usr/bin/bash", 5000)
ACTING = Process(30, ("sleep", "500"), "/usr/bin/sleep", 5100)


def known(tmp_path: Path, *command: str, env: dict[str, str] | None = None) -> Patience | None:
    return patience(command, env or {}, str(tmp_path / "project"), str(tmp_path))


def test_claude_gives_a_command_two_minutes_or_what_its_environment_says(tmp_path: Path) -> None:
    assert known(tmp_path, "/opt/bin/claude", "--autonomous") == Patience("claude", 120.0)
    env = {"BASH_DEFAULT_TIMEOUT_MS": "30000"}
    assert known(tmp_path, "claude", env=env) == Patience("claude", 30.0)


@pytest.mark.parametrize("given", ["soon", "-5", "1e3", "٣"])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, given: str) -> None:
    assert known(tmp_path, "claude", env={"BASH_DEFAULT_TIMEOUT_MS": given}) is None


@pytest.mark.parametrize("command", [(), ("bash",), ("codex",)])
def test_of_other_agents_nothing_is_known(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert known(tmp_path, *command) is None


@pytest.mark.parametrize("place", [".claude/settings.json", "project/.claude/settings.local.json"])
def test_a_settings_file_that_mentions_it_makes_it_unknown(tmp_path: Path, place: str) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text('{"env": {}}')
    assert known(tmp_path, "claude") == Patience("claude", 120.0)
    file.write_text('{"env": {"BASH_DEFAULT_TIMEOUT_MS": "5000"}}')
    assert known(tmp_path, "claude") is None


def test_what_is_no_plain_settings_file_makes_it_unknown_and_blocks_nothing(tmp_path: Path) -> None:
    import os

    (tmp_path / ".claude").mkdir()
    os.mkfifo(tmp_path / ".claude" / "settings.json")
    assert known(tmp_path, "claude") is None


def test_what_is_left_counts_from_the_start_of_the_agents_shell() -> None:
    claude = Patience("claude", 120.0)
    assert claude.left((ACTING, TOOL, CLAUDE), 80.0, 100) == 90.0
    assert claude.left((TOOL, CLAUDE), 180.0, 100) == -10.0


@pytest.mark.parametrize(
    "chain", [(), (CLAUDE,), (ACTING, CLAUDE), (Process(20, ("bash", "-c", "x")), CLAUDE)]
)
def test_nothing_is_said_of_what_no_shell_of_the_agent_runs(chain: tuple[Process, ...]) -> None:
    assert Patience("claude", 120.0).left(chain, 80.0, 100) is None
