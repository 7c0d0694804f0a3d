"""What the kernel gate costs: the same work bare and gated, in turn, in one run.

    python tests/benchmarks/bench_gate.py [--runs 5] [--secrets ask|open|both] [WORKLOAD ...]

Prints the median wall time of both, their ratio, the calls held and the warden's processor time. Works on
tmpfs (/dev/shm): a disk's own noise is larger than what is measured. ``npm``, ``tsc`` and ``pip-install``
need their registry once, to fill a cache of their own; all counted runs install from that cache.
``--secrets both`` runs each workload with reads held and with reads free beside the bare one; the workloads
from ``node`` on are those that read most.
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
from agentgate.settings import GateChoice, SecretsChoice, Settings

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


def _node(folder: Path, env: dict[str, str]) -> None:
    """A program that is made of a thousand modules."""
    if (folder / "main.js").exists():
        return
    (folder / "package.json").write_text(
        '{"name": "bench", "dependencies": {"express": "^4", "eslint": "^8", "mocha": "^10", '
        '"webpack": "^5", "@babel/core": "^7"}}'
    )
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=folder, env=env, check=True)
    (folder / "main.js").write_text(
        'for (const name of ["express", "eslint", "mocha", "@babel/core"]) require(name);\n'
        'const webpack = require("webpack");\n'
        "for (const name of Object.keys(webpack)) void webpack[name];\n"
        "if (Object.keys(require.cache).length < 1000) process.exit(1);\n"
    )


def _tsc(folder: Path, env: dict[str, str]) -> None:
    if (folder / "src").exists():
        return
    (folder / "package.json").write_text(
        '{"name": "bench", "dependencies": {"typescript": "^5", "@types/node": "^20", "@types/react": "^18"}}'
    )
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=folder, env=env, check=True)
    (folder / "src").mkdir()
    for i in range(60):
        before = f'import {{ f{i - 1} }} from "./m{i - 1}";\n' if i else ""
        (folder / "src" / f"m{i}.ts").write_text(
            f'import {{ readFileSync }} from "fs";\n{before}'
            f"export interface I{i} {{ a: number; b: string }}\n"
            f"export function f{i}(x: I{i}): number {{ return x.a + readFileSync(x.b).length; }}\n"
        )
    (folder / "tsconfig.json").write_text(
        '{"compilerOptions": {"noEmit": true, "strict": true, "module": "commonjs", "jsx": "react"}}'
    )


def _pip(folder: Path, env: dict[str, str]) -> None:
    wheels = folder.parent / "wheels"
    if not wheels.exists():
        pip = [sys.executable, "-m", "pip", "-q", "download", "-d", wheels, "rich", "textual", "mypy"]
        subprocess.run(pip, check=True, stderr=subprocess.DEVNULL)
    shutil.rmtree(folder / "out", ignore_errors=True)


def _many(folder: Path, env: dict[str, str]) -> None:
    if (folder / ".git").exists():
        return
    for i in range(20_000):
        path = folder / f"d{i % 200}" / f"f{i}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"line {i}\n" * 40)
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
    "node": Workload(("node", "--no-deprecation", "main.js"), _node),
    "tsc": Workload(("node", "node_modules/typescript/bin/tsc", "-p", "."), _tsc),
    "pip-list": Workload((sys.executable, "-m", "pip", "-q", "list")),
    "pip-install": Workload(
        (sys.executable, "-m", "pip", "-q", "install", "--no-index", "--find-links", "../wheels",
         "--target", "out", "rich", "textual", "mypy"),
        _pip,
    ),
    "rg": Workload(("sh", "-c", "rg -c 'line 19999' . || true"), _many),
    "git-grep": Workload(("git", "grep", "-c", "line 19999"), _many),
}  # fmt: skip


def bare(workload: Workload, folder: Path, env: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(workload.command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


async def gated(
    workload: Workload, folder: Path, env: dict[str, str], policy: Path, secrets: SecretsChoice
) -> tuple[float, int, float]:
    """Wall seconds from before the start to the agent's end, calls held, warden's processor seconds."""
    settings = Settings(
        workload.command,
        "bench",
        folder,
        policy.parent / "audit.jsonl",
        str(policy),
        GateChoice.KERNEL,
        secrets,
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
    parser.add_argument(
        "--secrets", choices=[*SecretsChoice, "both"], default="ask", help="whether reads are held"
    )
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=", ".join(WORKLOADS))
    args = parser.parse_args()
    choices = list(SecretsChoice) if args.secrets == "both" else [SecretsChoice(args.secrets)]
    base = Path(tempfile.mkdtemp(prefix="agentgate-bench-", dir="/dev/shm"))
    env = dict(os.environ, npm_config_cache=str(base / "npm-cache"), XDG_STATE_HOME=str(base / "state"))
    policy = base / "gate" / "policy.yaml"
    policy.parent.mkdir()
    policy.write_text(POLICY)
    try:
        print("workload    secrets  bare s  gated s  ratio    held  warden CPU s  us/call")
        for name in args.workloads or WORKLOADS:
            measure(name, WORKLOADS[name], base, env, policy, args.runs, choices)
    finally:
        shutil.rmtree(base)


def measure(
    name: str, workload: Workload, base: Path, env: dict[str, str], policy: Path, runs: int,
    choices: list[SecretsChoice],
) -> None:  # fmt: skip
    folder = base / name
    folder.mkdir()
    bares: list[float] = []
    gates: dict[SecretsChoice, list[tuple[float, int, float]]] = {choice: [] for choice in choices}
    for run in range(runs + 1):
        workload.prepare(folder, env)
        plain = bare(workload, folder, env)
        if run:  # the first round warms caches
            bares.append(plain)
        for choice in choices:
            workload.prepare(folder, env)
            behind = asyncio.run(gated(workload, folder, env, policy, choice))
            if run:
                gates[choice].append(behind)
    plain = statistics.median(bares)
    for choice, entries in gates.items():
        wall = statistics.median(entry[0] for entry in entries)
        held = int(statistics.median(entry[1] for entry in entries))
        cpu = statistics.median(entry[2] for entry in entries)
        print(
            f"{name:12} {choice:6} {plain:8.3f} {wall:8.3f} {wall / plain:6.2f} {held:7} {cpu:13.3f} "
            f"{cpu / held * 1e6:8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
