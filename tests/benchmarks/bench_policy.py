"""How fast rules decide and load. Run it: ``python tests/benchmarks/bench_policy.py``.

decide      of 500 rules, none of which matches: a target that was decided before, and one that was not.
            Targets: 20 and 200 us.
load        a policy of 10,000 lines. Target: 300 ms.
start       ``agentgate check exec ls`` from the shell, beside ``python -c pass`` in the same place. Target:
            250 ms.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agentgate.actions import Action, Kind
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher

CONTEXT = Context("/home/u/p", "/home/u")


def median(work: Callable[[int], object], times: int) -> float:
    """Seconds of one call."""
    taken = []
    for number in range(times):
        begun = time.perf_counter()
        work(number)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def rules(count: int) -> str:
    kinds = ("exec", "fs_write", "net_egress")
    globs = ("tool{n} sub* --x", "/srv/{n}/**/*.js", ".host{n}.example:443")
    out = ["default: ask", "rules:"]
    for n in range(count):
        out += [
            "  - match:",
            f"      action: {kinds[n % 3]}",
            f'      target_glob: "{globs[n % 3].format(n=n)}"',
            "    decision: allow",
            f'    reason: "rule {n}"',
        ]
    return "\n".join(out) + "\n"


def main() -> None:
    matcher = Matcher(load_text(rules(500), "p"), CONTEXT)
    for kind, target in (
        (Kind.EXEC, "npm install {n}"),
        (Kind.FS_WRITE, "/home/u/p/node_modules/a/{n}.js"),
        (Kind.NET_EGRESS, "host{n}.other.example:443"),
    ):
        known = Action(kind, target.format(n="x"))
        matcher.rule(known)
        cached = median(lambda _, action=known: matcher.rule(action), 20_000)  # type: ignore[misc]
        new = [Action(kind, target.format(n=number)) for number in range(3000)]
        fresh = median(lambda number, new=new: matcher.rule(new[number]), len(new))  # type: ignore[misc]
        print(f"500 rules, {kind}: {cached * 1e6:.1f} us known, {fresh * 1e6:.0f} us new")
    text = rules(2000)
    print(f"load {text.count(chr(10)):,} lines: {median(lambda _: load_text(text, 'p'), 9) * 1e3:.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "policy.yaml").write_text("default: ask\n")

        def run(*words: str) -> float:
            return median(lambda _: subprocess.run([sys.executable, *words], cwd=folder, stdout=-3), 11)

        bare, check = run("-c", "pass"), run("-m", "agentgate", "check", "exec", "ls")
    print(f"start: {check * 1e3:.0f} ms, python alone {bare * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
