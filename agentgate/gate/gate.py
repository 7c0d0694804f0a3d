"""Gate.decide: the one place in the app where an action becomes a verdict, and the questions that wait.

The gate lives in the app's asyncio loop and is not thread-safe. Guarantees:

- every question ends: answered, withdrawn because nobody waits any more, or denied by ``close``;
- an answer is given to exactly the question it names, never to "the first one";
- an allow comes only from policy, from what was answered before for this very process or for longer than
  once, or from ``answer``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator

from agentgate.actions import Action, Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.record import Record
from agentgate.gate.decide import Decider
from agentgate.gate.events import Ask, Asked, Decided, Hub, Settled, Withdrawn
from agentgate.gate.remembered import Remembered

__all__ = ["Gate"]


# What makes two questions one: the same process wants the same of the same objects.
_Key = tuple[Kind, tuple[str, ...], tuple[str, ...], int, int, str]


def _key(action: Action, agent: str) -> _Key:
    start = action.chain[0].start if action.chain else 0
    return action.kind, action.objects, action.argv, action.pid, start, agent


class _Waiting:
    """A pending question with everybody who waits for its answer."""

    def __init__(self, ask: Ask, key: _Key) -> None:
        self.ask = ask
        self.key = key
        self.answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiters = 0


class Gate:
    def __init__(self, decider: Decider, hub: Hub) -> None:
        self._decider = decider
        self.hub = hub
        self._pending: dict[int, _Waiting] = {}
        self._by_key: dict[_Key, _Waiting] = {}
        self._numbers = 0
        self._closed: Answer | None = None
        self._closed_to: dict[str, Answer] = {}  # agents whose own gate is gone
        self._held = ""
        self._goes_on = asyncio.Event()
        self._goes_on.set()

    @property
    def decider(self) -> Decider:
        return self._decider

    def use(self, decider: Decider) -> None:
        """Put another policy in force and settle the pending questions that it answers. A question that the
        old one would not have asked has a reason that only the asker sees (a directory that is renamed, with
        all that it holds): that one stays the operator's."""
        plain = self._plain()
        self._decider = decider
        self._settle_what_is_ruled(plain)

    def remember(self, answer: Remembered) -> None:
        """Let ``answer`` hold from now on, and settle the pending questions that it answers: those that
        ``use`` would settle. Raises PolicyError for globs that cannot be understood."""
        plain = self._plain()
        assert self._decider.answers is not None
        self._decider.answers.add(answer)
        self._settle_what_is_ruled(plain)

    def _plain(self) -> list[Ask]:
        """The pending questions that have no reason but the rules."""
        return [ask for ask in self if self._decider.rule(ask.action).decision is Decision.ASK]

    def _settle_what_is_ruled(self, asks: Iterable[Ask]) -> None:
        for ask in asks:
            ruling = self._decider.rule(ask.action)
            if ruling.decision is not Decision.ASK:
                self._settle(ask.number, Answer(Verdict(ruling.decision.value), ruling.source, ruling))

    def hold(self, why: str, wait: bool) -> None:
        """Allow nothing, because of ``why``, whatever policy or the operator say; "" ends that. With ``wait``
        ``decide`` does not answer either until it is over."""
        self._held = why
        if wait:
            self._goes_on.clear()
        else:
            self._goes_on.set()

    def __iter__(self) -> Iterator[Ask]:
        """The pending questions, oldest first."""
        return iter([waiting.ask for waiting in self._pending.values()])

    def __len__(self) -> int:
        return len(self._pending)

    async def decide(self, action: Action, gate: str, agent: str = "") -> Answer:
        """The verdict on ``action`` of ``agent`` that was caught by ``gate`` (shim or proxy), and its
        record."""
        await self._goes_on.wait()
        ruling = self._decider.rule(action)
        if self._held and ruling.decision is not Decision.DENY:
            return self.refuse(action, gate, self._held, agent)
        if ruling.decision is not Decision.ASK:
            answer = Answer(Verdict(ruling.decision.value), ruling.source, ruling)
            self.hub.post(Decided((Record(time.time(), action, ruling, answer, 0, gate, agent),)))
            return answer
        return await self.ask(action, ruling, gate, agent)

    def refuse(self, action: Action, gate: str, why: str, agent: str = "") -> Answer:
        """Deny ``action`` whatever policy says, and put it on record."""
        ruling = Ruling(Decision.DENY, Source.GATE, reason=why)
        answer = Answer(Verdict.DENY, Source.GATE, ruling)
        self.hub.post(Decided((Record(time.time(), action, ruling, answer, 0, gate, agent),)))
        return answer

    async def ask(self, action: Action, ruling: Ruling, gate: str, agent: str = "") -> Answer:
        """Ask the operator. An identical question of the same process that is already pending is joined.

        Cancelling withdraws the question once nobody else waits for it.
        """
        closed = self._closed or self._closed_to.get(agent)
        if closed is not None:
            self.hub.post(Decided((Record(time.time(), action, ruling, closed, 0, gate, agent),)))
            return closed
        key = _key(action, agent)
        waiting = self._by_key.get(key) or self._open(key, action, ruling, gate, agent)
        waiting.waiters += 1
        try:
            return await asyncio.shield(waiting.answered)
        finally:
            waiting.waiters -= 1
            if not waiting.answered.done() and not waiting.waiters:
                self._withdraw(waiting.ask)

    def _open(self, key: _Key, action: Action, ruling: Ruling, gate: str, agent: str) -> _Waiting:
        self._numbers += 1
        waiting = _Waiting(Ask(self._numbers, action, ruling, time.monotonic(), gate, agent), key)
        self._pending[self._numbers] = self._by_key[key] = waiting
        self.hub.post(Asked(waiting.ask))
        return waiting

    def _take(self, number: int) -> _Waiting:
        """The pending question ``number``, which is pending no more."""
        waiting = self._pending.pop(number)
        del self._by_key[waiting.key]
        return waiting

    def answer(self, number: int, verdict: Verdict, source: Source = Source.OPERATOR, note: str = "") -> bool:
        """Answer question ``number``; False when it is not pending any more (nothing happens then)."""
        waiting = self._pending.get(number)
        if waiting is None:
            return False
        self._settle(number, Answer(verdict, source, waiting.ask.ruling, note))
        return True

    def _settle(self, number: int, answer: Answer) -> None:
        waiting = self._take(number)
        ask = waiting.ask
        if answer.verdict is Verdict.ALLOW and self._held:
            answer = Answer(Verdict.DENY, Source.GATE, ask.ruling, self._held)
        if answer.verdict is Verdict.ALLOW and answer.source is Source.OPERATOR:
            self._decider.grant(ask.action)
        waited = int((time.monotonic() - ask.since) * 1000)
        self.hub.post(Settled(ask, answer))
        self.hub.post(Decided((_record(ask, answer, waited),)))
        if not waiting.answered.done():
            waiting.answered.set_result(answer)

    def _withdraw(self, ask: Ask) -> None:
        self._take(ask.number)
        answer = Answer(Verdict.DENY, Source.GATE, ask.ruling, "nobody waited for the answer any more")
        waited = int((time.monotonic() - ask.since) * 1000)
        self.hub.post(Withdrawn(ask))
        self.hub.post(Decided((_record(ask, answer, waited),)))

    def close(self, why: str, source: Source = Source.GATE, *, agent: str | None = None) -> None:
        """Deny everything that is pending and every later question, and say ``why``; with ``agent`` only
        what is that one's."""
        closed = Answer(Verdict.DENY, source, note=why)
        if agent is None:
            self._closed = closed
            self._goes_on.set()
        else:
            self._closed_to[agent] = closed
        for ask in list(self):
            if agent in (None, ask.agent):
                self.answer(ask.number, Verdict.DENY, source, why)


def _record(ask: Ask, answer: Answer, waited_ms: int) -> Record:
    return Record(time.time(), ask.action, ask.ruling, answer, waited_ms, ask.gate, ask.agent)
