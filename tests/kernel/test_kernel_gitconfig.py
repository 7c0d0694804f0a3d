"""The guard of ``.git/config`` behind the gate: silent for what git notes down, and for nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from harness import OPEN_POLICY, POLICY, SYSTEM_PATH, World, deny

PLAIN = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
EVIL = PLAIN + "\tfsmonitor = ./evil\n"
EVERYDAY = r"""
    git init -q -b main . && git config user.email me@example.com && echo 1 > f && git add f && git commit -qm one
    git clone -q . copy && git -C copy branch -q -t new main && git -C copy branch -D -q new
    git init -q --bare bare.git && git -C copy config pull.rebase true && git log --oneline | wc -l
    git config core.hooksPath hooks; echo $?; git remote add other ./evil; echo $?; git -C copy remote set-url origin x; echo $?
    git config user.name '!evil "x"'; echo $?; cat .git/config
"""  # noqa: E501


def test_git_is_silent_until_something_could_run(worlds: World) -> None:
    """Every call of the first three lines goes through, none of the last two."""
    if not shutil.which("git", path=SYSTEM_PATH):
        pytest.skip("not here: git")
    result = worlds.run("bash", "-c", EVERYDAY, operator=deny)
    assert [(ask.guard, Path(ask.target).parts[-3:]) for ask in result.asks] == [
        ("git-config", ("project", ".git", "config")),
        ("git-config", ("project", ".git", "config")),
        ("git-config", ("copy", ".git", "config")),
        ("git-config", ("project", ".git", "config")),
    ]
    assert result.out.splitlines()[:1] == ["1"] and "email = me@example.com" in result.out
    assert "hooksPath" not in result.out and "other" not in result.out


def test_a_config_that_runs_something_is_asked_about(world: World) -> None:
    (world.project / ".git").mkdir()
    asked = {"git-config"}
    for text, guards in (
        (PLAIN, set()),
        (EVIL, asked),
        ("[include]\n\tpath = ../x\n", asked),
        (PLAIN, set()),
    ):
        world.file(world.project / "new", text)
        result = world.run("mv", "-f", "new", ".git/config", operator=deny, policy=OPEN_POLICY)
        assert {ask.guard for ask in result.asks} == guards, text
        assert (world.project / ".git/config").read_text() == PLAIN


# Each has another way in to what is renamed: through it the file could become another one afterwards.
WAYS = {
    "open for writing": "file = open('new', 'r+'); os.rename('new', '.git/config'); file.write(evil)",
    "mapped": "file = open('new', 'r+'); m = mmap.mmap(file.fileno(), 0); file.close(); "
    "os.rename('new', '.git/config'); m[:4] = b'evil'",
    "in a child": "file = open('new', 'r+')\n"
    "if os.fork(): os.rename('new', '.git/config'); os.wait()\n"
    "else: time.sleep(0.2); file.write(evil)",
    "another name": "os.link('new', 'other'); os.rename('new', '.git/config'); "
    "open('other', 'w').write(evil)",
    "a link": "os.rename('new', 'other'); os.symlink('../other', 'new'); os.rename('new', '.git/config')",
    "exchanged": "ctypes.CDLL(None).renameat2(-100, b'new', -100, b'.git/config', 2) "
    "or open('new', 'w').write(evil)",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_config_that_can_still_change_is_asked_about(worlds: World, way: str) -> None:
    (worlds.project / ".git").mkdir()
    worlds.give(worlds.project / ".git")
    config = worlds.project / ".git/config"
    worlds.file(worlds.project / "new", PLAIN)
    if way == "exchanged":
        worlds.file(config, PLAIN)
    script = f"import ctypes, mmap, os, time\nevil = {EVIL!r}\n{WAYS[way]}\n"
    result = worlds.run("python3", "-c", script, operator=deny, policy=POLICY)
    assert [ask.guard for ask in result.asks] == ["git-config"], result.err
    assert (config.read_text() if config.exists() else PLAIN) == PLAIN
