"""A hundred thousand questions at once: the room stays a room."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from room_kit import INSTALL, armed, ask, install, make_session, room, text_of, until
from textual.pilot import Pilot

from agentgate.actions import Verdict
from agentgate.gate.events import Ask
from agentgate.tui.app import ControlRoom
from agentgate.tui.queue.asks import Asks

MANY = 100_000
LEADER = "ctrl+right_square_bracket"


def memory() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def decide(app: ControlRoom, pilot: Pilot[int], key: str) -> float:
    """Decide the oldest question with ``key``; the seconds until it is gone from the room."""
    await armed(app, pilot)
    number = app.state.current
    begun = time.monotonic()
    await pilot.press(LEADER, key)
    await until(lambda: app.state.ask(number) is None, pilot)
    return time.monotonic() - begun


async def test_a_hundred_thousand_questions_leave_the_room_usable(tmp_path: Path) -> None:
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        waiting = [ask(session, install(f"p{n}", 4000 + n), INSTALL) for n in range(10)]
        await until(lambda: len(app.state.asks) == 10, pilot)
        few = [await decide(app, pilot, key) for key in "adad"]
        before, begun = memory(), time.monotonic()
        for n in range(10, MANY):
            waiting.append(ask(session, install(f"p{n}", 4000 + n), INSTALL))
            if n % 500 == 0:
                await asyncio.sleep(0)
        await until(lambda: len(app.state.asks) == MANY - 4, pilot, 120)
        assert time.monotonic() - begun < 120
        assert (memory() - before) / MANY < 8_000  # bytes for each, with the task that waits for it
        assert f"{MANY - 4} waiting" in text_of(app)

        many = [await decide(app, pilot, key) for key in "adada"]
        assert statistics.median(many) < 3 * statistics.median(few) + 0.2
        for n, verdict in ((4, Verdict.ALLOW), (5, Verdict.DENY)):
            assert (await asyncio.wait_for(waiting[n], 5)).verdict is verdict

        await pilot.press(LEADER, "tab", "G")
        await until(lambda: f"npm install p{MANY - 1}" in text_of(app), pilot)
        await armed(app, pilot)
        await pilot.press("d", "g")
        assert (await asyncio.wait_for(waiting[-1], 5)).verdict is Verdict.DENY
        await until(lambda: app.state.current == app.state.asks[0].number, pilot)

        for task in waiting[MANY // 2 : MANY // 2 + 10_000]:
            task.cancel()
        await until(lambda: len(app.state.asks) == MANY - 10_010, pilot, 60)
        await pilot.press("q", "y")
        await until(lambda: app._exit, pilot, 90)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    denied = sum(getattr(answer, "verdict", Verdict.DENY) is Verdict.DENY for answer in answers)
    assert denied == MANY - 5
    assert session.audit.written == MANY


async def test_very_many_of_one_thing_leave_the_room_usable(tmp_path: Path) -> None:
    """The same from each of many processes, and as many different actions of one command."""
    many = 5_000
    session = make_session(tmp_path)
    async with room(session) as (app, pilot):
        one = install("x")
        waiting = [ask(session, install("same", 4000 + n), INSTALL) for n in range(many)]
        waiting += [
            ask(session, one._replace(target=f"npm install p{n}", argv=("npm", "install", f"p{n}")), INSTALL)
            for n in range(many)
        ]
        await until(lambda: len(app.state.asks) == 2 * many, pilot, 60)
        await until(lambda: f"×{many}" in text_of(app) and app.state.joined is None, pilot)
        begun = time.monotonic()
        await decide(app, pilot, "d")
        await until(lambda: len(app.state.asks) == many, pilot, 30)
        assert time.monotonic() - begun < 20
        assert (await waiting[many - 1]).verdict is Verdict.DENY
        usual = [await decide(app, pilot, "d") for _ in range(5)]
        assert statistics.median(usual) < 0.5
        await pilot.press(LEADER, "tab", "left")
        await until(lambda: f"{many - 5} commands" in text_of(app), pilot)
        await armed(app, pilot)
        await pilot.press("d")
        await until(lambda: not app.state.asks, pilot, 30)
    answers = await asyncio.gather(*waiting)
    assert all(answer.verdict is Verdict.DENY for answer in answers)


def question(number: int) -> Ask:
    return Ask(number, install("x"), INSTALL, 0.0, "kernel")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=60), st.integers(0, 2000))
def test_the_value_that_holds_them_is_a_sequence(changes: list[tuple[bool, int]], begin: int) -> None:
    plain = [question(number) for number in range(begin)]
    asks, newest = Asks(plain), begin
    for arrives, number in changes:
        before = asks
        if arrives:
            asks = asks.plus(question(newest))
            plain.append(question(newest))
            newest += 1
        else:
            asks = asks.minus(number)
            plain = [ask for ask in plain if ask.number != number]
            assert asks.get(number) is None and asks.index_of(number) is None
            assert (asks is before) == (len(asks) == len(before))
    assert len(asks) == len(plain) and [ask.number for ask in asks] == [ask.number for ask in plain]
    assert asks == Asks(plain) and bool(asks) == bool(plain)
    for place in {0, len(plain) // 2, len(plain) - 1} if plain else ():
        found = asks[place]
        assert found == plain[place] and asks.get(found.number) is found
        assert asks.index_of(found.number) == place
    for number in (0, newest // 2, newest, newest + 5):
        assert asks.count_upto(number) == sum(ask.number <= number for ask in plain)
