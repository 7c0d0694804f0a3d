from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from harness import SPARE_UID, Worker, World

pytest.register_assert_rewrite("ordinary")

_MISSING: dict[int | None, str] = {}


@pytest.fixture(scope="session")
def workers() -> Iterator[dict[int | None, Worker]]:
    made: dict[int | None, Worker] = {}
    yield made
    for worker in made.values():
        worker.end()


def _world(workers: dict[int | None, Worker], uid: int | None) -> Iterator[World]:
    worker = workers.setdefault(uid, Worker(uid))
    if uid not in _MISSING:
        _MISSING[uid] = worker.missing()
    if _MISSING[uid]:
        pytest.skip(f"not here: {_MISSING[uid]}")
    world = World(worker)
    yield world
    world.remove()


@pytest.fixture
def world(workers: dict[int | None, Worker]) -> Iterator[World]:
    """A world of the user that runs the tests."""
    yield from _world(workers, None)


USERS = ["own user", "ordinary user"] if os.geteuid() == 0 else ["own user"]


@pytest.fixture(params=USERS)
def worlds(request: pytest.FixtureRequest, workers: dict[int | None, Worker]) -> Iterator[World]:
    """The same, and as root also a world of an ordinary user."""
    if request.param == "own user":
        yield from _world(workers, None)
    else:
        yield from _world(workers, SPARE_UID)


@pytest.fixture
def gcc() -> str:
    path = shutil.which("gcc")
    if not path:
        pytest.skip("not here: gcc")
    return path
