"""The questions that wait: one for one thing, each answered by its number, each ended."""

from __future__ import annotations

import asyncio
import time

import pytest
from gate_kit import ASKED, PROJECT, Play, command, connect, decider, process, write

from agentgate.actions import Action, Decision, Kind, Ruling, Source, Verdict
from agentgate.gate.events import Asked, Decided, Hub, Notice, Settled

INSTALL = command("npm install x")
RULES = """\
default: deny
rules:
  - match: {action: exec, target_glob: "ls*"}
    decision: allow
  - match: {action: exec, target_glob: "npm*"}
    decision: ask
"""


async def test_what_policy_decides_is_answered_and_recorded_at_once() -> None:
    play = Play(RULES)
    answer = await play.gate.decide(command("ls -l"), "shim")
    assert (answer.verdict, answer.source) == (Verdict.ALLOW, Source.RULE)
    answer = await play.gate.decide(command("rm x"), "shim")
    assert (answer.verdict, answer.source) == (Verdict.DENY, Source.DEFAULT)
    assert await play.lines() == [
        "record ls -l: allow -> allow by rule",
        "record rm x: deny -> deny by default",
    ]
    assert len(play.gate) == 0


async def test_a_question_waits_for_its_answer() -> None:
    play = Play(RULES)
    task = asyncio.create_task(play.gate.decide(INSTALL, "shim"))
    assert await play.lines() == ["asked 1 npm install x"]
    assert not task.done()
    assert [ask.action for ask in play.gate] == [INSTALL]
    assert play.gate.answer(1, Verdict.DENY, note="not today")
    answer = await task
    assert (answer.verdict, answer.why) == (Verdict.DENY, "operator: not today")
    assert await play.lines() == [
        "settled 1 deny by operator",
        "record npm install x: ask -> deny by operator",
    ]


async def test_the_record_says_how_long_it_waited_and_who_caught_it() -> None:
    play = Play(RULES)
    before = time.time()
    task = asyncio.create_task(play.gate.decide(INSTALL, "proxy"))
    await asyncio.sleep(0.05)
    play.gate.answer(1, Verdict.ALLOW)
    await task
    (record,) = [one for event in play.events() if isinstance(event, Decided) for one in event.records]
    assert 50 <= record.waited_ms <= (time.time() - before) * 1000 + 1
    assert (record.gate, record.ruling.rule, record.action) == ("proxy", 2, INSTALL)
    assert before <= record.time <= time.time()


async def test_answers_go_to_the_question_named_and_to_no_other() -> None:
    play = Play()
    tasks = {pid: play.ask(command("make", pid)) for pid in (1, 2, 3)}
    await play.lines()
    assert play.gate.answer(2, Verdict.ALLOW)
    assert (await tasks[2]).verdict is Verdict.ALLOW
    assert not play.gate.answer(2, Verdict.DENY)  # answered already
    assert not play.gate.answer(4, Verdict.ALLOW)  # never asked
    assert not play.gate.answer(0, Verdict.ALLOW)
    assert [ask.number for ask in play.gate] == [1, 3]
    assert not tasks[1].done() and not tasks[3].done()
    play.gate.close("end")
    assert {(await tasks[pid]).verdict for pid in (1, 3)} == {Verdict.DENY}


async def test_numbers_are_never_used_again() -> None:
    play = Play()
    for number in range(1, 6):
        task = play.ask(INSTALL)
        assert (await play.lines())[-1] == f"asked {number} npm install x"
        play.gate.answer(number, Verdict.DENY)
        await task


async def test_the_same_question_of_the_same_process_is_asked_once() -> None:
    play = Play()
    tasks = [play.ask(write("/srv/x")) for _ in range(5)]
    assert await play.lines() == ["asked 1 /srv/x"]
    play.gate.answer(1, Verdict.ALLOW)
    assert {(await task).verdict for task in tasks} == {Verdict.ALLOW}
    lines = await play.lines()
    assert lines == ["settled 1 allow by operator", "record /srv/x: ask -> allow by operator"]


@pytest.mark.parametrize(
    "other",
    [
        command("npm install y"),
        command("npm install x", 101),
        INSTALL._replace(chain=(process(100, start=8),)),
        INSTALL._replace(argv=("npm", "install x")),
        INSTALL._replace(kind=Kind.FS_WRITE),
        INSTALL._replace(origin="/srv/y"),
    ],
)
async def test_another_question_is_another_question(other: Action) -> None:
    play = Play()
    tasks = [play.ask(INSTALL), play.ask(other)]
    assert len(await play.lines()) == 2
    play.gate.answer(1, Verdict.ALLOW)
    assert (await tasks[0]).verdict is Verdict.ALLOW
    assert not tasks[1].done()
    play.gate.answer(2, Verdict.DENY)
    assert (await tasks[1]).verdict is Verdict.DENY


async def test_asked_again_after_the_answer_it_is_a_new_question() -> None:
    play = Play()
    first = play.ask(INSTALL)
    await play.lines()
    play.gate.answer(1, Verdict.ALLOW)
    await first
    await play.lines()
    second = play.ask(INSTALL)
    assert await play.lines() == ["asked 2 npm install x"]
    play.gate.answer(2, Verdict.DENY)
    assert (await second).verdict is Verdict.DENY


async def test_who_goes_away_withdraws_the_question() -> None:
    play = Play()
    task = play.ask(INSTALL)
    await play.lines()
    task.cancel()
    assert await play.lines() == ["withdrawn 1", "record npm install x: ask -> deny by gate"]
    assert len(play.gate) == 0
    assert not play.gate.answer(1, Verdict.ALLOW)
    again = play.ask(INSTALL)  # does not join what is gone
    assert await play.lines() == ["asked 2 npm install x"]
    again.cancel()


async def test_of_several_who_wait_the_last_to_go_withdraws() -> None:
    play = Play()
    tasks = [play.ask(INSTALL) for _ in range(3)]
    await play.lines()
    tasks[0].cancel()
    tasks[2].cancel()
    assert await play.lines() == []
    play.gate.answer(1, Verdict.ALLOW)
    assert (await tasks[1]).verdict is Verdict.ALLOW
    assert tasks[0].cancelled() and tasks[2].cancelled()


async def test_going_away_as_the_answer_comes_is_not_recorded_twice() -> None:
    play = Play()
    task = play.ask(INSTALL)
    await play.lines()
    play.gate.answer(1, Verdict.ALLOW)
    task.cancel()
    assert await play.lines() == [
        "settled 1 allow by operator",
        "record npm install x: ask -> allow by operator",
    ]


# -- a changed policy


async def test_a_new_policy_settles_what_it_answers() -> None:
    play = Play()
    tasks = {name: play.ask(command(name)) for name in ("ls", "rm", "npm")}
    await play.lines()
    play.gate.use(decider(RULES))
    assert (await tasks["ls"]).verdict is Verdict.ALLOW
    assert (await tasks["rm"]).verdict is Verdict.DENY
    assert [ask.action.target for ask in play.gate] == ["npm"]
    assert await play.lines() == [
        "settled 1 allow by rule", "record ls: ask -> allow by rule",
        "settled 2 deny by default", "record rm: ask -> deny by default",
    ]  # fmt: skip
    answer = await play.gate.decide(command("ls -a"), "shim")
    assert answer.verdict is Verdict.ALLOW
    tasks["npm"].cancel()


async def test_a_new_policy_does_not_answer_for_a_guard() -> None:
    play = Play()
    task = play.ask(write(f"{PROJECT}/.envrc"))
    await play.lines()
    play.gate.use(decider("default: allow\n"))
    assert await play.lines() == []
    play.gate.use(decider("default: allow\nlift_guards: [envrc]\n"))
    assert (await task).verdict is Verdict.ALLOW


async def test_an_allow_by_policy_is_not_remembered_when_the_policy_changes_back() -> None:
    play = Play()
    grants = play.gate.decider.grants
    task = play.ask(write("/srv/x"))
    await play.lines()
    play.gate.use(decider("default: allow\n", grants=grants))
    assert (await task).verdict is Verdict.ALLOW
    play.gate.use(decider("default: ask\n", grants=grants))
    assert play.gate.decider.rule(write("/srv/x")).decision is Decision.ASK


async def test_an_allow_by_the_operator_lets_the_process_finish() -> None:
    play = Play()
    task = play.ask(connect("a.example:443"))
    await play.lines()
    play.gate.answer(1, Verdict.ALLOW)
    await task
    answer = await play.gate.decide(connect("a.example:443"), "proxy")
    assert (answer.verdict, answer.source) == (Verdict.ALLOW, Source.SESSION)


async def test_a_deny_is_asked_again() -> None:
    play = Play()
    task = play.ask(connect("a.example:443"))
    await play.lines()
    play.gate.answer(1, Verdict.DENY)
    await task
    again = asyncio.create_task(play.gate.decide(connect("a.example:443"), "proxy"))
    assert (await play.lines())[-1] == "asked 2 a.example:443"
    again.cancel()


# -- the end


async def test_close_denies_what_waits_and_what_comes_later() -> None:
    play = Play(RULES)
    tasks = [play.ask(command("npm i", pid)) for pid in (1, 2)]
    await play.lines()
    play.gate.close("the session ended")
    for task in tasks:
        answer = await task
        assert (answer.verdict, answer.source) == (Verdict.DENY, Source.GATE)
        assert answer.why == "gate: the session ended"
    await play.lines()
    later = await asyncio.wait_for(play.gate.decide(INSTALL, "shim"), 1)
    assert (later.verdict, later.why) == (Verdict.DENY, "gate: the session ended")
    assert await play.lines() == ["record npm install x: ask -> deny by gate"]  # on record, and nobody asked
    play.gate.close("again")
    assert len(play.gate) == 0


async def test_refuse_denies_whatever_policy_says() -> None:
    play = Play("default: allow\n")
    answer = play.gate.refuse(connect("a.example:443"), "proxy", "--no-net: no connections in this session")
    assert (answer.verdict, answer.why) == (Verdict.DENY, "gate: --no-net: no connections in this session")
    assert await play.lines() == ["record a.example:443: deny -> deny by gate"]


@pytest.mark.timeout(60)  # looking through all of them for each would take an hour
async def test_a_hundred_thousand_questions_stay_usable() -> None:
    """A runaway agent floods the queue: asking, answering and leaving take the same time as ever."""
    play = Play()
    count = 100_000
    loop = asyncio.get_running_loop()
    coroutines = []
    for pid in range(count):  # started by hand: a task each would be what is measured
        coroutine = play.gate.ask(command("make", pid + 1), ASKED, "kernel")
        coroutine.send(None)
        coroutines.append(coroutine)
    assert len(play.gate) == count
    joined = loop.create_task(play.gate.ask(command("make", count), ASKED, "kernel"))
    await asyncio.sleep(0)
    assert len(play.gate) == count
    assert play.gate.answer(count, Verdict.ALLOW)
    assert (await joined).verdict is Verdict.ALLOW
    coroutines[0].close()  # the first one leaves
    assert next(iter(play.gate)).number == 2
    play.gate.close("the end")
    assert len(play.gate) == 0
    for coroutine in coroutines:
        coroutine.close()


# -- the hub


async def test_every_subscriber_hears_everything_in_order_from_when_it_subscribed() -> None:
    hub = Hub()
    first = hub.subscribe()
    hub.post(Notice("1"))
    second = hub.subscribe()
    hub.post(Notice("2"))
    hub.unsubscribe(first)
    hub.unsubscribe(first)  # once is enough, twice does no harm
    hub.post(Notice("3"))

    def heard(queue: asyncio.Queue[object]) -> list[str]:
        return [event.text for event in (queue.get_nowait() for _ in range(queue.qsize()))]  # type: ignore[attr-defined]

    assert heard(first) == ["1", "2"]
    assert heard(second) == ["2", "3"]


async def test_a_question_is_asked_before_it_is_settled_and_settled_before_it_is_recorded() -> None:
    play = Play()
    task = play.ask(INSTALL, Ruling(Decision.ASK, Source.RULE, 3, 9, "why"))
    await asyncio.sleep(0)
    play.gate.answer(1, Verdict.ALLOW)
    events = play.events()  # all said before whoever asked could go on
    assert not task.done()
    assert [type(event) for event in events] == [Asked, Settled, Decided]
    await task
