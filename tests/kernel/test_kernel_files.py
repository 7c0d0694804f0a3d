"""Every call that changes a file, aimed outside the project: held, without effect when it is denied, and
when it is allowed with the very effect it has without the gate."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness import World, allow, deny


def labels(world: World) -> list[str]:
    return world.bare(*world.python("mutate", "labels", ".")).json


def lay_out(world: World, where: Path, names: list[str]) -> None:
    """The places that ``mutate.py`` acts on, in ``where`` and in the project."""
    for name in names:
        for base in (where, world.project):
            shutil.rmtree(base / name, ignore_errors=True)
            (base / name).mkdir()
            world.give(base / name)
        spot = where / name
        world.file(spot / "f", "content", 0o640)
        os.utime(spot / "f", (5000, 5000))
        try:
            os.setxattr(spot / "f", "user.a", b"1")
        except OSError:
            pytest.skip("not here: extended attributes in the temporary directory")
        (spot / "d").mkdir()
        (spot / "s").symlink_to("f")
        (spot / "n").symlink_to("made-by-link")
        for entry in ("d", "s", "n"):
            world.give(spot / entry)
        world.file(world.project / name / "p", "mine")


def snapshot(root: Path, *, stamps: bool) -> dict[str, Any]:
    """Everything about the tree that can be told; ``stamps`` with every inode number and change time."""
    found: dict[str, Any] = {}
    for path in sorted([root, *root.rglob("*")]):
        status = path.lstat()
        entry: list[Any] = [status.st_mode, status.st_uid, status.st_gid]
        if path.is_symlink():
            entry.append(os.readlink(path))
        elif path.is_file():
            entry += [path.read_bytes(), status.st_nlink, os.listxattr(path)]
        if stamps:
            entry += [status.st_ino, status.st_ctime_ns, status.st_mtime_ns]
        elif status.st_mtime < 10000:
            entry.append(status.st_mtime)  # set on purpose
        found[str(path.relative_to(root))] = entry
    return found


def test_denied_is_without_effect(worlds: World) -> None:
    names = labels(worlds)
    lay_out(worlds, worlds.outside, names)
    before = {name: snapshot(worlds.outside / name, stamps=True) for name in names}
    result = worlds.run(*worlds.python("mutate", worlds.outside, worlds.project), operator=deny, seconds=40)
    after = {name: snapshot(worlds.outside / name, stamps=True) for name in names}
    assert {name: said for name, said in result.json.items() if said != "EACCES"} == {}
    assert [name for name in names if before[name] != after[name]] == []
    asked = {part for ask in result.asks for part in f"{ask.target} {ask.origin}".split() if part}
    unasked = [name for name in names if not any(f"{worlds.outside}/{name}" in path for path in asked)]
    assert unasked == []
    assert all(record["verdict"] == "deny" for record in result.records if record["decision"] == "ask")


def test_allowed_is_what_it_is_without_the_gate(worlds: World) -> None:
    names = labels(worlds)
    lay_out(worlds, worlds.outside, names)
    bare = worlds.bare(*worlds.python("mutate", worlds.outside, worlds.project))
    expected = {name: snapshot(worlds.outside / name, stamps=False) for name in names}
    mine = {name: snapshot(worlds.project / name, stamps=False) for name in names}
    untouched = snapshot(worlds.outside / "openat-create-readonly", stamps=False)
    assert untouched != expected["openat-write"]  # the control has effects
    lay_out(worlds, worlds.outside, names)
    result = worlds.run(*worlds.python("mutate", worlds.outside, worlds.project), operator=allow, seconds=40)
    assert result.json == bare.json
    assert bare.json["openat-write"] == "ok"
    assert {name: snapshot(worlds.outside / name, stamps=False) for name in names} == expected
    assert {name: snapshot(worlds.project / name, stamps=False) for name in names} == mine


def test_targets_are_the_real_places(world: World) -> None:
    """However a path is spelled, the question names the object it means."""
    names = [name for name in labels(world) if name.startswith(("openat-", "open-"))]
    lay_out(world, world.outside, names)
    result = world.run(*world.python("mutate", world.outside, world.project, *names), operator=deny)
    by_name = {name: f"{world.outside}/{name}/" for name in names}
    for name, base in by_name.items():
        [target] = {ask.target for ask in result.asks if ask.target.startswith(base)}
        real = "made-by-link" if "dangling" in name else "new" if "create" in name or "excl" in name else "f"
        assert target == base + real
