"""The answers that hold longer than once: for this session, for one process and what it starts, or as a rule
in the policy file for an hour, a day or always. Given, listed, and taken back again.

Guarantees: nothing here answers a guard with an allow, nor anything where ``--no-always`` hides it; what
cannot be remembered or written answers nothing, and the question still waits.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agentgate.actions import Decision, Kind, Source, Verdict
from agentgate.gate.remembered import Answers, Remembered
from agentgate.policy import scopes
from agentgate.policy.edit import insert_rule
from agentgate.policy.errors import PolicyError
from agentgate.policy.explain import describe
from agentgate.policy.scopes import Scope
from agentgate.policy.spans import Span
from agentgate.policy.suggest import Draft, suggest

if TYPE_CHECKING:
    from agentgate.gate.events import Ask
    from agentgate.session import Session

__all__ = ["Answering", "Placed", "Preview"]

_RULE_MAX = 4096  # characters of a command line that a rule is made of; a longer one may be cut
_WHAT = "answer"


@dataclass(frozen=True, slots=True)
class Placed:
    """One line of a file, with its number; ``new`` when it is written."""

    number: int
    text: str
    new: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """The file as it would be: what it is called and where in it the rule goes, and all its lines.
    ``error`` says why it cannot be written."""

    place: str = ""
    lines: tuple[Placed, ...] = ()
    error: str = ""


class Answering:
    """What one session's operator answers for longer than once."""

    def __init__(self, session: Session, now: Callable[[], float] = time.time) -> None:
        self._session = session
        self._now = now
        self._numbers = itertools.count(1)

    @property
    def remembered(self) -> tuple[Remembered, ...]:
        """The answers that hold without a rule, the newest first."""
        return tuple(self._answers)

    @property
    def _answers(self) -> Answers:
        answers = self._session.gate.decider.answers
        assert answers is not None
        return answers

    # -- may it be?

    def refusal(self, ask: Ask, decision: Decision = Decision.ALLOW) -> str:
        """Empty when ``ask`` can be answered with ``decision`` for longer than once, else why not."""
        if not self._session.settings.always:
            return "--no-always: every answer is given once"
        if ask.action.kind is Kind.EXEC and len(ask.action.target) > _RULE_MAX:
            return "this command line is too long for a rule"
        if ask.ruling.source is Source.GUARD and decision is Decision.ALLOW:
            return f"guard {ask.ruling.guard}: it {ask.ruling.reason}; allowed only once at a time"
        return ""

    def refusal_for_process(self, ask: Ask) -> str:
        """Likewise for an allow that holds for the acting process and what it starts."""
        if not ask.action.chain or not ask.action.chain[0].start:
            return "it is not known which process acts"
        return self.refusal(ask)

    def ladder(self, ask: Ask, decision: Decision) -> tuple[Scope, ...]:
        """How far the answer may reach, from narrow to wide."""
        return scopes.ladder(ask.action, decision, self._session.context())

    def flaw(self, ask: Ask, decision: Decision, targets: tuple[str, ...]) -> str:
        """Why globs that were typed by hand will not do; empty when they will."""
        return scopes.flaw(targets, ask.action, decision, self._session.context())

    def preview(self, ask: Ask, draft: Draft, span: Span) -> Preview:
        """What ``give`` would write; nothing for a span that writes nothing."""
        if not span.written:
            return Preview()
        file = self._session.policy_file
        ruling = self._session.gate.decider.rule(ask.action)
        before = ruling.rule
        place = file.label if file.path else f"a new {file.new_path.name}, a copy of the {file.label}"
        line = f", line {ruling.line}" if ruling.line else ""
        place += f", before rule {before}{line}" if before else ", behind the last rule"
        draft = replace(draft, until=span.until(self._moment()))
        try:
            old = file.text()
            new = insert_rule(old, draft, before, file.label)
        except PolicyError as error:
            return Preview(place, error=error.message)
        return Preview(place, _placed(old.splitlines(), new.splitlines()))

    def _moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._now()).astimezone()

    # -- giving

    def give(self, ask: Ask, draft: Draft, span: Span) -> None:
        """Answer ``ask``, and for as long as ``span`` says whatever ``draft`` covers; its ``until`` is set
        here. Raises PolicyError or OSError; then nothing is changed and the question still waits."""
        if span is Span.ONCE:
            self._session.gate.answer(ask.number, Verdict(draft.decision.value))
        elif span.written:
            self.write(ask, replace(draft, until=span.until(self._moment())))
        else:
            self._remember(ask, draft, None)

    def for_session(self, ask: Ask, decision: Decision = Decision.ALLOW) -> str:
        """Answer ``ask`` and what is suggested for it for this session; returns what was answered. Raises
        PolicyError."""
        return self._remember(ask, suggest(ask.action, decision), None)

    def for_process(self, ask: Ask) -> str:
        """Allow ``ask`` to its process and what it starts; a command, with every command that it starts.
        Returns what was answered. Raises PolicyError."""
        refusal = self.refusal_for_process(ask)
        if refusal:
            raise PolicyError(refusal, _WHAT)
        draft = suggest(ask.action)
        if ask.action.kind is Kind.EXEC:
            draft = replace(draft, targets=())
        return self._remember(ask, draft, ask)

    def _remember(self, ask: Ask, draft: Draft, process_of: Ask | None) -> str:
        self._check(ask, draft)
        process = process_of.action.chain[0] if process_of else None
        answer = Remembered(next(self._numbers), draft.rule, self._now(), process)
        Answers(self._session.context()).add(answer)  # or it raises, before anybody heard of it
        gate = self._session.gate
        self._tell_agents((answer, *self.remembered))
        verdict = Verdict(draft.decision.value)
        if not gate.answer(ask.number, verdict, note=answer.reach):
            self._tell_agents(self.remembered)
            raise PolicyError("it no longer waits; nothing is remembered", _WHAT)
        gate.remember(answer)
        return _words(answer)

    def write(self, ask: Ask, draft: Draft) -> None:
        """Write ``draft`` before the rule that asked, put the new policy in force, answer ``ask``.

        Raises PolicyError or OSError; then nothing is changed and the question still waits.
        """
        self._check(ask, draft)
        session = self._session
        # The rules may have other numbers than when it was asked.
        before = session.gate.decider.rule(ask.action).rule
        session.edit_policy(lambda file, check: file.add(draft, before, check))
        session.gate.answer(ask.number, Verdict(draft.decision.value))

    def _check(self, ask: Ask, draft: Draft) -> None:
        refusal = self.refusal(ask, draft.decision)
        if refusal:
            raise PolicyError(refusal, self._session.policy_file.label)

    # -- taking back

    def take_back(self, number: int) -> str:
        """Let answer ``number`` hold no more; returns what it was, empty when there was none."""
        answer = self._answers.remove(number)
        if answer is None:
            return ""
        self._tell_agents(self.remembered)
        return _words(answer)

    def undo(self) -> str:
        """Take the last of it all back, a rule that this session wrote or an answer; returns what it was.
        Raises PolicyError or OSError when there is nothing, or when the file was changed by others since."""
        changes = self._session.policy_file.changes
        newest = next(iter(self.remembered), None)
        if newest and (not changes or newest.said_at >= changes[-1].at):
            return f"the answer no longer holds: {self.take_back(newest.number)}"
        if not changes:
            raise PolicyError("nothing was answered for longer than once in this session", _WHAT)
        what = changes[-1].what
        self._session.edit_policy(lambda file, check: file.undo(check)[1])
        return f"{self._session.policy_file.label} is as it was before: {what}"

    def _tell_agents(self, answers: tuple[Remembered, ...]) -> None:
        for run in self._session.agents:
            run.remember(answers)


def _words(answer: Remembered) -> str:
    return f"{describe(answer.rule)}, {answer.reach}"


def _placed(old: list[str], new: list[str]) -> tuple[Placed, ...]:
    """The lines of ``new``, those marked that ``old`` has not. Where they could be taken for the ones above
    or below them as well, they begin with the dash of the rule, which stands further left than others."""
    count = len(new) - len(old)
    first = next((at for at, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), len(old))
    if count > 0 and new[first + count :] == old[first:]:
        places = [first]
        while places[-1] > 0 and new[places[-1] - 1] == new[places[-1] + count - 1]:
            places.append(places[-1] - 1)
        dashes = [at for at in places if new[at].lstrip(" ").startswith("-")]
        first = min(dashes, key=lambda at: new[at].index("-"), default=first)
    else:  # a list on one line
        count = 1
    return tuple(Placed(at + 1, text, first <= at < first + count) for at, text in enumerate(new))
