"""What the kernel gate costs: the same work bare and gated, in turn, in one run.

    python tests/benchmarks/bench_gate.py [--runs 5] [WORKLOAD ...]

Prints the median wall time of both, their ratio, the calls held and the warden's processor time. Works on
tmpfs (/dev/shm): a disk's own noise is larger than what is measured. ``npm`` needs the npm registry once,
to fill a cache of its own; all counted runs install from that cache.
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
from dataclasses import dataclass
from pathlib import Path

from agentgate.intercept.kernel.backend import KernelBackend
from agentgate.session import Session
from agentgate.settings import GateChoice, Settings

POLICY = """\
default: allow
"""

FILES = """
import os
for i in range(5000):
    name = f"f{i}"
    with open(name, "w") as out:
        out.write("x" * 100)
    os.rename(name, name + ".b")
    os.unlink(name + ".b")
"""
READS = """
import os
for i in range(100_000):
    os.close(os.open("/etc/passwd", os.O_RDONLY))
"""
SPAWNS = """
import os
for i in range(1000):
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
"""
CONNECTS = """
import socket
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
for i in range(2000):
    client = socket.create_connection(listener.getsockname())
    listener.accept()[0].close()
    client.close()
"""
CPU = "x = 0\nfor i in range(20_000_000): x += i"


@dataclass(frozen=True)
class Workload:
    command: tuple[str, ...]
    prepare: Callable[[Path, dict[str, str]], None] = lambda folder, env: None


def _python(code: str) -> Workload:
    return Workload((sys.executable, "-S", "-c", code))


def _npm(folder: Path, env: dict[str, str]) -> None:
    (folder / "package.json").write_text(
        '{"name": "bench", "dependencies": {"express": "^4", "eslint": "^8", "mocha": "^10"}}'
    )
    for left in ("node_modules", "package-lock.json"):
        path = folder / left
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _tar(folder: Path, env: dict[str, str]) -> None:
    archive = folder.parent / "ten-thousand.tar"
    if not archive.exists():
        source = folder.parent / "source"
        for i in range(10_000):
            path = source / f"d{i % 100}" / f"f{i}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x" * 200)
        subprocess.run(["tar", "-cf", archive, "-C", source, "."], check=True)
        shutil.rmtree(source)
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / "out").mkdir()


def _make(folder: Path, env: dict[str, str]) -> None:
    names = [f"m{i}" for i in range(100)]
    for name in names:
        (folder / f"{name}.c").write_text(
            f'#include <stdio.h>\nint {name}(void) {{ return puts("{name}"); }}\n'
        )
        (folder / f"{name}.o").unlink(missing_ok=True)
    (folder / "Makefile").write_text(
        "all: " + " ".join(f"{n}.o" for n in names) + "\n%.o: %.c\n\tcc -c -o $@ $<\n"
    )


def _git(folder: Path, env: dict[str, str]) -> None:
    if not (folder / ".git").exists():
        for i in range(500):
            (folder / f"file{i}").write_text(str(i))
        subprocess.run(["git", "init", "-q", folder], check=True)
        subprocess.run(["git", "-C", folder, "add", "."], check=True)


WORKLOADS = {
    "npm": Workload(("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--silent"), _npm),
    "files": _python(FILES),
    "untar": Workload(("tar", "-xf", "../ten-thousand.tar", "-C", "out"), _tar),
    "reads": _python(READS),
    "spawns": _python(SPAWNS),
    "connects": _python(CONNECTS),
    "git": Workload(
        ("sh", "-c", "i=0; while [ $i -lt 100 ]; do git status >/dev/null; i=$((i+1)); done"), _git
    ),
    "make": Workload(("make", "-s", "-j2"), _make),
    "cpu": _python(CPU),
    "true": Workload(("true",)),
}


def bare(workload: Workload, folder: Path, env: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(workload.command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


async def gated(
    workload: Workload, folder: Path, env: dict[str, str], policy: Path
) -> tuple[float, int, float]:
    """Wall seconds from before the start to the agent's end, calls held, warden's processor seconds."""
    settings = Settings(
        workload.command,
        "bench",
        folder,
        policy.parent / "audit.jsonl",
        str(policy),
        GateChoice.KERNEL,
        env=env,
    )
    session = Session(settings)
    null = os.open(os.devnull, os.O_RDWR)
    start = time.perf_counter()
    await session.start((null, null, 2), controlling=False)
    status = await session.wait()
    wall = time.perf_counter() - start
    await session.close()
    os.close(null)
    if status:
        raise SystemExit(f"{workload.command} ended with {status}")
    assert isinstance(session.backend, KernelBackend)
    return wall, session.backend.held, session.backend.warden_cpu


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    args = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="agentgate-bench-", dir="/dev/shm"))
    env = dict(os.environ, npm_config_cache=str(base / "npm-cache"))
    policy = base / "gate" / "policy.yaml"
    policy.parent.mkdir()
    policy.write_text(POLICY)
    try:
        print("workload     bare s  gated s  ratio    held  warden CPU s  us/call")
        for name in args.workloads or WORKLOADS:
            measure(name, WORKLOADS[name], base, env, policy, args.runs)
    finally:
        shutil.rmtree(base)


def measure(name: str, workload: Workload, base: Path, env: dict[str, str], policy: Path, runs: int) -> None:
    folder = base / name
    folder.mkdir()
    bares, gates = [], []
    for run in range(runs + 1):
        workload.prepare(folder, env)
        plain = bare(workload, folder, env)
        workload.prepare(folder, env)
        behind = asyncio.run(gated(workload, folder, env, policy))
        if run:  # the first pair warms caches
            bares.append(plain)
            gates.append(behind)
    plain = statistics.median(bares)
    wall = statistics.median(entry[0] for entry in gates)
    held = int(statistics.median(entry[1] for entry in gates))
    cpu = statistics.median(entry[2] for entry in gates)
    print(
        f"{name:10} {plain:8.3f} {wall:8.3f} {wall / plain:6.2f} {held:7} {cpu:13.3f} "
        f"{cpu / held * 1e6:8.1f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
