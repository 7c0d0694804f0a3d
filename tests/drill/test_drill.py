"""The drill as a user runs it: real installs of a real package under the real gate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import agentgate
from agentgate.drill.campaigns import CAMPAIGNS
from agentgate.intercept.kernel.support import missing

ROOT = Path(agentgate.__file__).parent.parent
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(missing()), reason="not here: the kernel gate"),
]


def drill(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AGENTGATE")}
    env |= {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "agentgate", "drill", *words],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=280,
    )  # fmt: skip


@pytest.mark.parametrize("policy", ["", "supply-chain"])
def test_every_harmful_step_is_stopped_with_few_questions(tmp_path: Path, policy: str) -> None:
    words = ("--policy", str(ROOT / "policy-samples" / f"{policy}.yaml")) if policy else ()
    done = drill(tmp_path, "--json", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["stopped"]
    assert [campaign["name"] for campaign in told["campaigns"]] == [campaign.name for campaign in CAMPAIGNS]
    for campaign in told["campaigns"]:
        assert 1 <= len(campaign["asked"]) <= 3, campaign
        assert campaign["asked"][0].startswith("exec npm install ")
        for step in campaign["steps"]:
            assert step["real"], step  # without the gate it has its effect
            assert step["by"], step


def test_a_policy_that_lets_everything_through_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(
        "default: allow\n"
        "rules:\n  - {match: {action: fs_read}, decision: allow}\n"
        "lift_guards: [shell-startup, ci-workflows]\n"
    )
    done = drill(tmp_path, "shai-hulud-2")
    assert done.returncode == 1, done.stderr
    assert "policy: policy.yaml" in done.stdout
    assert done.stdout.count("✗ DONE") == 7
    assert "7 of 7 steps were done: this policy does not stop them" in done.stdout


def test_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    listed = drill(tmp_path, "--list")
    assert listed.returncode == 0
    assert all(campaign.name in listed.stdout for campaign in CAMPAIGNS)
    wrong = drill(tmp_path, "shai-hulud-9")
    assert wrong.returncode == 2
    assert "no campaign 'shai-hulud-9' (there are: s1ngularity, " in wrong.stderr
