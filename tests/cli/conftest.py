from __future__ import annotations

from pathlib import Path

import pytest
from cli_kit import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture(params=["kernel", "shim"])
def gated(world: World, request: pytest.FixtureRequest) -> World:
    """The same world behind each gate; the kernel gate is skipped, with its reason, where it cannot be."""
    world.gate = request.param
    if world.gate == "kernel":
        done = world.agentgate("run", "--gate", "kernel", "--", "true")
        if done.returncode == 69:
            pytest.skip(done.stderr.strip())
    return world
