"""What a terminal pane has to say; handlers are called ``on_terminal_pane_...``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from agentgate.tui.terminal.view import View

if TYPE_CHECKING:
    from agentgate.tui.terminal.pane import TerminalPane

__all__ = [
    "Bell", "ClipboardWanted", "Closed", "Copied", "InputDropped", "Leader", "LinkPicked", "Noted",
    "PaneMessage", "PasteHeld", "TitleChanged", "ViewChanged",
]  # fmt: skip


class PaneMessage(Message):
    """Something happened in ``pane``."""

    def __init__(self, pane: TerminalPane) -> None:
        super().__init__()
        self.pane = pane

    @property
    def control(self) -> TerminalPane:
        return self.pane


class Leader(PaneMessage, namespace="terminal_pane"):
    """The leader key was pressed; the next key will bubble."""


class Bell(PaneMessage, namespace="terminal_pane"):
    """The agent rang the bell, once or more."""


class Closed(PaneMessage, namespace="terminal_pane"):
    """The agent's side of the terminal is gone. The pane keeps its last screen."""


class TitleChanged(PaneMessage, namespace="terminal_pane"):
    """The agent set the window title; ``title`` is safe to show, and only the agent's claim."""

    def __init__(self, pane: TerminalPane, title: str) -> None:
        super().__init__(pane)
        self.title = title


class InputDropped(PaneMessage, namespace="terminal_pane"):
    """The agent does not read its terminal, and ``size`` bytes for it were thrown away."""

    def __init__(self, pane: TerminalPane, size: int) -> None:
        super().__init__(pane)
        self.size = size


class ViewChanged(PaneMessage, namespace="terminal_pane"):
    """Another part of the history is shown, or something else about the view changed."""

    def __init__(self, pane: TerminalPane, view: View) -> None:
        super().__init__(pane)
        self.view = view

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, ViewChanged) and message.pane is self.pane


class Copied(PaneMessage, namespace="terminal_pane"):
    """The operator selected ``text`` to be copied."""

    def __init__(self, pane: TerminalPane, text: str) -> None:
        super().__init__(pane)
        self.text = text


class PasteHeld(PaneMessage, namespace="terminal_pane"):
    """``text`` was not pasted for ``concerns``; `TerminalPane.paste` does it."""

    def __init__(self, pane: TerminalPane, text: str, concerns: tuple[str, ...]) -> None:
        super().__init__(pane)
        self.text = text
        self.concerns = concerns


class LinkPicked(PaneMessage, namespace="terminal_pane"):
    """The operator picked a link with ``address``, as the agent wrote it; empty where there is no link."""

    def __init__(self, pane: TerminalPane, address: str) -> None:
        super().__init__(pane)
        self.address = address


class Noted(PaneMessage, namespace="terminal_pane"):
    """The agent wants to notify of ``text``, which is safe to show. ``more`` came since the last message,
    and are not told."""

    def __init__(self, pane: TerminalPane, text: str, more: int) -> None:
        super().__init__(pane)
        self.text = text
        self.more = more


class ClipboardWanted(PaneMessage, namespace="terminal_pane"):
    """The agent wants ``text`` on the clipboard; None for one that is too long."""

    def __init__(self, pane: TerminalPane, text: str | None) -> None:
        super().__init__(pane)
        self.text = text
