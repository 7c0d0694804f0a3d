"""The room's configuration: what it changes, and one line for each mistake in it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from room_kit import INSTALL, ask, install, make_session, room, text_of, until

from agentgate.actions import Verdict
from agentgate.configdir import ConfigError, config_directory
from agentgate.gate.build import own_paths
from agentgate.tui.config import Config, Notifications, default_text, load
from agentgate.tui.keys.commands import COMMANDS, Context
from agentgate.tui.keys.keymap import LEADERS
from agentgate.tui.keys.keynames import key_name
from agentgate.tui.modes import Mode


def read(tmp_path: Path, text: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load(file)


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    said = str(caught.value)
    assert said.startswith(str(tmp_path / "config.toml"))
    assert "\n" not in said
    return said.removeprefix(str(tmp_path / "config.toml"))


def test_without_a_file_everything_is_as_it_is(tmp_path: Path) -> None:
    config = load(tmp_path / "config.toml")
    assert (config.theme, config.arm_seconds, config.keys.leaders) == ("agentgate-dark", 0.5, LEADERS)
    with pytest.raises(ConfigError, match="no such file"):
        load(tmp_path / "config.toml", must=True)


def test_all_that_can_be_set(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        """
leader = "ctrl+g"
theme = "agentgate-light"
arm_seconds = 1
[notifications]
bell = false
seconds = 5
[keys]
allow = ["y", "F5"]
[keys.control]
help = "f2"
[keys.leader]
quit = "x"
""",
    )
    keys = config.keys
    assert config.theme == "agentgate-light"
    assert config.arm_seconds == 1.0
    assert config.notifications == Notifications(bell=False, seconds=5.0)
    assert keys.leaders == ("ctrl+g",)
    assert keys.lead == "ctrl+g"
    for context in (Context.LEADER, Context.CONTROL, Context.AUDIT):
        assert (found := keys.find(context, "y")) and found.id == "allow"
        assert (found := keys.find(context, "f5")) and found.id == "allow"
        assert (found := keys.find(context, "a")) is None or found.id != "allow"
    assert (found := keys.find(Context.CONTROL, "f2")) and found.id == "help"
    assert (found := keys.find(Context.LEADER, "ctrl+g")) and found.id == "send-leader"
    assert (found := keys.find(Context.CONTROL, "ctrl+g")) and found.id == "agent"
    assert (found := keys.find(Context.LEADER, "x")) and found.id == "quit"
    assert (found := keys.find(Context.CONTROL, "q")) and found.id == "quit"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('\nledaer = "f9"\n', ":2: unknown key 'ledaer' (leader, theme,"),
        ('theme = "pink"', ":1: unknown theme 'pink' (agentgate-dark, "),
        ("arm_seconds = 0.1", ":1: arm_seconds is a number of seconds from 0.3 to 10"),
        ("arm_seconds = true", ":1: arm_seconds is a number"),
        ("[notifications]\nbel = true", ":2: unknown key 'bel' (bell, osc9, title, seconds)"),
        ("[notifications]\n# x\nbell = 1", ":3: bell is true or false"),
        ("keys = 3", ":1: keys is a table: write [keys]"),
        ('[keys]\nalow = "y"', ":2: unknown command 'alow'"),
        ('[keys.contol]\nallow = "y"', ":1: unknown table keys.contol (leader, "),
        ('[keys]\nallow = "hyper+y"', ":2: no key 'hyper+y': 'hyper' is none of ctrl, alt and shift"),
        ('[keys]\nallow = "yy"', ":2: no key 'yy'"),
        ("[keys]\nallow = 3", ":2: allow takes a key or a list of keys"),
        ('[keys]\n\nallow = "d"', ":3: d is 'deny' in "),
        ('[keys.control]\nquit = "d"', ":2: d is 'deny' in control already"),
        ("[keys.quit]\nclose = []", ":2: 'close' must have a key"),
        ('leader = "x"', ":1: 'x' is a key that the agent needs"),
        ("leader = []", ":1: there must be a leader"),
        ("leader = ", ":1: no TOML: "),
        ("a = 1\na = 2", ":2: no TOML: "),
    ],
)
def test_a_mistake_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, text).startswith(said)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ctrl+]", "ctrl+right_square_bracket"),
        ("?", "question_mark"),
        ("A", "A"),
        ("shift+a", "A"),
        ("Ctrl+G", "ctrl+g"),
        ("F12", "f12"),
        ("esc", "escape"),
        ("PgDn", "pagedown"),
        ("+", "plus"),
        ("ctrl++", "ctrl+plus"),
        ("alt+x", "alt+x"),
        ("/", "slash"),
        ("space", "space"),
        ("question_mark", "question_mark"),
    ],
)
def test_keys_are_named_as_people_write_them(written: str, name: str) -> None:
    assert key_name(written) == name


def test_the_printed_configuration_lists_all_and_changes_nothing(tmp_path: Path) -> None:
    text = default_text()
    assert read(tmp_path, text).theme == Config().theme
    for command in COMMANDS:
        assert f"# {command.id} = " in text
    spoken = "\n".join(
        line[2:] if line.startswith("# ") and " = " in line and "themes:" not in line else line
        for line in text.splitlines()
    )
    tomllib.loads(spoken)
    said = read(tmp_path, spoken)  # every line of it is right, and says what holds anyway
    assert {(c.context, c.id, c.keys) for c in said.keys.commands} == {
        (c.context, c.id, c.keys) for c in Config().keys.commands
    }
    assert (said.theme, said.arm_seconds, said.notifications) == ("agentgate-dark", 0.5, Notifications())


def test_no_traceback_for_a_mistake_in_it(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[keys]\nallow = "d"\n')
    script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    program = [
        sys.executable,
        "-m",
        "agentgate",
        "tui",
        "--gate",
        "shim",
        "--config",
        "config.toml",
        "--",
        "cat",
    ]
    run = subprocess.run(
        [sys.executable, "-c", script, *program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 2
    assert run.stdout.strip().endswith("give one of them another key")
    assert len(run.stdout.strip().splitlines()) == 1


def test_the_agent_must_not_change_it(tmp_path: Path) -> None:
    session = make_session(tmp_path, config=tmp_path / "my.toml")
    own = own_paths(session.settings, None)
    assert str(config_directory(session.settings.env)) in own
    assert str(tmp_path / "my.toml") in own


async def test_another_leader_and_another_key_decide(tmp_path: Path) -> None:
    config = read(tmp_path, 'leader = "ctrl+g"\narm_seconds = 0.4\n[keys]\nallow = "y"\n')
    session = make_session(tmp_path, "bash", "-c", "stty raw -echo; echo ready; exec cat -v")
    async with room(session, config=config) as (app, pilot):
        pane = app._room.pane
        question = ask(session, install("chalk"), INSTALL)
        await until(lambda: app.state.drawn_at and "ready" in pane.screen_text(), pilot)
        await until(lambda: "ctrl+g" in text_of(app) and "y allow" in text_of(app), pilot)
        assert app.state.armed(app.state.drawn_at + 0.41)
        assert not app.state.armed(app.state.drawn_at + 0.39)
        await until(lambda: "ctrl+g y allow   d deny" in text_of(app), pilot)  # the action's own line, too
        await pilot.press("ctrl+right_square_bracket", "ctrl+g", "ctrl+g")
        await until(lambda: "^]^G" in pane.screen_text(), pilot)
        await asyncio.sleep(0.5)
        await pilot.press("ctrl+g", "y")
        assert (await asyncio.wait_for(question, 5)).verdict is Verdict.ALLOW
        assert app.state.mode is Mode.AGENT
