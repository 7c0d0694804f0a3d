"""Whatever sequence of file calls a session makes in a directory, taking it back gives what was there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from harness import World, deny
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_kernel_property import START, steps
from test_kernel_undo import state

from agentgate.changes.back import take_back
from agentgate.changes.store import sessions

EXAMPLES = int(os.environ.get("AGENTGATE_EXAMPLES", "40"))
KNOWN = ("was not kept", "a socket or a device")


def lay_out(root: Path, world: World) -> None:
    """What is there before: files, directories in each other, links."""
    for folder in ("in", "in/d", "in/e", "in/e/d", "in/d/d", "in/d/d/deep"):
        (root / folder).mkdir(parents=True)
        world.give(root / folder)
    for name in ("a", "b", "d/a", "d/b", "e/a", "e/d/b", "d/d/deep/a"):
        world.file(root / "in" / name, f"before: {name}\n", 0o640)
        os.utime(root / "in" / name, ns=(10**18, 10**18 + 7))
    (root / "in/l").symlink_to("d")
    (root / "in/loop").symlink_to("loop")
    (root / "in/e/l").symlink_to("../a")
    os.setxattr(root / "in/a", "user.y", b"before")
    os.mkfifo(root / "in/d/pipe", 0o600)


def test_any_sequence_is_taken_back(world: World) -> None:
    base = world.project / "base"
    base.mkdir()
    count = 0
    with world.start(*world.python("fileops", base), operator=deny) as run:
        [store] = sessions(world.environment())

        def order(sequence: list[list[Any]]) -> None:
            (base / "partial").write_text(json.dumps(sequence))
            (base / "partial").rename(base / f"{count}.json")

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None,
            derandomize="AGENTGATE_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
        )  # fmt: skip
        @given(st.lists(steps, min_size=3, max_size=40))
        def check(sequence: list[list[Any]]) -> None:
            nonlocal count
            root = base / str(count)
            lay_out(root, world)
            before = state(root)
            order(START[5:] + sequence)
            count += 1
            run.until(lambda: run.out.count("\n") >= count, "the result", 20)
            run.serve(0.15)  # the lines of the journal are written once nothing happens
            outcomes = take_back(store, [str(root)], told=True)
            errors = [outcome for outcome in outcomes if outcome.error]
            after = state(root)
            if not any(any(known in outcome.error for known in KNOWN) for outcome in errors):
                assert {
                    path: after.get(path) for path in {*before, *after} if after.get(path) != before.get(path)
                } == {}, errors
                assert [each for each in errors if "did not change it" not in each.error] == []

        check()
        order([])
        assert run.finish().status == 0
