"""Runs a script bare and behind the gate, and compares what it printed and what it left."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from harness import SYSTEM_PATH, Operator, Result, World, allow


def needs(*programs: str) -> None:
    """Skip where one of them is missing."""
    for program in programs:
        if not shutil.which(program, path=SYSTEM_PATH):
            pytest.skip(f"not here: {program}")


def snapshot(root: Path) -> dict[str, Any]:
    """Names, kinds, modes and numbers of links, and what is in small files."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        entry: list[Any] = [oct(status.st_mode), status.st_uid, status.st_gid]
        if path.is_symlink():
            entry.append(os.readlink(path))
        elif stat.S_ISREG(status.st_mode):
            entry.append(status.st_nlink)
            if status.st_size < 500:
                entry.append(path.read_bytes())
        found[str(path.relative_to(root))] = entry
    return found


def clean(root: Path) -> None:
    for path in root.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def compare(
    world: World, programs: str, script: str, *, operator: Operator = allow, **options: Any
) -> Result:
    """The same output, status and tree as without the gate. ``programs`` are those that it needs."""
    needs(*programs.split())
    command = ("bash", "-c", script)
    bare = world.bare(*command, seconds=40)
    left = snapshot(world.project)
    clean(world.project)
    clean(world.home)
    if "unshare" in script and bare.status:
        pytest.skip("not here: user namespaces")
    result = world.run(*command, operator=operator, seconds=40, **options)
    assert result.out == bare.out, result.err
    assert result.status == bare.status
    assert snapshot(world.project) == left
    assert result.notices == []
    return result
