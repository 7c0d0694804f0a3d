"""The drill finds the real gate whole, and a gate that holds less out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentgate.doctor.attempt import attempt
from agentgate.doctor.drill import drill
from agentgate.intercept.kernel.backend import missing
from agentgate.settings import GateChoice

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(bool(missing()), reason=f"not here: the kernel gate: {missing()}"),
]
PASSED = {"files", "connections", "unix", "programs", "signals", "memory", "udp", "openat2", "lost", "record"}


def test_the_kernel_gate_holds(tmp_path: Path) -> None:
    found = attempt(lambda: drill(str(tmp_path)), 60)
    assert found.ok, found.why
    wrong = {name: one["why"] for name, one in found.value.items() if not one["ok"]}
    assert {name: why for name, why in wrong.items() if name != "reads"} == {}
    assert set(found.value) > PASSED


def test_in_a_folder_with_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    found = attempt(lambda: drill(str(folder)), 60)
    assert found.ok and found.value["unix"]["ok"], found.why


def test_a_gate_that_lets_things_pass_is_found_out(tmp_path: Path) -> None:
    """The portable gate holds only what goes through PATH and the proxy; the drill's program does not."""
    found = attempt(lambda: drill(str(tmp_path), GateChoice.SHIM), 60)
    assert found.ok, found.why
    failed = {name for name, one in found.value.items() if not one["ok"]}
    assert failed >= PASSED - ({"memory"} if os.geteuid() else set())
    assert "not asked about" in found.value["files"]["why"]
