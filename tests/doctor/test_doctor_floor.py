"""What Landlock alone refuses at each of its ABIs, with real domains."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentgate.doctor import floor
from agentgate.doctor.attempt import attempt
from agentgate.intercept.kernel import landlock

HERE = landlock.abi_version()
EXPECTED = {
    1: ["write", "create", "move"],
    2: ["write", "create", "move"],
    3: ["write", "create", "move"],
    4: ["write", "create", "move", "connect"],
    5: ["write", "create", "move", "connect"],
    6: ["write", "create", "move", "connect", "abstract", "signal"],
}


@pytest.mark.parametrize("abi", EXPECTED)
def test_each_abi_refuses_what_the_table_says(abi: int, tmp_path: Path) -> None:
    if abi > HERE:
        pytest.skip(f"not here: Landlock ABI {abi}")
    found = attempt(lambda: floor.refused(str(tmp_path), abi))
    assert found.ok, found.why
    assert found.value == EXPECTED[abi]


def test_without_a_domain_nothing_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the same attempts, with no domain entered."""
    monkeypatch.setattr(landlock, "restrict", lambda abi: None)
    assert attempt(lambda: floor.refused(str(tmp_path), HERE)).value == []
    assert sorted(os.listdir(tmp_path)) == ["here", "kept", "there"]
