"""The room in a real terminal: modes, both leaders, zoom, palette, mouse, the operator's own keys."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from tmux_kit import AGENTGATE, LEADER, Tmux, World, world_outside_tmp

BASH = ("bash", "--norc", "-i")


@pytest.fixture
def world() -> Iterator[World]:
    with world_outside_tmp() as made:
        yield made


def room_of(world: World, *options: str, size: tuple[int, int] = (120, 36)) -> Tmux:
    return Tmux(world, [str(AGENTGATE), "tui", "--gate", "shim", *options, "--", *BASH], *size)


def answers(world: World) -> list[tuple[str, str]]:
    entries = [json.loads(line) for line in world.audit.read_text().splitlines()]
    return [(entry["target"], entry["verdict"]) for entry in entries if entry.get("decision") == "ask"]


def header(room: Tmux) -> str:
    return room.screen.splitlines()[0]


def test_modes_zoom_and_palette_by_keys(world: World) -> None:
    with room_of(world) as room:
        room.wait("ready$")
        assert " AGENT " in header(room)
        room.keys("F12", "z")
        room.wait(lambda: "QUEUE" not in room.screen)
        assert "nothing waits" in room.screen.splitlines()[-2]
        room.type("stty size")
        room.wait("33 120")
        room.keys(LEADER, "z")
        room.wait("1 QUEUE")
        room.type("clear; stty size")
        room.wait("34 80")
        room.keys("F12", "Tab")
        room.wait(lambda: " CONTROL " in header(room))
        room.keys("4", "z")
        room.wait(lambda: "4 POLICY" in room.screen and "1 QUEUE" not in room.screen)
        room.keys("z")
        room.wait("1 QUEUE")
        room.keys(":")
        room.wait("all commands")
        room.type("theme agentgate-light")
        room.wait(lambda: "all commands" not in room.screen)
        room.keys("Escape")
        room.wait(lambda: " AGENT " in header(room))
        room.type("echo still $((40 + 2))")
        room.wait("still 42")
        room.type("exit")
        room.wait("[status 0]")


def test_the_operators_own_leader_and_keys_and_a_resize_in_between(world: World) -> None:
    config = world.root / "my.toml"
    config.write_text('leader = "ctrl+g"\n[keys]\nallow = "y"\n[notifications]\nbell = false\n')
    with room_of(world, "--config", str(config), size=(90, 28)) as room:
        room.wait("ready$")
        assert "ctrl+g then" in room.screen
        room.type("npm --version; echo do''ne")
        room.wait("done")
        room.type("npm install chalk-of-nowhere; echo ' s'aid")
        room.wait_alert("npm install chalk-of-nowhere")
        room.resize(130, 40)
        room.wait("1 QUEUE")
        time.sleep(1.0)
        room.keys("C-g", "d")
        room.wait(" said")
        room.keys("C-g", "q")
        room.wait("ends the agent")
        room.keys("y")
        room.wait("[status")
    assert answers(world) == [("npm install chalk-of-nowhere", "deny")]


def test_the_mouse_changes_the_mode_and_presses_hints(world: World) -> None:
    with room_of(world) as room:
        room.wait("ready$")
        room.click(100, 3)  # a panel
        room.wait(lambda: " CONTROL " in header(room))
        room.click(10, 10)  # the terminal
        room.wait(lambda: " AGENT " in header(room))
        room.click(header(room).index(" AGENT ") + 2, 0)
        room.wait(lambda: " CONTROL " in header(room))
        hints = room.screen.splitlines()[-1]
        room.click(hints.index("? help"), 35)
        room.wait("In AGENT mode, after")
        room.click(1, 1)  # beside it
        room.wait(lambda: "In AGENT mode, after" not in room.screen)
        room.keys("Escape")
        room.wait(lambda: " AGENT " in header(room))
        room.type("exit")
        room.wait("[status 0]")


def test_a_mistake_in_the_configuration_is_one_line(world: World) -> None:
    folder = world.home / ".config" / "agentgate"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("# mine\nthem = 'light'\n")
    with room_of(world) as room:
        screen = room.wait("[status 2]")
        said = "".join(screen.split())  # where the line is folded, a blank is lost
        assert "config.toml:2:unknownkey'them'(leader,theme," in said
        assert "Traceback" not in said
