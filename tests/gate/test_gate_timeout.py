"""Questions that nobody answers in time: denied once, and not while they are looked at."""

from __future__ import annotations

import asyncio
import time

from gate_kit import Play, command

from agentgate.actions import Source, Verdict
from agentgate.gate.timeout import Timeout


class Clock:
    """Runs beside the real one, and can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


async def test_what_waits_too_long_is_denied_and_says_so() -> None:
    play, clock = Play(), Clock()
    timeout = Timeout(play.gate, 60, clock)
    first = play.ask(command("npm ci"))
    await play.lines()
    (ask,) = play.gate
    assert 0.9 <= timeout.deny_late() <= 1.0 and 59 < timeout.left(ask) <= 60
    clock.ahead = 59.5
    assert timeout.deny_late() <= 0.5
    second = play.ask(command("npm test"))  # since the real time: older than it looks
    await play.lines()
    clock.ahead = 60.1
    timeout.deny_late()
    answer = await first
    assert (answer.verdict, answer.source) == (Verdict.DENY, Source.TIMEOUT)
    assert answer.why == "timeout: nobody answered within 60 s"
    assert "record npm ci: ask -> deny by timeout" in await play.lines()
    await second


async def test_the_clock_stops_while_it_is_looked_at() -> None:
    play, clock = Play(), Clock()
    timeout = Timeout(play.gate, 60, clock)
    tasks = [play.ask(command(text)) for text in ("one", "two")]
    await play.lines()
    one, two = play.gate
    timeout.look([one.number])
    clock.ahead = 100.0
    timeout.deny_late()
    assert (await tasks[1]).source is Source.TIMEOUT
    assert not tasks[0].done() and timeout.stopped(one.number) and 59 < timeout.left(one) <= 60
    timeout.look([])  # it goes on from where it stood
    clock.ahead = 159.0
    timeout.deny_late()
    assert not tasks[0].done() and 0 < timeout.left(one) <= 1.1
    timeout.look([one.number])
    clock.ahead = 500.0
    timeout.look([one.number])
    timeout.look([])
    timeout.deny_late()
    assert not tasks[0].done() and 0 < timeout.left(one) <= 1.1
    clock.ahead = 502.0
    timeout.deny_late()
    assert (await tasks[0]).source is Source.TIMEOUT
    assert timeout.left(two) == 0.0


async def test_it_runs_by_itself() -> None:
    play = Play()
    running = asyncio.create_task(Timeout(play.gate, 0.2).run())
    answer = await asyncio.wait_for(play.ask(command("npm ci")), 5)
    assert answer.source is Source.TIMEOUT
    running.cancel()
