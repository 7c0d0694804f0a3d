"""What the operator is asked about before it is done: a paste with something to it, opening a link that the
agent's program made, taking changes of files back. Pure.

The question lies in our own frame and shows what it is about. A yes counts only once it was on the screen for
as long as a verdict's key needs: a paste may be followed by typing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agentgate.tui.ink import Ink, Line, fold, outside
from agentgate.tui.inputs import Effect, Input
from agentgate.tui.modes import Cover
from agentgate.tui.state import Check, Hint, State
from agentgate.tui.steps import Step, Verb

__all__ = ["PARTS", "VERBS", "CheckDrawn", "Checked", "Go", "lines"]

_NOT_ASKED = {
    Cover.PASTE: "nothing was pasted", Cover.LINK: "no link was opened", Cover.BACK: "nothing was taken back"
}  # fmt: skip
_NO = {Cover.PASTE: "not pasted", Cover.LINK: "not opened", Cover.BACK: "nothing was taken back"}

LINES_MOST = 500
"""Lines of a paste that are shown."""


@dataclass(frozen=True, slots=True)
class Checked(Input):
    """There is something to be asked about."""

    check: Check


@dataclass(frozen=True, slots=True)
class CheckDrawn(Input):
    """``check`` is on the screen now."""

    check: Check


@dataclass(frozen=True, slots=True)
class Go(Effect):
    """Do what was asked about."""

    check: Check


def _checked(state: State, event: Checked, now: float) -> Step:
    if state.cover is not Cover.NONE or state.prompt is not None:
        what = _NOT_ASKED[event.check.cover]
        return Step(replace(state, hint=Hint(f"{what}: something else is being asked", now)))
    return Step(replace(state, cover=event.check.cover, check=event.check, leader=False))


def _drawn(state: State, event: CheckDrawn, now: float) -> Step:
    if state.check is not event.check:
        return Step(state)
    return Step(replace(state, check=replace(event.check, drawn_at=now)))


def _yes(state: State, now: float) -> Step:
    check = state.check
    if check is None:
        return Step(state)
    if not state.checked(now):
        text = f"read it first: a key counts once it was shown for {state.arm:g} s"
        return Step(replace(state, hint=Hint(text, now)))
    return Step(replace(state, cover=Cover.NONE, check=None, hint=None), (Go(check),))


def _no(state: State, now: float) -> Step:
    return Step(replace(state, cover=Cover.NONE, check=None, hint=Hint(_NO[state.cover], now)))


VERBS: dict[str, Verb] = {"check-yes": _yes, "check-no": _no}
PARTS: dict[type[Input], Callable[..., Step]] = {Checked: _checked, CheckDrawn: _drawn}


def lines(check: Check, hint: str, armed: bool, cells: int) -> list[Line]:
    """The question: why it is asked, the text or the address, the keys, and what was just said."""
    paste = check.cover is Cover.PASTE
    said: list[Line] = []
    for why in check.why:
        said += fold((("! ", Ink.WAIT), (why, Ink.WAIT)), cells, indent=2)
    if not paste:
        said += fold((("the agent's program made this link; it leads to", Ink.PLAIN),), cells)
    said.append(())
    texts = check.text.splitlines() if paste else [check.text]
    for text in texts[:LINES_MOST]:
        said += fold((("│ ", Ink.DIM), (outside(text), Ink.STRONG)), cells, indent=2)
    if len(texts) > LINES_MOST:
        said.append(((f"… {len(texts) - LINES_MOST} more lines", Ink.WAIT),))
    key = Ink.KEY if armed else Ink.IDLE
    yes, no = ("paste it", "do not paste") if paste else ("open it", "do not open it")
    said += [(), (("y", key), (f" {yes}   ", Ink.DIM), ("esc", Ink.KEY), (f" {no}", Ink.DIM))]
    return [*said, (), *fold(((outside(hint), Ink.WAIT),), cells)] if hint else said
