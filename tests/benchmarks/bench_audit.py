"""What the record costs to look at. Run it: ``python tests/benchmarks/bench_audit.py``.

A log of a million lines (about 750 MB; ``--lines``), as fifty sessions of installs write it.

queries     ``agentgate audit`` over all of it, as a process of its own: a word that is nowhere, one sort of
            verdict, a host, what one program did, the last hour, the summary. Target: seconds.
view        the audit view, 120 x 36: until it is drawn, until all lines are indexed, until a filter is done;
            from a key that scrolls to the screen that shows it; memory a line. Target: a key under 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from textual.app import App, ComposeResult
from textual.pilot import Pilot

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.chain import Chain
from agentgate.audit.lines import Lines
from agentgate.audit.record import Record
from agentgate.tui.record.browse import Place
from agentgate.tui.record.look import Look
from agentgate.tui.theme import VARIABLES
from agentgate.tui.widgets.audit import AuditPanel

CALLS, WRITES = 50, 397  # of a session, and of a call
PROJECT = "/home/me/project"
AGENT = Process(100, ("claude", "--autonomous"), "/usr/bin/node", 7)
WRITTEN = Ruling(Decision.ALLOW, Source.RULE, 11, 292, "the project")
ASKED = Ruling(Decision.ASK, Source.RULE, 2, 8, "every install is looked at")
ALLOW, DENY = Answer(Verdict.ALLOW, Source.RULE, WRITTEN), Answer(Verdict.DENY, Source.OPERATOR, ASKED)


def call(number: int, start: float) -> Iterator[Record]:
    """What one ``npm install`` of an agent leaves in the record."""
    pid, package = 1000 + number * 3, f"pkg-{number % 500}"
    shell = Process(pid, ("/bin/bash", "-c", f"eval 'npm install {package}' && pwd -P"), "/usr/bin/bash", pid)
    npm = Process(pid + 1, ("npm", "install", package), "/usr/bin/node", pid)
    chain = (npm, shell, AGENT)
    host = "registry.npmjs.org:443" if number % 90 else "evil.example:443"
    asked = Answer(Verdict.ALLOW, Source.OPERATOR, ASKED)
    things = [
        (Kind.EXEC, shell.command, (shell, AGENT), WRITTEN, ALLOW),
        (Kind.EXEC, npm.command, (shell, shell, AGENT), ASKED, asked),
        (Kind.NET_EGRESS, host, chain, ASKED, asked if number % 90 else DENY),
    ]
    folder = f"{PROJECT}/node_modules/{package}"
    things += [(Kind.FS_WRITE, f"{folder}/{n}.js", chain, WRITTEN, ALLOW) for n in range(WRITES)]
    for at, (kind, target, acting, ruling, answer) in enumerate(things):
        action = Action(kind, target, acting[0].argv, PROJECT, acting, "open")
        yield Record(start + at / 100, action, ruling, answer, 0, "kernel")


def fill(log: Path, lines: int) -> None:
    written = calls = 0
    now = time.time() - lines / 100
    with open(log, "wb") as file:
        while written < lines:
            session = f"{calls // CALLS:08x}"
            form, linked, number = Lines(session, "claude"), Chain(session), 0
            for _ in range(CALLS):
                for record in call(calls, now + written / 100):
                    if written < lines:
                        number, written = number + 1, written + 1
                        file.write(linked.link(form.line(record, number)))
                calls += 1


def children() -> float:
    """Processor seconds of the processes that have ended: what a busy machine does not add to."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def queries(log: Path) -> None:
    for name, words in {
        "nowhere": ["--text", "xyzzy"],
        "--verdict deny": ["--verdict", "deny", "--limit", "5"],
        "--host evil.example": ["--host", "evil.example"],
        "--process npm": ["--process", "npm", "--limit", "5"],
        "--since 1h": ["--since", "1h", "--limit", "5"],
        "--summary": ["--summary"],
        "everything": [],
    }.items():
        command = [sys.executable, "-m", "agentgate", "audit", "--audit", str(log), *words]
        begun, spent = time.perf_counter(), children()
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        took, spent = time.perf_counter() - begun, children() - spent
        shown = done.stdout.count(b"\n")
        print(f"query  {name:<22} {took:6.2f} s   {spent:6.2f} s of a core   {shown:>9,} lines", flush=True)


class View(App[None]):
    CSS = "AuditPanel { height: 1fr; }"

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.panel = AuditPanel()
        self._log = log

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.panel.show(Look(whole=True), True)
        self.panel.open(Place(self._log, "none", 0))

    @property
    def complete(self) -> bool:
        source = self.panel._source
        return source is not None and source.index.complete and not source.index.behind()


async def until(what: Callable[[], object], pilot: Pilot[None]) -> float:
    begun = time.perf_counter()
    while not what():
        await asyncio.sleep(0.002)
    return time.perf_counter() - begun


def memory() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def keys(app: View, pilot: Pilot[None], how: str, count: int) -> str:
    """From a key to the screen with what it moved to."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        app.panel.move(how)
        await pilot.pause(0)  # all messages are taken in, and the screen is drawn
        for y in range(app.panel.size.height):
            app.panel.render_line(y)
        times.append((time.perf_counter() - begun) * 1000)
    times.sort()
    return f"median {statistics.median(times):5.1f} ms   p95 {times[int(count * 0.95) - 1]:5.1f} ms"


async def view(log: Path, lines: int) -> None:
    app = View(log)
    before = memory()
    begun = time.perf_counter()
    async with app.run_test(size=(120, 36)) as pilot:
        await until(lambda: app.panel._source is not None and len(app.panel._source) > 30, pilot)
        print(f"view   first lines            {time.perf_counter() - begun:6.2f} s", flush=True)
        print(f"view   a key while it reads   {await keys(app, pilot, 'previous', 50)}", flush=True)
        await until(lambda: app.complete, pilot)
        print(f"view   all {lines:,} lines    {time.perf_counter() - begun:6.2f} s", flush=True)
        await pilot.pause(0.3)
        print(f"view   memory                 {(memory() - before) / lines:6.1f} bytes a line", flush=True)
        for how in ("previous", "page-up", "first", "last"):
            print(f"view   {how:<22} {await keys(app, pilot, how, 100)}", flush=True)
        for line in ("deny host:evil.example", "by:npm", "xyzzy"):
            app.panel.show(Look(filter=line, whole=True), True)
            old, spent = app.panel._source, time.process_time()
            took = await until(lambda old=old: app.panel._source is not old and app.complete, pilot)
            spent = time.process_time() - spent
            count = len(app.panel._source or ())
            print(
                f"view   filter {line:<24} {took:6.2f} s   {spent:6.2f} s of a core   {count:>9,}", flush=True
            )
        app.panel.show(Look(grouped=True, whole=True), True)
        old, spent = app.panel._source, time.process_time()
        took = await until(lambda: app.panel._source is not old and app.complete, pilot)
        spent = time.process_time() - spent
        calls = len(app.panel._source or ())
        print(f"view   by call {took:23.2f} s   {spent:6.2f} s of a core   {calls:>9,} calls", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--log", type=Path, help="a log to use instead of making one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentgate-bench-") as folder:
        log = options.log or Path(folder) / "audit.jsonl"
        if options.log is None:
            fill(log, options.lines)
        print(f"log    {options.lines:,} lines, {log.stat().st_size >> 20:,} MB", flush=True)
        print(f"load   {' '.join(Path('/proc/loadavg').read_text().split()[:3])}", flush=True)
        queries(log)
        asyncio.run(view(log, options.lines))


if __name__ == "__main__":
    main()
