"""The same random sequence of file calls, bare and behind the gate: every call says the same, and the same
tree comes of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import World, deny
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("AGENTGATE_EXAMPLES", "100"))

plain = st.sampled_from([
    "a", "b", "c", "d", "e", "d/a", "d/b", "d/d", "e/a", "l", "d/l", "l/a", "a/", "d/", "l/", "new/",
    "d/.", "d/..", ".", "..", "", "nosuch/a", "a/b", "./a", "d//a", "d/../a", "../in/b", "n" * 255, "n" * 256,
    "/proc/self/cwd/a", "/proc/thread-self/cwd/d/b",
])  # fmt: skip
paths = plain | plain | st.sampled_from(["@0/a", "@0/new", "%0/b", "%0/d/../b", "@2/a"])
objects = paths | st.sampled_from(["@0", "@1", "@2", "%0", "%2"])
texts = st.sampled_from(["a", "b", "d", "l", "../in/a", "nosuch", "d/a", ".", "d/", "loop", ""])
modes = st.sampled_from([0o644, 0o600, 0o755, 0o700, 0o777, 0o4755, 0o1777, 0o2755, 0o444, 0o000, 0o7777])
slots = st.none() | st.integers(0, 2)
kept = st.integers(0, 2)
times = st.sampled_from(["early", "omit", "both omitted", "bad", "none"])
sizes = st.sampled_from([0, 3, 100, -1])
flags = st.builds(
    lambda mode, more: mode | sum(set(more)),
    st.sampled_from([os.O_RDONLY, os.O_WRONLY, os.O_RDWR]),
    st.lists(
        st.sampled_from([
            os.O_CREAT, os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND, os.O_NOFOLLOW, os.O_DIRECTORY,
            os.O_CLOEXEC, os.O_PATH, os.O_SYNC, os.O_NOATIME, os.O_NOCTTY, 3,
        ]), max_size=4,
    ),
)  # fmt: skip
empty = st.sampled_from([0, 0, 0x100, 0x1000, 0x1100, 0x8000000])  # SYMLINK_NOFOLLOW, EMPTY_PATH, unknown
names = st.sampled_from(["user.x", "user.y", "user.", "x", "user." + "n" * 250, "user." + "n" * 251])


def step(name: str, *args: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.tuples(*args).map(lambda values: [name, *values])


steps = st.one_of(
    step("open", slots, objects, flags, modes, st.none()),
    step("open", slots, paths, flags.map(lambda value: value | os.O_CREAT), modes, st.none() | kept),
    step("open", slots, paths, st.sampled_from([os.O_RDONLY, os.O_DIRECTORY, os.O_PATH]), modes, kept),
    step("open", slots, paths, st.sampled_from([
        os.O_TMPFILE, os.O_TMPFILE | os.O_RDWR, os.O_TMPFILE | os.O_WRONLY | os.O_EXCL,
        os.O_TMPFILE | os.O_RDWR | os.O_CREAT, os.O_TMPFILE & ~os.O_DIRECTORY | os.O_RDWR,
    ]), modes, kept),
    step("name", kept, slots, paths, st.booleans()),
    step("fallocate", kept, st.sampled_from([0, 1, 2, 3, 8, 16, 99]), st.integers(-1, 5000),
         st.integers(-1, 5000)),
    step("acl", objects, st.sampled_from(["good", "good", "short", "bad"]), st.booleans()),
    step("old", st.sampled_from([
        "open", "creat", "mkdir", "rmdir", "unlink", "rename", "link", "symlink", "mknod", "chmod", "chown",
        "lchown", "utime", "utimes", "futimesat",
    ]), paths, plain),
    step("mkdir", slots, paths, modes),
    step("unlink", slots, paths, st.sampled_from([0, 0x200, 0x1])),
    step("rename", slots, paths, slots, paths, st.sampled_from([0, 0, 0, 1, 2, 3, 8])),
    step("link", slots, paths, slots, paths, st.sampled_from([0, 0x400, 0x800])),
    step("symlink", texts, slots, paths),
    step("mknod", slots, paths, st.sampled_from([0o100644, 0o010600, 0o140700, 0o644, 0o040755, 0o170644])),
    step("truncate", objects, sizes),
    step("chmod", slots, objects, modes),
    step("chmod2", slots, paths, modes, empty),
    step("chown", slots, paths, st.booleans(), empty),
    step("utimes", slots, paths, times, empty),
    step("setxattr", paths, names, st.sampled_from(["", "v", "v" * 200]), st.integers(0, 4), st.booleans()),
    step("removexattr", paths, names, st.booleans()),
    step("fchmod", kept, modes),
    step("fchown", kept),
    step("futimes", kept, times),
    step("fsetxattr", kept, names, st.just("v")),
    step("fremovexattr", kept, names),
    step("ftruncate", kept, sizes),
    step("write", kept),
    step("umask", st.sampled_from([0, 0o022, 0o077, 0o777])),
    step("chdir", st.sampled_from(["d", ".", "d/..", "e"])),
)  # fmt: skip
# without a start every sequence is about ENOENT
START = [
    ["mkdir", None, "d", 0o755], ["open", None, "a", os.O_CREAT | os.O_WRONLY, 0o644, None],
    ["open", None, "d/b", os.O_CREAT | os.O_WRONLY, 0o600, None], ["symlink", "d", None, "l"],
    ["symlink", "loop", None, "loop"], ["open", None, "d", os.O_RDONLY, 0, 0],
    ["open", None, "a", os.O_PATH, 0, 1], ["open", None, "a", os.O_RDONLY, 0, 2],
]  # fmt: skip


class Players:
    """Two processes that play the same: one bare, one behind the gate."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.places = [world.project / "bare", world.project / "gated"]
        for place in self.places:
            place.mkdir()
            world.give(place)
        self.number = 0
        self.bare = world.worker.spawn(
            world.python("fileops", self.places[0]), cwd=world.project, env=world.environment(),
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self._session = world.start(*world.python("fileops", self.places[1]), operator=deny)
        self.run = self._session.__enter__()

    def _order(self, place: Path, steps: list[list[Any]]) -> None:
        partial = place / "partial"
        partial.write_text(json.dumps(steps))
        partial.chmod(0o644)
        partial.rename(place / f"{self.number}.json")

    def play(self, sequence: list[list[Any]]) -> tuple[Any, Any]:
        for place in self.places:
            self._order(place, sequence)
        self.number += 1
        self.run.until(lambda: self.run.out.count("\n") >= self.number, "the result", 20)
        assert self.bare.stdout
        return json.loads(self.bare.stdout.readline()), json.loads(self.run.out.splitlines()[self.number - 1])

    def close(self) -> None:
        for place in self.places:
            self._order(place, [])
        try:
            self.bare.wait(10)
            assert self.run.finish().status == 0
        finally:
            self.bare.kill()
            self.bare.communicate()
            self._session.__exit__(None, None, None)


@pytest.fixture
def players(worlds: World) -> Iterator[Players]:
    both = Players(worlds)
    yield both
    both.close()


def test_the_same_calls_come_to_the_same(players: Players) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None,
        derandomize="AGENTGATE_EXAMPLES" not in os.environ,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(st.lists(steps, min_size=5, max_size=40))
    def check(sequence: list[list[Any]]) -> None:
        bare, gated = players.play(START + sequence)
        for number, (one, other) in enumerate(zip(bare["said"], gated["said"], strict=True)):
            assert one == other, f"call {number}: {(START + sequence)[number]}"
        assert bare["tree"] == gated["tree"]

    check()
    assert players.run.asks == []
