"""What the session changed is taken back to what it was: content, mode, times, names, attributes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import POLICY, Result, World, allow, deny, only
from ordinary import needs
from test_kernel_files import labels, lay_out

WRITES = """\
default: ask
rules:
  - match: {action: exec}
    decision: allow
  - match: {action: fs_write, target_glob: ["$PWD/**", "/tmp/**"]}
    decision: allow
"""


def state(root: Path) -> dict[str, Any]:
    """Everything about the tree that undoing gives back; of a directory's own times nobody is told."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        entry: list[Any] = [oct(status.st_mode), status.st_uid, status.st_gid, status.st_nlink]
        if path.is_symlink():
            entry += [os.readlink(path), status.st_mtime_ns]
        elif path.is_file():
            attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
            entry += [path.read_bytes(), status.st_mtime_ns, attributes]
        if path.is_dir() and not path.is_symlink():
            entry.pop(3)
        found[str(path.relative_to(root))] = entry
    return found


def undo(world: World, *words: object) -> Result:
    """``agentgate undo`` as this user, in the project."""
    done = world.bare(sys.executable, "-m", "agentgate", "undo", *words)
    assert done.err == "", done.err
    return done


def journal(world: World) -> list[dict[str, Any]]:
    [path] = (world.home / ".local/state/agentgate/sessions").glob("*/journal.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def round_trip(world: World, script: str, **options: Any) -> Result:
    """Run ``script``, see that it changed something, take it all back."""
    before = state(world.project), state(world.outside)
    result = world.run("sh", "-c", script, policy=WRITES, **options)
    assert (state(world.project), state(world.outside)) != before
    done = undo(world, "--all")
    assert (state(world.project), state(world.outside)) == before, done.out
    assert done.status == 0, done.out
    return result


def test_every_call_is_taken_back(worlds: World) -> None:
    names = labels(worlds)
    lay_out(worlds, worlds.outside, names)
    before = {name: (state(worlds.outside / name), state(worlds.project / name)) for name in names}
    result = worlds.run(
        *worlds.python("mutate", worlds.outside, worlds.project), operator=allow, seconds=40,
    )  # fmt: skip
    assert result.json["openat-write"] == "ok"
    changed = {name: (state(worlds.outside / name), state(worlds.project / name)) for name in names}
    assert sum(changed[name] != before[name] for name in names) > 40
    done = undo(worlds, "--all")
    assert done.status == 0, done.out
    after = {name: (state(worlds.outside / name), state(worlds.project / name)) for name in names}
    assert {name: after[name] for name in names if after[name] != before[name]} == {}


SCRIPTS = {
    "changed": "echo more >> f; chmod 600 f",
    "changed in place, times set back": "touch -r f t; printf CONTENT > f; touch -r t f; rm t",
    "created": "mkdir -p a/b; echo x > a/b/c; ln -s c a/b/l; mkfifo a/p",
    "removed": "rm f; rm -r d",
    "removed and another thing made": "rm f; mkdir f; echo x > f/x; rm -r d; echo y > d",
    "renamed over": "echo new > t; mv t f",
    "renamed": "mv f g; echo more >> g",
    "a tree renamed": "mv d e; echo more >> e/one; mkdir d; echo z > d/one; rm e/sub/two",
    "a tree renamed twice, and into a new one": "mkdir n; mv d n/d; mv n m; echo x > m/d/one; rm m/d/sub/two",
    "backwards and forwards": "mv d e; mv e d; echo x > d/one",
    "swapped with a new one": "mkdir t; echo t > t/one; mv d o; mv t d; mv o t",
    "through a hard link": "ln f h; echo more >> h; rm h",
    "through a link": "ln -s f l; echo more >> l; chmod 600 l; rm l; rm f",
    "links": "rm l2; ln -s elsewhere l2; ln -sfn f l2",
    "only touched": "chmod 700 d; chmod 444 f; touch f",
    "in a directory without rights": "chmod 700 closed; echo x > closed/x; rm closed/y; chmod 500 closed",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_round_trip(worlds: World, script: str) -> None:
    project = worlds.project
    worlds.file(project / "f", "content\n", 0o640)
    for folder in ("d", "d/sub", "closed"):
        (project / folder).mkdir()
        worlds.give(project / folder)
    worlds.file(project / "d/one", "one\n")
    worlds.file(project / "d/sub/two", "two\n", 0o444)
    worlds.file(project / "closed/y", "y\n")
    (project / "closed").chmod(0o500)
    (project / "l2").symlink_to("nowhere")
    worlds.give(project / "l2")
    for path in project.rglob("*"):
        os.utime(path, ns=(10**18, 10**18 + 1), follow_symlinks=False)
    round_trip(worlds, script)


def test_git_is_taken_back(world: World) -> None:
    needs("git")
    for words in ("init -q", "commit -q --allow-empty -m one"):
        assert world.bare("git", *words.split()).status == 0
    world.file(world.project / "a", "a\n")
    round_trip(
        world, "git add a; git commit -qm two; git checkout -qb other; echo b > a; git commit -qam three",
        operator=allow,
    )  # fmt: skip
    assert world.bare("git", "status", "--porcelain").out == "?? a\n"


def test_one_file_and_what_is_shown(world: World) -> None:
    for name in ("one", "two"):
        world.file(world.project / name, f"{name}\n")
    world.run("sh", "-c", "echo more >> one; echo more >> two; mkdir new; echo x > new/x; echo y > new/y")
    shown = undo(world).out
    assert "1 created, 2 changed" in shown
    assert "~ one  4 B → 9 B" in shown and "+ new/  2 files, 4 B" in shown
    assert undo(world, "--diff", "one").out.splitlines()[1:] == ["@@ -1 +1,2 @@", " one", "+more"]
    assert undo(world, "one", "--dry-run").out == f"✓ {world.project}/one: would be restored\n"
    assert (world.project / "one").read_text() == "one\nmore\n"
    assert undo(world, "one", "new/x").status == 0
    assert (world.project / "one").read_text() == "one\n"
    assert (world.project / "two").read_text() == "two\nmore\n"
    assert not (world.project / "new/x").exists() and (world.project / "new/y").exists()
    backs = [line["path"] for line in journal(world) if line.get("word") == "back"]
    assert sorted(backs) == [f"{world.project}/new/x", f"{world.project}/one"]


def test_what_was_changed_since_stays(world: World) -> None:
    world.file(world.project / "f", "before\n")
    world.run("sh", "-c", "echo after > f; mkdir new; echo x > new/x; echo y > made")
    (world.project / "f").write_text("mine\n")
    (world.project / "new/mine").write_text("mine\n")
    (world.project / "made").write_text("mine\n")
    done = undo(world, "--all")
    assert done.status == 1
    assert done.out.count("after the session ended; --force takes it back all the same") == 2
    assert (world.project / "f").read_text() == (world.project / "made").read_text() == "mine\n"
    assert [path.name for path in (world.project / "new").iterdir()] == ["mine"]
    assert undo(world, "--all", "--force").status == 0
    assert (world.project / "f").read_text() == "before\n"
    assert not (world.project / "new").exists() and not (world.project / "made").exists()


def test_a_link_in_a_directorys_place_is_not_followed(worlds: World) -> None:
    worlds.file(worlds.outside / "f", "precious\n")
    (worlds.project / "d").mkdir()
    worlds.give(worlds.project / "d")
    worlds.file(worlds.project / "d/f", "before\n")
    worlds.run("sh", "-c", f"echo after > d/f; mv d e; ln -s {worlds.outside} d; mv e d2; rm -r d2")
    done = undo(worlds, "d/f")
    assert (worlds.outside / "f").read_text() == "precious\n"
    # planted after the session
    (worlds.project / "d").unlink()
    (worlds.project / "d").symlink_to(worlds.outside)
    done = undo(worlds, "--all", "--force")
    assert (worlds.outside / "f").read_text() == "precious\n", done.out


def test_a_link_planted_later_is_not_followed(worlds: World) -> None:
    (worlds.project / "d").mkdir()
    worlds.give(worlds.project / "d")
    worlds.file(worlds.project / "d/f", "before\n")
    worlds.file(worlds.outside / "f", "precious\n")
    worlds.run("sh", "-c", "echo after > d/f; echo x > d/new")
    shutil.rmtree(worlds.project / "d")
    (worlds.project / "d").symlink_to(worlds.outside)
    worlds.file(worlds.outside / "new", "precious\n")
    done = undo(worlds, "--all", "--force")
    assert done.status == 1 and "a link stands there now" in done.out
    assert (worlds.outside / "f").read_text() == (worlds.outside / "new").read_text() == "precious\n"


def test_what_is_too_large_is_told(world: World) -> None:
    world.file(world.project / "big", b"x" * (9 << 20))
    world.file(world.project / "gone", b"y" * (9 << 20))
    world.file(world.project / "moved", b"z" * (9 << 20))
    shares = world.bare("cp", "--reflink=always", "big", "copy").status == 0
    world.run("sh", "-c", "echo more >> big; rm gone; mv moved elsewhere; rm -f copy")
    shown = undo(world).out
    done = undo(world, "--all")
    assert (world.project / "gone").read_bytes() == b"y" * (9 << 20)  # by a link, at no cost
    assert (world.project / "moved").read_bytes() == b"z" * (9 << 20)
    if not shares:
        assert "not kept: too large" in shown
        assert done.status == 1 and "big: not taken back: its content was not kept (too large)" in done.out


def test_a_full_disk_stops_nothing_and_is_told(world: World) -> None:
    if os.geteuid() != 0:
        pytest.skip("not here: the right to mount a small file system")
    store = world.home / "state"
    store.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", store], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"not here: mount ({mounted.stderr.decode().strip()})")
    try:
        world.file(world.project / "f", b"x" * 200_000)
        world.file(world.project / "small", "small\n")
        result = world.run(
            "sh", "-c", "echo more >> f; echo more >> small", env={"XDG_STATE_HOME": str(store)}
        )
        assert result.status == 0 and (world.project / "f").stat().st_size == 200_005
        assert [text for text in result.notices if "No space left" in text] == [
            f"not kept for undo: {world.project}/f: No space left on device"
        ]
        done = world.bare(
            sys.executable, "-m", "agentgate", "undo", "--all", env={"XDG_STATE_HOME": str(store)}
        )
        assert "f: not taken back: its content was not kept (No space left on device)" in done.out
        assert (world.project / "small").read_text() == "small\n"
    finally:
        subprocess.run(["umount", store], check=True)


def test_the_store_is_the_gates_own(worlds: World) -> None:
    worlds.file(worlds.project / ".hidden", "secret\n")
    sessions = worlds.home / ".local/state/agentgate/sessions"
    policy = POLICY.replace("default: ask", "default: allow")
    script = (
        f"echo x >> .hidden; cat {sessions}/*/kept/1; echo x > {sessions}/*/journal.jsonl; "
        f"rm -r {sessions}/*/kept; mv {worlds.home}/.local {worlds.home}/other; "
        f"ln {sessions}/*/kept/1 mine; touch {sessions}/new"
    )
    result = worlds.run("sh", "-c", script, operator=deny, policy=policy)
    assert "secret" not in result.out
    assert {ask.guard for ask in result.asks} == {"gate", "read-keys"}  # .local holds secrets anyway
    assert {ask.syscall for ask in result.asks} >= {"open", "unlink", "rename", "link"}
    assert undo(worlds, "--all").status == 0
    assert (worlds.project / ".hidden").read_text() == "secret\n"


def test_nothing_is_kept_where_that_is_asked_for(world: World) -> None:
    world.file(world.project / "f", "before\n")
    result = world.run("sh", "-c", "echo after > f", undo=False)
    assert result.status == 0 and not (world.home / ".local/state/agentgate/sessions").exists()


def test_a_killed_app_leaves_what_can_be_forced(world: World) -> None:
    world.file(world.project / "f", "before\n")
    with world.start("sh", "-c", "echo after > f; echo done; sleep 60") as run:
        run.says("done")
        run.serve(0.3)
        run.kill_app()
    done = undo(world, "--all")
    assert done.status == 1 and "the session did not end in order" in done.out
    assert undo(world, "--all", "--force").status == 0
    assert (world.project / "f").read_text() == "before\n"


def test_old_sessions_go(world: World) -> None:
    from agentgate.changes.store import About, make, prune, sessions

    env = {"XDG_STATE_HOME": str(world.root / "state")}
    for number in range(5):
        store, lock = make(env, About(f"s{number}", "a", "/p", ("x",), float(number)))
        (store.folder / "kept/1").write_bytes(b"x" * 1000)
        if number:
            os.close(lock)
    prune(env, most=3, room=1 << 20)
    assert [store.about.session for store in sessions(env)] == ["s4", "s3", "s2", "s0"]  # s0 runs
    prune(env, most=3, room=1500)
    assert [store.about.session for store in sessions(env)] == ["s4", "s0"]
    os.close(lock) if number == 0 else None


def test_denied_changes_are_not_kept(world: World) -> None:
    world.file(world.outside / "f", "before\n")
    world.run("sh", "-c", f"echo after > {world.outside}/f; echo x > mine", operator=only())
    assert [line["path"] for line in journal(world) if line["k"] == "was"] == [f"{world.project}/mine"]


def test_a_session_that_changed_nothing_leaves_nothing(world: World) -> None:
    world.run("true")
    assert list((world.home / ".local/state/agentgate/sessions").iterdir()) == []


def test_while_the_session_runs_the_shell_moves_nothing_back(world: World) -> None:
    (world.project / "d").mkdir()
    world.give(world.project / "d")
    world.file(world.project / "d/f", "before\n")
    world.file(world.project / "g", "before\n")
    with world.start("sh", "-c", "mv d e; echo after > g; echo done; sleep 60") as run:
        run.says("done")
        run.serve(0.3)
        done = world.bare(sys.executable, "-m", "agentgate", "undo", "--all")
        assert done.status == 1 and "is moved back in the session's room" in done.out
        assert "the session still runs" in done.err
        assert (world.project / "e/f").exists() and (world.project / "g").read_text() == "before\n"
