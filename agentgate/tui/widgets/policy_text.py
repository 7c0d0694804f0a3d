"""The text of the policy file, to be edited as it stands, and what it would change."""

from __future__ import annotations

from rich.text import Text as RichText
from textual import events
from textual.app import ComposeResult
from textual.widgets import TextArea

from agentgate.tui.ink import Ink, Line, fold, outside
from agentgate.tui.latest import Latest
from agentgate.tui.policy.whatif import Outcome, WhatIf, outcome_lines
from agentgate.tui.policy.yaml_ink import spans
from agentgate.tui.widgets.covers import Text
from agentgate.tui.widgets.editor import Editor
from agentgate.tui.widgets.lines import INK_CLASSES, INK_CSS

__all__ = ["PolicyText"]

KEYS = "ctrl+s writes it · esc closes"


class YamlArea(TextArea):
    """``error_line`` counts from 1."""

    COMPONENT_CLASSES = INK_CLASSES
    DEFAULT_CSS = "YamlArea { " + INK_CSS + "}"

    error_line: int | None = None

    def get_line(self, line_index: int) -> RichText:
        line = super().get_line(line_index)
        if line_index + 1 == self.error_line:
            line.stylize(self.get_component_rich_style("ink-alarm", partial=True))
            return line
        for start, end, ink in spans(line.plain):
            line.stylize(self.get_component_rich_style(f"ink-{ink.value}", partial=True), start, end)
        return line

    def mark(self, line: int | None) -> None:
        """Show line ``line`` as the one with the mistake."""
        if line != self.error_line:
            self.error_line = line
            self.notify_style_update()
            self.refresh()


class PolicyText(Editor):
    """``base`` is the text in the file of which this one was made."""

    DEFAULT_CSS = """
    PolicyText > Vertical { width: 100%; max-width: 150; height: 100%; }
    PolicyText YamlArea { height: 1fr; }
    PolicyText Text { height: auto; max-height: 35%; min-height: 2; border-top: dashed $line; }
    """

    def __init__(self, title: str, text: str, line: int, whatif: WhatIf) -> None:
        super().__init__(title, KEYS)
        self.base = text
        self.area = YamlArea(
            text, show_line_numbers=True, tab_behavior="indent", soft_wrap=False, compact=True,
            highlight_cursor_line=False,
        )  # fmt: skip
        self._from = line
        self.text = Text()
        self._said: Line = ()
        self._outcome: Outcome | None = None
        self._latest: Latest[str, Outcome] = Latest(whatif.text, self._came)

    def compose(self) -> ComposeResult:
        with self._box:
            yield self.area
            yield self.text

    def on_mount(self) -> None:
        self.area.focus()
        self.area.move_cursor((max(self._from - 1, 0), 0), center=True)
        self.run_worker(self._latest.run())
        self._latest.ask(self.area.text)
        self._show()

    @property
    def dirty(self) -> bool:
        return self.area.text != self.base

    def on_text_area_changed(self) -> None:
        self._said = ()
        self._latest.ask(self.area.text)

    def on_key(self, event: events.Key) -> None:
        """Every key is the text's."""

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def _came(self, text: str, outcome: Outcome) -> None:
        self._outcome = outcome
        self.area.mark(outcome.line)
        self._show()

    def written(self, text: str) -> None:
        self.base = text
        self._said = (("✓ written, and in force", Ink.ALLOW),)
        self._latest.ask(text)
        self._show()

    def refuse(self, why: str, line: int | None = None, column: int | None = None) -> None:
        self._said = (("not written, the old policy stays in force: ", Ink.DENY), (outside(why), Ink.DENY))
        if line is not None:
            self.area.mark(line)
            self.area.move_cursor((line - 1, max((column or 1) - 1, 0)), center=True)
        self._show()

    def _show(self) -> None:
        cells = max(self.size.width - 10, 20)
        lines = fold(self._said, cells) if self._said else []
        if not (self._said and self._outcome is not None and self._outcome.error):
            lines += outcome_lines(self._outcome, cells)
        if lines != self.text.lines:
            self.text.lines = lines
            self.text.styles.height = min(len(lines), max(self.size.height // 3, 2)) + 1
            self.text.changed()
