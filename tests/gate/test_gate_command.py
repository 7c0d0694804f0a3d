"""What a program is called, and when a command is still the one that was decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentgate.gate.command import Approved, Places, interpreter


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


@pytest.fixture
def places(root: Path) -> Places:
    for name in ("tools", "project/bin", "elsewhere"):
        (root / name).mkdir(parents=True)
    return Places.of(f"{root}/tools:{root}/project/bin:bin", [str(root / "project")])


def test_a_bare_name_is_for_tools_of_the_system_and_the_operator(places: Places, root: Path) -> None:
    assert places.word("/usr/bin/git") == "git"
    assert places.word("/opt/vendor/bin/x") == "x"
    assert places.word(f"{root}/tools/lint") == "lint"
    assert places.word(f"{root}/elsewhere/git") == f"{root}/elsewhere/git"
    assert places.word(f"{root}/tools/sub/lint") == f"{root}/tools/sub/lint"


def test_no_bare_name_for_what_the_agent_can_write(places: Places, root: Path) -> None:
    """Also when it lies on PATH, behind a link, or its name is spelled another way."""
    assert places.word(f"{root}/project/bin/git") == f"{root}/project/bin/git"
    (root / "project" / "git").write_text("#!/bin/sh\n")
    (root / "tools" / "git").symlink_to(root / "project" / "git")
    assert places.word(f"{root}/tools/git") == f"{root}/tools/git"
    (root / "project" / "usr").symlink_to("/usr/bin")
    assert places.word(f"{root}/tools/../project/bin/git") == f"{root}/project/bin/git"
    assert places.word(f"{root}/project/usr/git") == "git"  # this is /usr/bin/git
    assert Places().word("/usrx/git") == "/usrx/git"


def test_argv0_never_counts(places: Places) -> None:
    assert places.words("/usr/bin/curl", ["git", "status"]) == ("curl", "status")
    assert places.target("/usr/bin/curl", ["ls", "-s", "a b"]) == "curl -s a b"
    assert places.target("/usr/bin/curl", []) == "curl"


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"#!/usr/bin/env node\n", "node"),
        (b"#! /usr/bin/env  node\r\n", "node"),
        (b"#!/usr/bin/env -S FOO=1 node --flag\n", "node"),
        (b"#!/bin/env /opt/node\n", "node"),
        (b"#!/usr/bin/env", ""),
        (b"#!/usr/bin/python3 -x\n", ""),
        (b"#!\n", ""),
        (b"", ""),
        (b"\x7fELF", ""),
        (b"#!/usr/bin/env " + b"x" * 5000, "x" * 241),
    ],
)
def test_the_interpreter_is_what_env_looks_up(tmp_path: Path, first: bytes, name: str) -> None:
    script = tmp_path / "script"
    script.write_bytes(first)
    assert interpreter(str(script)) == name


def test_no_interpreter_of_what_cannot_be_read(tmp_path: Path) -> None:
    assert interpreter(str(tmp_path / "nothing")) == ""
    assert interpreter(str(tmp_path)) == ""


@pytest.mark.parametrize(
    ("program", "argv", "same"),
    [
        ("/usr/bin/node", ["node", "SCRIPT", "install", "x"], True),
        ("/usr/bin/node", ["node", "--flag", "SCRIPT", "install", "x"], True),
        ("/usr/bin/python3", ["node", "SCRIPT", "install", "x"], False),  # not the script's interpreter
        ("/usr/bin/node", ["node", "SCRIPT", "install", "y"], False),
        ("/usr/bin/node", ["node", "SCRIPT", "install", "x", "y"], False),
        ("/usr/bin/node", ["node", "/other", "install", "x"], False),
        ("/usr/bin/node", ["SCRIPT", "install", "x"], False),
        ("/usr/bin/node", [], False),
    ],
)
def test_a_script_goes_on_as_its_interpreter(
    tmp_path: Path, program: str, argv: list[str], same: bool
) -> None:
    script = tmp_path / "npm"
    script.write_text("#!/usr/bin/env node\n")
    approved = Approved(str(script), ("npm", "install", "x"))
    words = [str(script) if word == "SCRIPT" else word for word in argv]
    assert approved.continues_as(program, words) is same
