"""``agentgate tui --demo``: the scripted agent in a real session, and what it came to.

The demo has a temporary home and project of its own, with its own policy and record. Its servers run in
threads of this process; the agent's tree is behind the gate like any agent's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentgate.demo import agent
from agentgate.demo.servers import Docs, Thief
from agentgate.demo.world import World
from agentgate.settings import GateChoice, Settings

__all__ = ["PACE", "Stage", "main", "stage"]

PACE = 0.3
"""Seconds between two lines of the agent."""


@dataclass(frozen=True)
class Stage:
    """``settings`` are those of the session to run; ``report`` tells afterwards what it did."""

    world: World
    thief: Thief
    settings: Settings

    def report(self) -> str:
        """What became of the canaries, as this process sees it, a line each."""
        lines = ["agentgate: what the demo's attack came to, as seen from outside the gate:"]
        for name, damage in self.world.damage().items():
            lines.append(f"  {_mark(not damage)} ~/{name:<22} {damage or 'as it was'}")
        came, took = self.thief.connections, self.thief.bytes
        lines.append(f"  {_mark(not came)} {'the thief’s server':<24} {agent.visited(came, took)}")
        lines.append("agentgate: its files and record are removed. Now yours: agentgate tui -- claude")
        return "\n".join(lines)


def _mark(good: bool) -> str:
    return "✓" if good else "✗"


@contextmanager
def stage(gate: GateChoice = GateChoice.AUTO, pace: float = PACE) -> Iterator[Stage]:
    """Everything that the demo needs, for as long as the context lasts. Raises OSError."""
    world = World()
    try:
        docs, thief = Docs(world.page), Thief(world.visits)
        try:
            (world.package / "endpoint").write_text(f"127.0.0.1 {thief.port}\n")
            yield Stage(world, thief, _settings(world, docs, gate, pace))
        finally:
            docs.close()
            thief.close()
    finally:
        world.remove()


def _settings(world: World, docs: Docs, gate: GateChoice, pace: float) -> Settings:
    # localhost, not its number: by name is how hosts are asked about
    plan = agent.Plan(
        docs=f"http://localhost:{docs.port}/padding.txt",
        visits=str(world.visits),
        pace=pace,
        kernel=gate is not GateChoice.SHIM,
    )
    command = (sys.executable, "-I", "-B", str(Path(agent.__file__)))
    return Settings(
        command=command,
        agent="demo",
        project=world.project,
        audit=world.project / ".agentgate" / "audit.jsonl",
        gate=gate,
        env=world.env | {"AGENTGATE_DEMO": plan.to_json()},
    )


def main(gate: GateChoice = GateChoice.AUTO) -> int:
    """Run the demo in the control room; returns the agent's exit status, 0 when it was seen to its end.

    Raises GateUnavailable where the gate cannot be had, OSError when the demo cannot be set up.
    """
    from agentgate.session import Session
    from agentgate.tui.running import run_tui

    with stage(gate) as on:
        status = run_tui(Session(on.settings))
        print(on.report())
    return status
