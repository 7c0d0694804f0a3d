"""The keys of the audit view: what they do to the state, and what they ask for. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agentgate.actions import Decision
from agentgate.audit.query import BadFilter, Filter
from agentgate.gate.events import Ask
from agentgate.tui.answers import verbs as longer
from agentgate.tui.inputs import AskAlways, Effect, Input
from agentgate.tui.modes import Cover
from agentgate.tui.prompt import Prompt
from agentgate.tui.record.look import Look
from agentgate.tui.state import RECORDED, Hint, State
from agentgate.tui.steps import Purpose, Step, Verb

__all__ = [
    "PARTS",
    "PURPOSES",
    "VERBS",
    "Export",
    "ExportFailed",
    "Follow",
    "OpenRecord",
    "RecordOpened",
    "RecordTaken",
    "RuleFrom",
    "RuleWritten",
]

_FILTER, _EXPORT = "audit-filter", "audit-export"
_HINT = "deny  host:github.com  path:src  by:npm  since:10m  any text  !not"
_SOME_TIME = 1e9  # whether a filter means something does not depend on the time


@dataclass(frozen=True, slots=True)
class Follow(Effect):
    """Follow what comes, or stay."""


@dataclass(frozen=True, slots=True)
class OpenRecord(Effect):
    """Show the chosen record in full (`RecordOpened` comes back), or open or close the chosen group."""


@dataclass(frozen=True, slots=True)
class Export(Effect):
    """Write what the filter leaves into a new file of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class RuleFrom(Effect):
    """Have a rule of that decision made from the chosen record: `RecordTaken` comes back."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class RecordTaken(Input):
    """A record, as the question that it was or would have been, with number `RECORDED`."""

    ask: Ask
    decision: Decision


@dataclass(frozen=True, slots=True)
class RuleWritten(Input):
    """The rule that was made from a record is in force."""


@dataclass(frozen=True, slots=True)
class RecordOpened(Input):
    """There is a record to be shown in full."""


@dataclass(frozen=True, slots=True)
class ExportFailed(Input):
    """There is no file ``name``, and why."""

    name: str
    why: str


def _look(change: Callable[[Look], Look]) -> Verb:
    return lambda state, now: Step(replace(state, look=change(state.look)))


def _filter(state: State, now: float) -> Step:
    look = replace(state.look, before=state.look.filter)
    prompt = Prompt(_FILTER, "filter", look.filter, hint=_HINT)
    return Step(replace(state, look=look, prompt=prompt, hint=None))


def _typed(state: State, prompt: Prompt, now: float) -> Step:
    """What is typed holds at once; what means nothing yet changes nothing."""
    try:
        Filter.parse(prompt.text, _SOME_TIME)
    except BadFilter as error:
        return Step(replace(state, prompt=replace(prompt, error=str(error))))
    return Step(replace(state, look=replace(state.look, filter=prompt.text.strip())))


def _entered(state: State, prompt: Prompt, now: float) -> Step:
    return _typed(state, prompt, now)


def _dropped(state: State, prompt: Prompt, now: float) -> Step:
    return Step(replace(state, look=replace(state.look, filter=state.look.before)))


def _export(state: State, now: float) -> Step:
    hint = "a new file, below the project"
    return Step(
        replace(state, prompt=Prompt(_EXPORT, "export to", "audit-export.jsonl", hint=hint), hint=None)
    )


def _exported(state: State, prompt: Prompt, now: float) -> Step:
    if not prompt.text.strip():
        return Step(replace(state, prompt=replace(prompt, error="a name, please")))
    return Step(replace(state, hint=Hint("writing ...", now)), (Export(prompt.text.strip()),))


def _failed(state: State, event: ExportFailed, now: float) -> Step:
    if state.prompt is not None:  # something else is typed by now
        return Step(replace(state, hint=Hint(f"not exported: {event.why}", now, urgent=True)))
    prompt = Prompt(_EXPORT, "export to", event.name, error=event.why)
    return Step(replace(state, prompt=prompt, hint=None))


def _opened(state: State, event: RecordOpened, now: float) -> Step:
    return Step(replace(state, cover=Cover.RECORD) if state.cover is Cover.NONE else state)


def _taken(state: State, event: RecordTaken, now: float) -> Step:
    """From here on as for "always": the sheet shows the rule before it is written."""
    if state.cover is not Cover.NONE:
        return Step(state)
    return Step(replace(state, recorded=event.ask), (AskAlways(event.ask.number, event.decision),))


def _written(state: State, event: RuleWritten, now: float) -> Step:
    about_record = state.sheet is not None and state.sheet.number == RECORDED
    return Step(longer.closed(state) if about_record else state)


VERBS: dict[str, Verb] = {
    "audit-filter": _filter,
    "audit-follow": lambda state, now: Step(state, (Follow(),)),
    "audit-open": lambda state, now: Step(state, (OpenRecord(),)),
    "audit-group": _look(lambda look: replace(look, grouped=not look.grouped)),
    "audit-whole": _look(lambda look: replace(look, whole=not look.whole)),
    "audit-export": _export,
    "audit-rule": lambda state, now: Step(state, (RuleFrom(Decision.ALLOW),)),
    "audit-rule-deny": lambda state, now: Step(state, (RuleFrom(Decision.DENY),)),
}
PURPOSES = {
    _FILTER: Purpose(entered=_entered, changed=_typed, closed=_dropped),
    _EXPORT: Purpose(entered=_exported),
}
PARTS: dict[type[Input], Callable[[State, Any, float], Step]] = {
    RecordOpened: _opened,
    RecordTaken: _taken,
    RuleWritten: _written,
    ExportFailed: _failed,
}
