"""The detail: everything that is known of the action that the keys are about."""

from __future__ import annotations

from dataclasses import dataclass

from agentgate.actions import Kind, Source
from agentgate.gate import helpers
from agentgate.gate.events import Ask
from agentgate.gate.risk import Risk, Scene, risk
from agentgate.tui import words
from agentgate.tui.ink import NARROW, OUTSIDE_LIMIT, Ink, Line, fit, fold, outside
from agentgate.tui.queue.board import Tree
from agentgate.tui.queue.grouping import claim
from agentgate.tui.queue.look import Look
from agentgate.tui.widgets.lines import Lines
from agentgate.tui.widgets.queue import differs, facts, risk_mark, unlike

__all__ = ["About", "DetailPanel", "Shown", "describe", "describe_whole"]

LABEL = 9
"""Cells of the column of labels."""

_LISTED = 200
"""Actions of a folded command that are listed."""


@dataclass(frozen=True, slots=True)
class About:
    """What else is known of a question. ``many`` ask the same, ``shown`` of them were on the screen for long
    enough; while cards are ``marked``, the keys are about those. ``look`` is what lies where it would act,
    ``patience`` a line about the agent's own time-out, ``agent`` who asks where there are several, ``due`` a
    word about the session's time-out. ``verdicts``: the keys that allow, deny, and allow always."""

    many: int = 1
    shown: int = 1
    marked: int = 0
    risk: Risk | None = None
    look: Look | None = None
    patience: str = ""
    agent: str = ""
    due: str = ""
    verdicts: tuple[str, str, str] = ("a", "d", "A")


_ALONE = About()
_NOWHERE = Scene()


def describe(
    ask: Ask, refusal: str, now: float, keys: str | None, armed: bool, cells: int, about: About = _ALONE
) -> list[Line]:
    """The lines of the detail for a panel of ``cells`` cells.

    ``refusal`` says why "always" is not offered (empty when it is); ``keys`` goes before the verdict keys
    (the leader, in AGENT mode; None: these do not act here); ``armed`` whether those keys count already.
    """
    action, ruling = ask.action, ask.ruling
    lines: list[Line] = []

    def field(label: str, text: str, ink: Ink = Ink.PLAIN) -> None:
        if text:
            lines.extend(labelled(label, ((text, ink),), cells))

    size = len(action.target)
    if size > OUTSIDE_LIMIT:  # the words that say so stand in the cut itself, which is far below
        field("cut", f"it has {size:,} characters; the middle is left out", Ink.WAIT)
    lines += fold(((outside(action.target), Ink.STRONG),), cells, indent=2)
    if action.origin:
        label = "bound as" if action.kind is Kind.NET_EGRESS else "from"
        field(label, outside(action.origin), Ink.STRONG)
    syscall = f" by {outside(action.syscall, 80)}" if action.syscall else ""
    field("kind", f"{action.kind.value}{syscall}, held for {words.age(now - ask.since)}{about.due}")
    field("agent", outside(about.agent, 200), Ink.STRONG)
    if keys is not None and (cells >= NARROW or not keys):
        lines.append(keys_line(refusal, keys, armed, about.marked, about.verdicts))
    if about.risk is not None:
        glyph, ink = risk_mark(about.risk)
        reason = f": {outside(about.risk.reason, 400)}" if about.risk.reason else ""
        lines += labelled("risk", ((glyph, ink), (reason, Ink.PLAIN)), cells)
    if about.many > 1:
        newer = about.many - about.shown
        late = f"; {newer} came since, and a key does not answer {_them(newer)} yet" if newer > 0 else ""
        field("same", f"{about.many} processes ask for the same; one answer is for all{late}", Ink.WAIT)
    guard = ruling.source is Source.GUARD
    field("asked by", outside(ruling.why, 1000), Ink.GUARD if guard else Ink.WAIT)
    meaning = helpers.meaning(action.target)
    if meaning not in ruling.why:
        field("it means", meaning, Ink.GUARD)
    field("claimed:", outside(action.intent, 2000), Ink.CLAIM)
    said = claim(action)
    if not said.itself and said.words not in (action.target, action.intent):
        field("command:", outside(said.words, 2000), Ink.CLAIM)
    for difference in unlike(action):
        field("≠", difference, Ink.DENY)
    field("patience", outside(about.patience, 400), Ink.WAIT)
    field("cwd", outside(action.cwd))
    for depth, line in enumerate(words.chain(action)):
        lines += labelled("chain" if depth == 0 else "", line, cells, 2 * min(depth, words.DEEPEST))
    if " ".join(action.argv) not in ("", action.target, *(actor.command for actor in action.chain[:1])):
        field("argv", outside(" ".join(action.argv)))
    field("gate", outside(ask.gate, 40))
    if refusal:
        field("always", outside(refusal, 400))
    if about.look is not None:
        lines += looked(about.look, cells)
    return lines


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def looked(look: Look, cells: int) -> list[Line]:
    """What lies where the action would act, and what it changes there where that is known."""
    lines: list[Line] = []
    for label, text in (("there", look.there), ("comes", look.comes), ("change", look.note)):
        if text:
            lines += labelled(label, ((outside(text, 1000), Ink.PLAIN),), cells)
    inks = {"+": Ink.ALLOW, "-": Ink.DENY, "@": Ink.DIM}
    for text in look.diff:
        lines += fold(((outside(text, 1000), inks.get(text[:1], Ink.PLAIN)),), cells, 2)
    return lines


def describe_whole(
    tree: Tree, scene: Scene, keys: str | None, armed: bool, cells: int, about: About = _ALONE
) -> list[Line]:
    """The lines for a folded command: the agent's words, and what is observed, one line an action."""
    said = claim(tree.first.action)
    lines = fold((("claimed: ", Ink.DIM), (outside(said.words, 4000), Ink.CLAIM)), cells, indent=2)
    differing = differs(tree)
    observed: Line = (("observed: ", Ink.DIM), *facts(tree))
    lines += fold((*observed, (f"  {differing}", Ink.DENY)), cells, indent=2)
    if about.agent:
        lines += labelled("agent", ((outside(about.agent, 200), Ink.STRONG),), cells)
    if keys is not None:
        ink = Ink.KEY if armed else Ink.IDLE
        lines.append(
            (
                (about.verdicts[1], ink),
                (" deny all of it   ", Ink.DIM),
                ("→", Ink.KEY),
                (" shows the actions", Ink.DIM),
            )
        )
    lines.append(())
    for count, card in enumerate(tree.passing):
        if count == _LISTED:
            lines.append(((f"and {tree.shown - count} more", Ink.DIM),))
            break
        ask = card.first
        glyph, ink = risk_mark(risk(ask.action, ask.ruling, scene))
        many = f" ×{len(card.asks)}" if len(card.asks) > 1 else ""
        line: Line = ((f"{glyph[0]} ", ink), (f"{ask.action.kind.value} ", Ink.DIM))
        lines.append(fit((*line, (words.target(ask.action), Ink.PLAIN), (many, Ink.WAIT)), cells))
        for difference in unlike(ask.action):
            lines.append((("  ≠ ", Ink.DENY), (difference, Ink.DENY)))
    return lines


def labelled(label: str, line: Line, cells: int, indent: int = 0) -> list[Line]:
    """``line`` beside its label; in a narrow panel below it. ``indent``: of what is folded, further in."""
    if cells >= NARROW:
        return fold(((label.ljust(LABEL), Ink.DIM), *line), cells, LABEL + indent)
    head: list[Line] = [((label, Ink.DIM),)] if label else []
    return [*head, *fold((("  ", Ink.PLAIN), *line), cells, 2 + min(indent, 2))]


def keys_line(
    refusal: str, keys: str, armed: bool, marked: int = 0, verdicts: tuple[str, str, str] = _ALONE.verdicts
) -> Line:
    ink = Ink.KEY if armed else Ink.IDLE
    once, no, always = verdicts
    if marked and not keys:
        allow: Line = ((once, ink), (f" allow low risks of {marked} marked   ", Ink.DIM))
        return (*allow, (no, ink), (" deny them", Ink.DIM))
    line: Line = (
        (keys, Ink.DIM),
        (once, ink),
        (" allow once   " if keys == "" else " allow   ", Ink.DIM),
        (no, ink),
        (" deny", Ink.DIM),
    )
    if not refusal and not keys:
        line = (*line, ("   ", Ink.DIM), (always, ink), (" always", Ink.DIM))
    return line


@dataclass(frozen=True, slots=True)
class Shown:
    """What the panel is about: a question, or the folded command ``whole`` that stands on it. For the rest
    see `describe`."""

    ask: Ask
    refusal: str
    now: float
    keys: str | None
    armed: bool
    about: About
    whole: Tree | None = None
    scene: Scene = _NOWHERE

    @property
    def name(self) -> object:
        """What it is, however long it has waited."""
        return self.ask.number, self.whole is not None

    @property
    def drawn(self) -> object:
        """Equal for two that look the same."""
        whole = self.whole and (self.whole.tag, self.whole.shown, self.whole.newest)
        held = words.age(self.now - self.ask.since)
        return self.ask, self.refusal, held, self.keys, self.armed, self.about, whole

    def lines(self, cells: int) -> list[Line]:
        if self.whole is not None and self.whole.shown:
            return describe_whole(self.whole, self.scene, self.keys, self.armed, cells, self.about)
        return describe(self.ask, self.refusal, self.now, self.keys, self.armed, cells, self.about)


class DetailPanel(Lines):
    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: Shown | None = None
        self._folded: list[Line] = []
        self._drawn: object = None

    def show(self, shown: Shown | None) -> None:
        """None when nothing is shown."""
        drawn = shown and shown.drawn
        if drawn == self._drawn:
            return
        other = (self._shown and self._shown.name) != (shown and shown.name)
        self._drawn, self._shown = drawn, shown
        if other:
            self.changed()
            self.go_to(0)
            return
        before = self._folded
        self._fold()
        if len(before) == len(self._folded):
            self.repaint(index for index, line in enumerate(self._folded) if line != before[index])
        else:
            self.changed()

    def _fold(self) -> None:
        self._folded = []
        if self._shown and self.size.width:
            self._folded = self._shown.lines(self.size.width - 1)

    def changed(self) -> None:
        self._fold()
        more = len(self._folded) - self.size.height
        title = f"2 ACTION {self._shown.ask.number}" if self._shown else "2 ACTION"
        self.border_title = f"{title} · +{more} lines" if more > 0 and self.size.height else title
        super().changed()

    def rows(self) -> int:
        return max(1, len(self._folded))

    def row(self, index: int, cells: int) -> list[Line]:
        if not self._folded:
            return [(("what waits is shown here in full", Ink.DIM),)]
        return [self._folded[index]]
