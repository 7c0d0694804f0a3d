from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "kernel"))

from harness import SPARE_UID, Worker, World  # noqa: E402
from names_kit import missing  # noqa: E402


@pytest.fixture(scope="session")
def names_workers() -> Iterator[dict[int | None, Worker]]:
    made: dict[int | None, Worker] = {}
    yield made
    for worker in made.values():
        worker.end()


@pytest.fixture(params=["own user", "ordinary user"])
def world(request: pytest.FixtureRequest, names_workers: dict[int | None, Worker]) -> Iterator[World]:
    """A world of the user that runs the tests, and as root also one of an ordinary user. Names are looked
    up as ``names_worker.py`` says."""
    uid = None
    if request.param == "ordinary user":
        if os.geteuid() != 0:
            pytest.skip("the tests run as an ordinary user already")
        uid = SPARE_UID
    if uid not in names_workers:
        names_workers[uid] = Worker(uid, HERE / "names_worker.py")
    worker = names_workers[uid]
    lacking = missing(worker)
    if lacking:
        pytest.skip(f"not here: {lacking}")
    made = World(worker)
    yield made
    made.remove()
