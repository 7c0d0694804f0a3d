"""The policy panel: the rules in their order with what is known of them, and the chosen one in full."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import replace

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from agentgate.audit.record import Record
from agentgate.policy.errors import PolicyError
from agentgate.policy.findings import Findings, examine
from agentgate.policy.match import Context, expired
from agentgate.policy.model import Policy, Rule
from agentgate.policy.store import PolicyFile
from agentgate.policy.tally import Tally
from agentgate.tui.ink import Ink, Line, fold, outside
from agentgate.tui.policy.lines import Known, default_line, rule_in_full, rule_line
from agentgate.tui.seen import Seen
from agentgate.tui.widgets.lines import Lines

__all__ = ["PolicyPanel"]

EXPIRY_SECONDS = 30.0
"""So often is looked whether a rule's time is over."""

COUNT_SECONDS = 0.5
"""Hits are drawn so often while decisions come."""


class RuleList(Lines):
    """The rules and, last, the default."""

    DEFAULT_CSS = """
    RuleList { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.policy = Policy()
        self.known = Known()
        self.error = ""
        self.cursor = 0

    def rows(self) -> int:
        return len(self.policy.rules) + 1

    def row(self, index: int, cells: int) -> list[Line]:
        rules = self.policy.rules
        if index < len(rules):
            return [rule_line(rules[index], self.known, cells)]
        return [default_line(self.policy, self.known, cells)]


class RuleText(Lines):
    """The chosen rule in full, or why the file was refused."""

    DEFAULT_CSS = """
    RuleText { height: auto; max-height: 50%; border-top: dashed $line; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.can_focus = False
        self.lines: list[Line] = []

    def rows(self) -> int:
        return len(self.lines)

    def row(self, index: int, cells: int) -> list[Line]:
        return [self.lines[index]]


def _itself(rule: Rule | None) -> Rule | None:
    """What makes a rule the same rule wherever it stands, and switched off too."""
    return replace(rule, number=0, line=0, disabled=False) if rule else None


class PolicyPanel(Vertical):
    """``begin`` says where the policy is in force; without it nothing is examined."""

    DEFAULT_CSS = """
    PolicyPanel { background: $background; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.list = RuleList()
        self.full = RuleText()
        self.tally = Tally()
        self._label = ""
        self._has_keys = False
        self._meaning: Context | None = None
        self._file: PolicyFile | None = None
        self._findings = Findings()
        self._counts = False
        self._under = Seen()
        self._last_change = Seen()

    def compose(self) -> ComposeResult:
        yield self.list
        yield self.full

    def on_mount(self) -> None:
        self.set_interval(EXPIRY_SECONDS, self._know)

    def begin(self, context: Context, file: PolicyFile) -> None:
        self._meaning, self._file = context, file

    # What is in force

    def show(self, policy: Policy, label: str, error: str, has_keys: bool) -> None:
        """The policy in force; ``error`` says why a changed file was refused."""
        drawn = (policy, label, error)
        self.list.set_class(has_keys, "has-keys")
        self._has_keys = has_keys
        if drawn != (self.list.policy, self._label, self.list.error):
            if policy is not self.list.policy:
                self.tally.use(policy)
                self.run_worker(self._examine(policy), exclusive=True)
                if self._label:
                    self._follow(policy)
            self.list.policy, self._label, self.list.error = drawn
            self._know()
            self.list.point(self.list.cursor)
            self.tell()
        self._look()

    async def _examine(self, policy: Policy) -> None:
        """Find out, beside everything else, what there is to be known of the policy."""
        if self._meaning is None:
            return
        try:
            findings = await asyncio.to_thread(examine, policy, self._meaning)
        except PolicyError:  # of a policy that is in force nothing else can be said either
            findings = Findings()
        if policy is self.list.policy:
            self._findings = findings
            self._know()
            self.tell()

    def count(self, records: Iterable[Record]) -> None:
        """Decisions as they are made. Those that come together are drawn together."""
        self.tally.add(record.ruling for record in records)
        if not self._counts:
            self._counts = True
            self.set_timer(COUNT_SECONDS, self._counted)

    def _counted(self) -> None:
        self._counts = False
        self._know()
        self.tell()

    def _know(self) -> None:
        policy = self.list.policy
        hits = {rule.number: self.tally.hits(rule) for rule in policy.rules} | {0: self.tally.default}
        over = frozenset(rule.number for rule in policy.rules if expired(rule))
        self.list.known = Known(self._findings, hits, over)
        failing = len(self._findings.failures)
        said = f" · ✗ {failing} failing test{'s' if failing > 1 else ''}" if failing else ""
        self.list.border_title = Content(f"4 POLICY · {outside(self._label, 60)}{said}")
        self.list.changed()

    # What is under the keys

    @property
    def chosen(self) -> Rule | None:
        """The rule under the cursor; None for the default."""
        rules, cursor = self.list.policy.rules, self.list.cursor or 0
        return rules[cursor] if cursor < len(rules) else None

    def choose(self, number: int) -> None:
        """Put the cursor on rule ``number``."""
        self.list.point(number - 1)
        self.tell()

    def in_full(self, cells: int) -> list[Line]:
        """Everything that is known of the chosen rule."""
        return rule_in_full(self.chosen, self.list.policy, self.list.known, cells)

    def _follow(self, policy: Policy) -> None:
        """Keep the cursor on its rule, wherever that is in ``policy``."""
        mine = _itself(self.chosen)
        same = [index for index, rule in enumerate(policy.rules) if _itself(rule) == mine]
        if self.chosen is None:
            self.list.cursor = len(policy.rules)
        elif same:
            self.list.cursor = min(same, key=lambda index: abs(index - (self.list.cursor or 0)))

    def armed(self, policy: Policy, at: float, seconds: float) -> bool:
        """Whether a key pressed at ``at`` counts for the chosen rule of ``policy``."""
        return policy is self.list.policy and self._under.armed(at, seconds)

    def undo_armed(self, at: float, seconds: float) -> bool:
        """Whether a key pressed at ``at`` counts for the last change of the file."""
        return self._last_change.armed(at, seconds)

    def _look(self) -> None:
        """See what a key would be about now; its time begins when that is on the screen."""
        changes = self._file.changes if self._file else []
        for seen, thing in (
            (self._under, _itself(self.chosen)),
            (self._last_change, id(changes[-1]) if changes else 0),
        ):
            if seen.look((self._has_keys, thing)):
                self.call_after_refresh(self._drawn, seen, (self._has_keys, thing))

    def _drawn(self, seen: Seen, thing: object) -> None:
        seen.drawn(thing, time.monotonic())

    def tell(self) -> None:
        """Lay the chosen rule out below the list."""
        cells = max(self.size.width - 2, 10)
        lines = self.in_full(cells)
        if self.list.error:
            refused = (("not loaded: ", Ink.DENY), (outside(self.list.error, 1000), Ink.DENY))
            lines = [*fold(refused, cells), *lines]
        if lines != self.full.lines:
            self.full.lines = lines
            self.full.styles.height = min(len(lines), max(self.size.height // 2 - 1, 0)) + 1
            self.full.display = self.size.height >= 8
            self.full.changed()
        self._look()

    def move(self, how: str) -> None:
        self.list.move(how)
        self.tell()

    def on_resize(self) -> None:
        self.full.lines = []
        self.tell()

    def on_click(self, event: events.Click) -> None:
        if event.widget is self.list:
            index = self.list.row_at(event.y - self.list.gutter.top)
            if index is not None:
                self.list.point(index)
                self.tell()
