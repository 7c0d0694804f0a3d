"""Where there is no Linux: one clear line, and nothing of Linux's is even imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# As near as Linux comes to another system: its name, and a C library without Linux's calls.
ELSEWHERE = """\
import sys
sys.modules["agentgate.intercept.kernel.libc"] = None
sys.platform = "darwin"
from agentgate.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AGENTGATE")}
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *words], cwd=folder, env=env, capture_output=True, text=True,
        timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_doctor_says_so(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert "darwin has no seccomp" in done.stdout and "virtual machine" in done.stdout
    assert "--gate shim" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("gate", ["auto", "kernel"])
def test_a_session_is_refused_in_one_line(tmp_path: Path, gate: str) -> None:
    done = run(tmp_path, "run", "--gate", gate, "--", "true")
    assert (done.returncode, done.stdout) == (69, "")
    assert done.stderr.startswith("agentgate: the kernel gate cannot run here: darwin has no seccomp. ")
    assert done.stderr.count("\n") == 1 and "agentgate doctor" in done.stderr


def test_the_threat_model_is_printed(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor", "--promises")
    assert done.returncode == 0 and "What is not promised" in done.stdout
