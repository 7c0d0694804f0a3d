"""Does what the keys ask for whose answers hold longer than once: with the session, its file and its past."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from agentgate.actions import Decision, Kind
from agentgate.gate.events import Ask, Notice
from agentgate.policy import scopes
from agentgate.policy.errors import PolicyError
from agentgate.policy.spans import Span
from agentgate.tui.answers.sheet import Sheet
from agentgate.tui.answers.standing import Standing, TakeBack
from agentgate.tui.answers.verbs import (
    CheckGlob,
    Counted,
    ForProcess,
    ForSession,
    GlobChecked,
    GlobTaken,
    TakeGlob,
    Undo,
)
from agentgate.tui.inputs import AlwaysRefused, AskAlways, Effect, SheetReady, WriteFailed, WriteRule
from agentgate.tui.record.verbs import RuleWritten
from agentgate.tui.state import RECORDED

if TYPE_CHECKING:
    from agentgate.tui.performing import Handler, Performing

__all__ = ["HANDLERS", "globs"]

_BACK = "u takes it back"


def _for_session(to: Performing, effect: ForSession) -> None:
    _remember(to, effect.number, to.session.answering.for_session)


def _for_process(to: Performing, effect: ForProcess) -> None:
    _remember(to, effect.number, to.session.answering.for_process)


def _remember(to: Performing, number: int, give: Callable[[Ask], str]) -> None:
    ask = to.desk.state.ask(number)
    if ask is None:
        return
    try:
        said = give(ask)
    except PolicyError as error:
        to.desk.tell(Notice(f"only once: {error.message}"))
        return
    _tell(to)
    to.session.hub.post(Notice(f"{said}; {_BACK}"))


def _ask_always(to: Performing, effect: AskAlways) -> None:
    ask = to.desk.state.ask(effect.number)
    if ask is None:
        return
    refusal = to.session.answering.refusal(ask, effect.decision)
    if refusal:
        to.desk.tell(AlwaysRefused(refusal))
        return
    ladder = to.session.answering.ladder(ask, effect.decision)
    sheet = Sheet(effect.number, effect.decision, ladder, scopes.starting(ladder, ask.action))
    to.desk.tell(SheetReady(sheet))
    to.desk.spawn(_count(to, ask, sheet))


async def _count(to: Performing, ask: Ask, sheet: Sheet) -> None:
    """Say beside each scope what it would have matched; off the loop, for the past may be long."""
    drafts = {
        scope.targets: scopes.draft(ask.action, sheet.decision, scope.targets)
        for scope in sheet.scopes
        if not scope.refused and scope.targets not in sheet.past
    }
    context = to.session.context()

    def count() -> dict[tuple[str, ...], str]:
        past = to.session.recorded.read()
        if past.error:
            return dict.fromkeys(drafts, f"the record cannot be read: {past.error}")
        return {targets: past.matching(draft, context).words for targets, draft in drafts.items()}

    to.desk.tell(Counted(sheet.number, await asyncio.to_thread(count)))


def _write_rule(to: Performing, effect: WriteRule) -> None:
    """Answer as the sheet says; the question's end comes back as an event."""
    state, session = to.desk.state, to.session
    ask, sheet = state.ask(effect.number), state.sheet
    if ask is None or sheet is None or sheet.number != effect.number:
        return
    if ask.number == RECORDED and not sheet.span.written:
        to.desk.tell(WriteFailed("nothing waits here for an answer: take a time that is written, or always"))
        return
    draft = scopes.draft(ask.action, sheet.decision, sheet.targets)
    try:
        session.answering.give(ask, draft, sheet.span)
    except (PolicyError, OSError) as error:
        to.desk.tell(WriteFailed(str(error)))
        return
    if ask.number == RECORDED:
        to.desk.tell(RuleWritten())
    _tell(to)
    if sheet.span is not Span.ONCE:
        where = f"written into {session.policy_file.label}" if sheet.span.written else "remembered"
        session.hub.post(
            Notice(f"{where}: {sheet.decision} {' | '.join(sheet.targets)}, {sheet.span}; {_BACK}")
        )


def _undo(to: Performing, effect: Undo) -> None:
    try:
        said = to.session.answering.undo()
    except (PolicyError, OSError) as error:
        to.desk.tell(Notice(f"nothing is taken back: {error}"))
        return
    _tell(to)
    to.session.hub.post(Notice(said))


def _take_back(to: Performing, effect: TakeBack) -> None:
    said = to.session.answering.take_back(effect.number)
    _tell(to)
    if said:
        to.desk.tell(Notice(f"the answer no longer holds: {said}"))


def _tell(to: Performing) -> None:
    """Tell the room which answers hold now."""
    to.desk.tell(Standing(to.session.answering.remembered))


def globs(text: str, kind: Kind) -> tuple[str, ...]:
    """What a typed glob comes to. A command's with anything behind it is one without it, too."""
    if kind is Kind.EXEC and text.endswith(" *") and text[:-2].strip(" *"):
        return text[:-2], text
    return (text,)


def _check_glob(to: Performing, effect: CheckGlob) -> None:
    found = _flaw(to, effect.text)
    if found:
        to.desk.tell(GlobChecked(found[0].number, effect.text, found[1]))


def _take_glob(to: Performing, effect: TakeGlob) -> None:
    found, sheet = _flaw(to, effect.text), to.desk.state.sheet
    if found is None or sheet is None:
        return
    ask, flaw = found
    if flaw:
        to.desk.tell(GlobChecked(ask.number, effect.text, flaw))
        return
    targets = globs(effect.text, ask.action.kind)
    to.desk.tell(GlobTaken(ask.number, targets))
    to.desk.spawn(_count(to, ask, sheet.with_typed(targets)))


def _flaw(to: Performing, text: str) -> tuple[Ask, str] | None:
    """The sheet's question, and why ``text`` will not do for it."""
    sheet = to.desk.state.sheet
    ask = to.desk.state.ask(sheet.number) if sheet else None
    if sheet is None or ask is None:
        return None
    decision: Decision = sheet.decision
    return ask, to.session.answering.flaw(ask, decision, globs(text, ask.action.kind))


HANDLERS: dict[type[Effect], Handler] = {
    ForSession: _for_session,
    ForProcess: _for_process,
    AskAlways: _ask_always,
    WriteRule: _write_rule,
    Undo: _undo,
    TakeBack: _take_back,
    CheckGlob: _check_glob,
    TakeGlob: _take_glob,
}
