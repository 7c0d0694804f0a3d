"""The gate keeps directories that it found before. Whatever is moved, replaced, linked or closed meanwhile,
by the session itself or by somebody outside: a call ends where it ends without the gate, decided on that."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from harness import World, deny

# Each prints what it found; the tree is compared too.
SCRIPTS = {
    "moved and replaced": """
        os.makedirs(f"{here}/d/sub"); make(f"{here}/d/one"); make(f"{here}/d/sub/one")
        os.rename("d", "e"); os.mkdir("d"); make(f"{here}/d/two")
        print(make(f"{here}/d/sub/two"), make(f"{here}/e/sub/two"))
        """,
    "the working directory moved and replaced": """
        os.mkdir("d"); os.chdir("d"); make("one")
        os.rename(f"{here}/d", f"{here}/e"); os.mkdir(f"{here}/d"); make("two"); make("../three")
        os.chdir(f"{here}/d"); make("four"); os.rmdir(f"{here}/e") if not os.listdir(f"{here}/e") else None
        """,
    "the working directory removed": """
        os.mkdir("d"); os.chdir("d"); make("one"); os.unlink("one"); os.rmdir(f"{here}/d")
        print(make("two")); os.mkdir(f"{here}/d"); print(make("three"))
        """,
    "a name that looks deleted": """
        os.mkdir("d"); os.mkdir("d (deleted)"); os.chdir("d (deleted)"); make("one")
        os.chdir("../d"); make("one"); os.rename(f"{here}/d", f"{here}/d (deleted)/d"); make("two")
        """,
    "a link turned": """
        os.mkdir("a"); os.mkdir("b"); os.symlink("a", "l"); make(f"{here}/l/one")
        os.unlink("l"); os.symlink("b", "l"); make(f"{here}/l/two")
        os.rename("a", "was"); os.symlink("b", "a"); make(f"{here}/a/three")
        """,
    "closed to its owner": """
        os.makedirs("d/sub"); make(f"{here}/d/sub/one"); os.chmod("d", 0)
        print(make(f"{here}/d/sub/two")); os.chmod("d", 0o700); print(make(f"{here}/d/sub/three"))
        fd = os.open("d", os.O_RDONLY); os.fchmod(fd, 0o500); print(make(f"{here}/d/four"))
        os.fchmod(fd, 0o700)
        """,
    "a thread that goes elsewhere": """
        import threading
        os.mkdir("a"); os.mkdir("b"); stop = []
        def walk():
            while not stop: os.chdir(f"{here}/a"); os.chdir(f"{here}/b")
        thread = threading.Thread(target=walk); thread.start()
        for n in range(300): make(f"f{n}")
        stop.append(1); thread.join(); os.chdir(here); make("last")
        names = sorted(os.listdir("a") + os.listdir("b") + [n for n in os.listdir(".") if n[0] == "f"])
        print(len(names))
        [os.unlink(f"{d}/{n}") for d in ("a", "b", ".") for n in os.listdir(d) if n[0] == "f"]
        """,
    "a child that goes elsewhere": """
        os.mkdir("a"); make("one")
        if not os.fork(): os.chdir("a"); make("two"); os._exit(0)
        os.wait(); make("three")
        """,
}  # fmt: skip
PRELUDE = """
import os, sys
here = os.getcwd()
def make(path):
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        return error.errno
    return 0
"""


def tree(world: World) -> list[str]:
    return sorted(str(path.relative_to(world.project)) for path in world.project.rglob("*"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_where_calls_end(worlds: World, name: str) -> None:
    lines = SCRIPTS[name].splitlines()
    code = PRELUDE + "\n".join(line.removeprefix("        ") for line in lines)
    command = (sys.executable, "-c", code)
    bare = worlds.bare(*command)
    assert bare.status == 0, bare.err
    left = tree(worlds)
    worlds.worker.spawn(["sh", "-c", f"rm -rf {worlds.project}/*"]).wait(10)
    gated = worlds.run(*command, operator=deny)
    assert (gated.status, gated.out, gated.asks) == (0, bare.out, []), gated.err
    assert tree(worlds) == left


FOR_EVER = """
import os, sys
os.chdir("d"); here = os.getcwd()
print("ready", flush=True)
for line in sys.stdin:
    for path in ("relative", f"{here}/absolute"):
        try:
            os.close(os.open(path + line.strip(), os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError as error:
            print(error.errno)
    print("made" + line.strip(), flush=True)
"""


def test_somebody_outside_moves_it(worlds: World) -> None:
    """Nothing tells the gate of it: it must look. What is decided is where the object lies now."""
    project, outside = worlds.project, worlds.outside
    policy = "default: ask\nrules:\n- match: {action: exec}\n  decision: allow\n"
    policy += '- match: {action: fs_write, target_glob: "$PWD/**"}\n  decision: allow\n'
    (project / "d").mkdir()
    worlds.give(project / "d")
    command = (sys.executable, "-c", FOR_EVER)
    with worlds.start(*command, policy=policy, pty=True, operator=deny) as run:
        run.says("ready")
        run.type("1\n")
        run.says("made1")
        os.rename(project / "d", outside / "e")
        (project / "d").mkdir()
        worlds.give(project / "d")
        run.type("2\n")
        run.says("made2")
        asked = [ask.target for ask in run.asks]
    assert asked == [str(outside / "e/relative2")]
    assert sorted(os.listdir(outside / "e")) == ["absolute1", "relative1"]
    assert os.listdir(project / "d") == ["absolute2"]


def test_something_is_mounted_over_it(world: World) -> None:
    """A write goes to what lies on top now, as everybody else sees it."""
    place = world.project / "d"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("not here: the right to mount")
    subprocess.run(["umount", place], check=True)
    code = FOR_EVER.replace(
        'os.chdir("d"); here = os.getcwd()', 'here = os.getcwd() + "/d"; os.mkdir("w"); os.chdir("w")'
    )
    with world.start(sys.executable, "-c", code, pty=True, operator=deny) as run:
        run.says("ready")
        run.type("1\n")
        run.says("made1")
        subprocess.run(mount, check=True)
        try:
            run.type("2\n")
            run.says("made2")
            assert os.listdir(place) == ["absolute2"]
        finally:
            time.sleep(2.5)  # what it has not used for a second the gate does not hold open
            subprocess.run(["umount", place], check=True)
    assert os.listdir(place) == ["absolute1"]
