"""What keeping for undo costs: the same work behind the gate with it and without it, in turn.

    python tests/benchmarks/bench_undo.py [--runs 5] [--at DIRECTORY] [WORKLOAD ...]

Prints the medians of the warden's processor time and of the wall time, and the difference for each call that
was held. On tmpfs (/dev/shm) files are copied; on btrfs or xfs (``--at``) they are shared.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agentgate.changes.store import sessions
from agentgate.intercept.kernel.backend import KernelBackend
from agentgate.session import Session
from agentgate.settings import GateChoice, Settings

NEW = """
import os
for i in range(5000):
    if i % 50 == 0:
        os.makedirs(f"new/d{i}")
    with open(f"new/d{i // 50 * 50}/f{i}", "w") as out:
        out.write("x" * 100)
"""
BESIDE = """
for i in range(5000):
    with open(f"f{i}", "w") as out:
        out.write("x" * 100)
"""
CHANGE = """
for i in range(2000):
    with open(f"f{i}", "a") as out:
        out.write("x")
"""
REPLACE = """
import os
for i in range(2000):
    with open("f.tmp", "w") as out:
        out.write("x")
    os.rename("f.tmp", f"f{i}")
"""
REMOVE = """
import os
for i in range(2000):
    os.unlink(f"f{i}")
"""
LARGE = """
for i in range(20):
    open(f"l{i}", "a").close()
"""


def _small(folder: Path) -> None:
    for i in range(2000):
        (folder / f"f{i}").write_text("some text\n" * 200)


def _large(folder: Path) -> None:
    for i in range(20):
        (folder / f"l{i}").write_bytes(b"x" * (8 << 20))


@dataclass(frozen=True)
class Workload:
    what: str
    code: str
    prepare: Callable[[Path], None] = lambda folder: None


WORKLOADS = {
    "new": Workload("5,000 files in new directories", NEW),
    "beside": Workload("5,000 new files in a directory that is there", BESIDE),
    "change": Workload("2,000 files of 2 kB changed", CHANGE, _small),
    "replace": Workload("2,000 files of 2 kB replaced by a rename", REPLACE, _small),
    "remove": Workload("2,000 files of 2 kB removed", REMOVE, _small),
    "large": Workload("20 files of 8 MiB changed (12 are kept: 256 MiB in all)", LARGE, _large),
}


async def gated(
    workload: Workload, folder: Path, env: dict[str, str], undo: bool
) -> tuple[float, float, int]:
    """The warden's processor seconds, wall seconds, calls held."""
    policy = folder.parent / "policy.yaml"
    policy.write_text("default: allow\n")
    settings = Settings(
        (sys.executable, "-S", "-c", workload.code), "bench", folder, folder.parent / "audit.jsonl",
        str(policy), GateChoice.KERNEL, env=env,
    )  # fmt: skip
    session = Session(replace(settings, undo=undo))
    null = os.open(os.devnull, os.O_RDWR)
    start = time.perf_counter()
    await session.start((null, null, 2), controlling=False)
    status = await session.wait()
    wall = time.perf_counter() - start
    await session.close()
    os.close(null)
    assert status == 0 and isinstance(session.backend, KernelBackend)
    return session.backend.warden_cpu, wall, session.backend.held


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--at", default="/dev/shm")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    args = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="agentgate-bench-", dir=args.at))
    env = dict(os.environ, XDG_STATE_HOME=str(base / "state"))
    try:
        print("workload  undo  warden CPU s   wall s     held  more us/call  kept")
        for name in args.workloads or WORKLOADS:
            measure(name, WORKLOADS[name], base, env, args.runs)
    finally:
        shutil.rmtree(base)


def measure(name: str, workload: Workload, base: Path, env: dict[str, str], runs: int) -> None:
    found: dict[bool, list[tuple[float, float, int]]] = {False: [], True: []}
    for run in range(runs + 1):
        for undo in found:
            folder = base / "work"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            workload.prepare(folder)
            result = asyncio.run(gated(workload, folder, env, undo))
            if run:  # the first round warms caches
                found[undo].append(result)
    cpus = {undo: statistics.median(entry[0] for entry in found[undo]) for undo in found}
    for undo, entries in found.items():
        wall = statistics.median(entry[1] for entry in entries)
        held = entries[0][2]
        more = f"{(cpus[True] - cpus[False]) / held * 1e6:12.1f}" if undo else " " * 12
        kept = subprocess.run(
            ["du", "-sh", sessions(env)[0].folder], capture_output=True, text=True
        ).stdout.split()[0] if undo else ""  # fmt: skip
        word = "yes" if undo else "no"
        print(f"{name:9} {word:4} {cpus[undo]:13.3f} {wall:8.3f} {held:8}  {more}  {kept}", flush=True)
    print(f"          {workload.what}")


if __name__ == "__main__":
    main()
