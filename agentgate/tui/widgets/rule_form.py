"""The form of one rule: fields that are checked at every key, the rule's YAML, and what it would change."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input, TextArea

from agentgate.actions import Decision, Kind
from agentgate.policy.errors import PolicyError
from agentgate.policy.model import Policy
from agentgate.policy.suggest import Draft
from agentgate.tui.ink import Ink, Line, fold, outside
from agentgate.tui.latest import Latest
from agentgate.tui.policy.fields import ANY, Fields, with_draft
from agentgate.tui.policy.whatif import Outcome, WhatIf, outcome_lines
from agentgate.tui.widgets.bar import Bar
from agentgate.tui.widgets.choice import Choice
from agentgate.tui.widgets.covers import Text
from agentgate.tui.widgets.editor import Editor

__all__ = ["RuleForm"]

KEYS = "ctrl+s writes it · tab next field · esc closes"
WIDE = 116
"""From so many columns the outcome stands beside the fields."""

HINTS = {
    "within": "a command above it, like npm *",
    "scope": "a directory: outside it denied",
    "reason": "shown, and told on a deny",
    "until": "2027-01-31, or 1h, 7d from now",
}


class RuleForm(Editor):
    """``number`` is the rule that is edited, or with ``new`` the one in front of which it goes. ``policy``
    is the one in force when the form was opened."""

    DEFAULT_CSS = """
    RuleForm > Vertical { width: 100%; max-width: 150; height: 100%; max-height: 34; }
    RuleForm #sides { layout: vertical; height: 1fr; }
    RuleForm #fields { height: auto; }
    RuleForm .field { height: auto; }
    RuleForm .field Bar { width: 10; height: 1; }
    RuleForm #targets { height: 4; }
    RuleForm #error { height: 1; }
    RuleForm Text { height: 1fr; }
    RuleForm.wide #sides { layout: horizontal; }
    RuleForm.wide #fields { width: 5fr; height: 100%; }
    RuleForm.wide Text { width: 6fr; height: 100%; margin: 0 0 0 2; }
    RuleForm.wide #targets { height: 12; }
    """

    def __init__(
        self, title: str, draft: Draft, policy: Policy, number: int, whatif: WhatIf, *, new: bool
    ) -> None:
        super().__init__(title, KEYS)
        self.policy = policy
        self.number = number
        self.new = new
        self._first = self.fields = Fields.of(draft)
        self.draft: Draft | None = None
        self.error = ""
        self._outcome: Outcome | None = None
        self._latest: Latest[Policy, Outcome] = Latest(lambda policy: whatif.rule(policy, number), self._came)
        self._error_bar = Bar(id="error")
        self.text = Text()
        first = self._first
        self._inputs: dict[str, Widget] = {
            "action": Choice((ANY, *Kind), first.action),
            "targets": TextArea(first.targets, id="targets", compact=True, soft_wrap=False),
            "decision": Choice(tuple(Decision), first.decision),
            **{
                name: Input(getattr(first, name), placeholder=hint, compact=True, select_on_focus=False)
                for name, hint in HINTS.items()
            },
        }

    def compose(self) -> ComposeResult:
        with self._box, Horizontal(id="sides"):
            with Vertical(id="fields"):
                for name, widget in self._inputs.items():
                    label = Bar()
                    label.show(((name, Ink.DIM),))
                    yield Horizontal(label, widget, classes="field")
                yield self._error_bar
            yield self.text

    def on_mount(self) -> None:
        self.set_class(self.app.size.width >= WIDE, "wide")
        self._inputs["targets"].focus()
        self.run_worker(self._latest.run())
        self._changed()

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= WIDE, "wide")
        self.call_after_refresh(self._show)

    @property
    def dirty(self) -> bool:
        return self.fields != self._first

    def on_input_changed(self) -> None:
        self._changed()

    def on_text_area_changed(self) -> None:
        self._changed()

    def on_choice_changed(self) -> None:
        self._changed()

    def on_key(self, event: events.Key) -> None:
        if event.key in ("pagedown", "pageup"):
            self.text.move("page-down" if event.key == "pagedown" else "page-up")
            event.stop()
        else:
            super().on_key(event)

    def _changed(self) -> None:
        """Check what is typed, and have it tried when it is a rule."""
        values = {name: self._value(widget) for name, widget in self._inputs.items()}
        self.fields = Fields(**values, disabled=self._first.disabled)
        try:
            self.draft = self.fields.draft()
            self.error = ""
        except PolicyError as error:
            self.draft, self.error = None, error.message
        if self.draft is not None:
            self._latest.ask(with_draft(self.policy, self.draft, self.number, new=self.new))
        self._show()

    @staticmethod
    def _value(widget: Widget) -> str:
        if isinstance(widget, TextArea):
            return widget.text
        assert isinstance(widget, Input | Choice)
        return widget.value

    def _came(self, policy: Policy, outcome: Outcome) -> None:
        self._outcome = outcome
        self._show()

    def refuse(self, why: str, line: int | None = None, column: int | None = None) -> None:
        self.error = why
        self._show()

    def _show(self) -> None:
        error = ((f"✗ {outside(self.error, 400)}", Ink.DENY),) if self.error else (("✓ a rule", Ink.ALLOW),)
        self._error_bar.show(error)
        cells = max(self.text.size.width - 3, 20)
        preview: list[Line] = []
        for text in self.draft.to_yaml(0) if self.draft else ():
            preview += fold((("│ ", Ink.DIM), (outside(text), Ink.PLAIN)), cells, indent=4)
        outcome = outcome_lines(self._outcome, cells, self.number)
        # where there is little room, what the fields do not say comes first
        short = self.has_class("wide") and len(preview) < self.text.size.height // 2
        first, second = (preview, outcome) if short else (outcome, preview)
        lines = [*first, (), *second] if first else second
        if lines != self.text.lines:
            self.text.lines = lines
            self.text.changed()
