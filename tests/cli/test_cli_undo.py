"""``agentgate undo``: which session is meant, what it says, how it ends."""

from __future__ import annotations

import json

import pytest
from cli_kit import World


@pytest.fixture
def changed(world: World) -> World:
    """A world in which a session changed a file and made one."""
    world.policy.write_text("default: allow\n")
    (world.project / "file").write_text("before\n")
    done = world.agentgate("run", "--", "sh", "-c", "echo after > file; echo x > new")
    if done.returncode == 69:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return world


def test_a_session_by_its_place_and_its_name(changed: World) -> None:
    [session] = [
        json.loads(line) for line in changed.agentgate("undo", "--list", "--json").stdout.split("\n")[:-1]
    ]
    assert session["project"] == str(changed.project) and session["running"] is False
    name = session["session"]
    assert changed.agentgate("undo", "--list").stdout.startswith(f"{name}  2")
    for words in ((), ("last",), (name,)):
        shown = changed.agentgate("undo", *words, "--json").stdout
        assert [(line["path"], line["sort"]) for line in map(json.loads, shown.splitlines())] == [
            (f"{changed.project}/file", "changed"), (f"{changed.project}/new", "created"),
        ]  # fmt: skip
    assert changed.agentgate("undo", name, "--all", cwd=changed.home).returncode == 0
    assert (changed.project / "file").read_text() == "before\n"
    assert changed.agentgate("undo").stdout.endswith("nothing on disk differs\n")


def test_what_it_says_and_how_it_ends(changed: World) -> None:
    diff = changed.agentgate("undo", "--diff", "file", "--json")
    assert json.loads(diff.stdout)["diff"] == ["@@ -1 +1 @@", "-before", "+after"]
    done = changed.agentgate("undo", "file", "other", "--json")
    assert done.returncode == 1
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"path": f"{changed.project}/other", "done": "",
         "error": "this session did not change it, or it was taken back"},
        {"path": f"{changed.project}/file", "done": "restored", "error": ""},
    ]  # fmt: skip
    assert (changed.project / "new").exists()


def test_a_session_that_keeps_nothing(changed: World) -> None:
    count = len(changed.agentgate("undo", "--list").stdout.splitlines())
    assert changed.agentgate("run", "--no-undo", "--", "sh", "-c", "echo more > new").returncode == 0
    assert len(changed.agentgate("undo", "--list").stdout.splitlines()) == count


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            (),
            "undo: no session that began in this directory is kept (agentgate undo --list names the others)",
        ),
        (("--all", "x"), "undo: no session that began"),
        (("--list", "x"), "undo: --list stands alone, or with --json"),
        (("--all", "--diff"), "undo: --all takes back, --diff shows: choose one"),
    ],
)
def test_a_mistake_is_one_line(world: World, words: tuple[str, ...], said: str) -> None:
    done = world.agentgate("undo", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"agentgate: {said}") and done.stderr.count("\n") == 1
    assert world.agentgate("undo", "--list").stdout == "no session is kept\n"
