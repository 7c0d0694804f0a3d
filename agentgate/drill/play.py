"""One campaign, played: gated, and without the gate to see that each step is real. What came of a step is
looked at from outside: the file, the server's port, what was printed."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from agentgate.actions import Kind, Verdict
from agentgate.audit.read import Log
from agentgate.audit.record import Record
from agentgate.drill.campaigns import Campaign, Step
from agentgate.drill.server import Server
from agentgate.drill.world import World
from agentgate.gate.events import Asked
from agentgate.session import Session
from agentgate.settings import GateChoice, SecretsChoice, Settings

__all__ = ["Outcome", "Played", "play"]

_PATIENCE = 120.0  # seconds for a campaign
_NETWORK = ("fetch", "send", "forge", "publish")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``done``: the step had its effect. ``by``: what stopped it (empty where it was done, or where nothing
    of it was ever held). ``real``: without the gate it has its effect here."""

    step: Step
    done: bool
    by: str
    real: bool


@dataclass(frozen=True, slots=True)
class Played:
    """``asked``: the questions that a person would have answered: the install, and the first departure from
    it (which is denied, and what comes after that too, unseen)."""

    campaign: Campaign
    outcomes: tuple[Outcome, ...]
    asked: tuple[str, ...]

    @property
    def stopped(self) -> bool:
        return not any(outcome.done for outcome in self.outcomes)


async def play(campaign: Campaign, policy: Path | None, gate: GateChoice = GateChoice.AUTO) -> Played:
    """``policy`` None is the built-in one. Raises GateUnavailable, PolicyError, or OSError when it cannot be
    set up or gets stuck."""
    real = (await _bare(campaign)).done
    world = World(campaign)
    try:
        asked: list[tuple[bool, str]] = []
        run = await _gated(campaign, world, policy, gate, asked)
        outcomes = tuple(
            Outcome(step, done, "" if done else run.stopped_by(number, world.place(step)), real[number])
            for number, (step, done) in enumerate(zip(campaign.steps, run.done, strict=True))
        )
    finally:
        world.remove()
    return Played(campaign, outcomes, tuple(what for _, what in asked))


@dataclass(frozen=True, slots=True)
class _Run:
    """What could be seen of one run. ``ports`` by the number of the step."""

    campaign: Campaign
    done: list[bool]
    said: str
    ports: dict[int, int]
    records: tuple[Record, ...] = ()

    def stopped_by(self, number: int, place: Path) -> str:
        """What stopped step ``number``, in words; empty when nothing of it was ever denied."""
        denied = [record for record in self.records if record.answer.verdict is Verdict.DENY]
        for record in denied:
            if _is_about(record, self.campaign.steps[number], place, self.ports.get(number, 0)):
                return record.ruling.why
        if f"step {number} begins" not in self.said and denied:
            first = denied[0]
            return f"{first.ruling.why}; so it never came to this"
        return ""


def _is_about(record: Record, step: Step, place: Path, port: int) -> bool:
    action = record.action
    if action.kind is Kind.NET_EGRESS:
        return bool(port) and action.target.endswith(f":{port}")
    if action.kind is Kind.EXEC:
        word = {"agent": "claude --", "forge": "gh repo ", "publish": "npm publish ", "fetch": f":{port}/"}
        return step.verb in word and word[step.verb] in action.target
    at = Path(action.target)
    wanted = Kind.FS_READ if step.verb in ("read", "agent") else Kind.FS_WRITE
    if action.kind is not wanted or not step.path:
        return False
    return at == place or at in place.parents or (step.verb == "wipe" and place in at.parents)


async def _ports(campaign: Campaign, server: Server) -> dict[int, int]:
    """A port of its own for each step that connects, so that it is known which one did."""
    return {
        number: await server.port() for number, step in enumerate(campaign.steps) if step.verb in _NETWORK
    }


def _effects(
    campaign: Campaign, world: World, server: Server, ports: dict[int, int], said: str
) -> list[bool]:
    """Whether each step had its effect, as seen from outside."""
    parts: dict[int, str] = {}
    for number in range(len(campaign.steps)):
        after = said.partition(f"step {number} begins\n")[2]
        parts[number] = after.partition(f"step {number + 1} begins\n")[0]
    done = []
    for number, step in enumerate(campaign.steps):
        place = world.place(step)
        match step.verb:
            case "read" | "agent":
                done.append(world.canary in parts[number])
            case "write" | "append":
                done.append(place.is_file() and world.canary in place.read_text(errors="replace"))
            case "wipe":
                done.append(not place.exists() or not any(place.iterdir()))
            case _:
                done.append(bool(server.took.get(ports[number])))
    return done


async def _bare(campaign: Campaign) -> _Run:
    """Without the gate: which steps have their effect here."""
    world, server = World(campaign), Server()
    try:
        ports = await _ports(campaign, server)
        process = await asyncio.create_subprocess_exec(
            *world.command(campaign, ports), cwd=world.project, env=world.env, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            said, _ = await asyncio.wait_for(process.communicate(), _PATIENCE)
        except TimeoutError:
            process.kill()
            raise OSError(0, f"{campaign.title}: without the gate it did not end") from None
        text = said.decode(errors="replace")
        return _Run(campaign, _effects(campaign, world, server, ports, text), text, ports)
    finally:
        await server.close()
        world.remove()


async def _gated(
    campaign: Campaign, world: World, policy: Path | None, gate: GateChoice, asked: list[tuple[bool, str]]
) -> _Run:
    """Behind the gate, with an operator who allows the install and denies all else."""
    server = Server()
    ports = await _ports(campaign, server)
    settings = Settings(
        world.command(campaign, ports), "drill", world.project, world.root / "audit.jsonl",
        policy=str(policy) if policy else None, gate=gate, secrets=SecretsChoice.ASK, env=world.env,
    )  # fmt: skip
    session = Session(settings)
    operator = asyncio.create_task(_operator(session, asked))
    null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    said = world.root / "said"
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        await session.start((null, out, out), controlling=False)
        try:
            await asyncio.wait_for(session.wait(), _PATIENCE)
        except TimeoutError:
            raise OSError(0, f"{campaign.title}: behind the gate it did not end") from None
        await session.close()
        text = said.read_text(errors="replace")
        records = tuple(entry.record for entry in Log(settings.audit))
        return _Run(campaign, _effects(campaign, world, server, ports, text), text, ports, records)
    finally:
        operator.cancel()
        await session.close()
        await server.close()
        os.close(null)
        os.close(out)


async def _operator(session: Session, asked: list[tuple[bool, str]]) -> None:
    """Allows the install, which is what a person wanted. The first thing beyond it that is asked is where a
    person would end it; here everything is denied from then on, so that each step is tried."""
    events = session.hub.subscribe()
    while True:
        event = await events.get()
        if not isinstance(event, Asked):
            continue
        action = event.ask.action
        install = action.kind is Kind.EXEC and action.target.startswith("npm install ")
        if install or not any(departed for departed, _ in asked):
            asked.append((not install, f"{action.kind.value} {action.target}"))
        session.gate.answer(event.ask.number, Verdict.ALLOW if install else Verdict.DENY)
