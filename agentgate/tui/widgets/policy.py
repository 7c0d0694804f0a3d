"""The policy panel: the rules in their order, and the chosen one in full."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from agentgate.policy.model import Policy, Rule
from agentgate.tui import words
from agentgate.tui.ink import Ink, Line, fold, outside
from agentgate.tui.widgets.lines import Lines

__all__ = ["PolicyPanel", "rule_in_full", "rule_line"]

LABEL = 9


def rule_line(rule: Rule) -> Line:
    """Number, decision, kind, targets, and what narrows or explains it."""
    mark, ink = words.decision_mark(rule.decision)
    line: list[tuple[str, Ink]] = [
        (f"{rule.number:>2} ", Ink.DIM),
        (f"{mark:<8}", ink),
        (f"{rule.action.value if rule.action else 'any'} ", Ink.DIM),
        (outside(", ".join(rule.targets) or "*", 400), Ink.PLAIN),
    ]
    if rule.within:
        line.append((f"  within {outside(rule.within, 80)}", Ink.DIM))
    if rule.scope:
        line.append((f"  scope {outside(rule.scope, 80)}", Ink.DIM))
    if rule.until:
        line.append((f"  until {rule.until}", Ink.DIM))
    if rule.reason:
        line.append((f"  {outside(rule.reason, 200)}", Ink.CLAIM))
    return tuple(line)


def rule_in_full(rule: Rule | None, policy: Policy, cells: int) -> list[Line]:
    """Every key of the rule; None is the default at the end."""
    lines: list[Line] = []

    def field(label: str, text: str, ink: Ink = Ink.PLAIN) -> None:
        if text:
            lines.extend(fold(((label.ljust(LABEL), Ink.DIM), (text, ink)), cells, indent=LABEL))

    if rule is None:
        mark, ink = words.decision_mark(policy.default)
        field("default", mark, ink)
        field("", "for whatever no rule above matches")
        field("lifted", ", ".join(sorted(policy.lifted)))
        return lines
    mark, ink = words.decision_mark(rule.decision)
    field(f"rule {rule.number}", f"{mark}  line {rule.line}", ink)
    field("reason", outside(rule.reason, 1000), Ink.CLAIM)
    field("action", rule.action.value if rule.action else "any")
    for index, target in enumerate(rule.targets or ("*",)):
        field("target" if index == 0 else "", outside(target))
    field("within", outside(rule.within or ""))
    field("scope", outside(rule.scope or ""))
    field("until", str(rule.until or ""))
    return lines


class RuleList(Lines):
    """The rules and, last, the default."""

    DEFAULT_CSS = """
    RuleList { height: 1fr; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.policy = Policy()
        self.error = ""
        self.cursor = 0

    def rows(self) -> int:
        return len(self.policy.rules) + 1

    def row(self, index: int, cells: int) -> list[Line]:
        rules = self.policy.rules
        if index < len(rules):
            return [rule_line(rules[index])]
        mark, ink = words.decision_mark(self.policy.default)
        return [((" · ", Ink.DIM), (f"{mark:<8}", ink), ("default: everything else", Ink.DIM))]


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


class PolicyPanel(Vertical):
    DEFAULT_CSS = """
    PolicyPanel { background: $background; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.list = RuleList()
        self.full = RuleText()
        self._label = ""

    def compose(self) -> ComposeResult:
        yield self.list
        yield self.full

    def show(self, policy: Policy, label: str, error: str, has_keys: bool) -> None:
        """The policy in force; ``error`` says why a changed file was refused."""
        drawn = (policy, label, error)
        self.list.set_class(has_keys, "has-keys")
        if drawn == (self.list.policy, self._label, self.list.error):
            return
        self.list.policy, self._label, self.list.error = drawn
        self.list.border_title = Content(f"4 POLICY · {outside(label, 60)}")
        self.list.changed()
        self.list.point(self.list.cursor)
        self.tell()

    @property
    def chosen(self) -> Rule | None:
        """The rule under the cursor; None for the default."""
        rules, cursor = self.list.policy.rules, self.list.cursor or 0
        return rules[cursor] if cursor < len(rules) else None

    def tell(self) -> None:
        """Lay the chosen rule out below the list."""
        cells = max(self.size.width - 2, 10)
        lines = rule_in_full(self.chosen, self.list.policy, cells)
        if self.list.error:
            refused = (("not loaded: ", Ink.DENY), (outside(self.list.error, 1000), Ink.DENY))
            lines = [*fold(refused, cells), *lines]
        self.full.lines = lines
        self.full.styles.height = min(len(lines), max(self.size.height // 2 - 1, 0)) + 1
        self.full.display = self.size.height >= 8
        self.full.changed()

    def move(self, how: str) -> None:
        self.list.move(how)
        self.tell()

    def on_resize(self) -> None:
        self.tell()

    def on_click(self, event: events.Click) -> None:
        if event.widget is self.list:
            index = self.list.row_at(event.y - self.list.gutter.top)
            if index is not None:
                self.list.point(index)
                self.tell()
