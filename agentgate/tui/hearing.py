"""What the agent's terminal has to say to the room, and what the room asks of it in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from agentgate.gate.events import Notice
from agentgate.tui.history import Copy, Find, Read, ToLive, Unselect, Viewed
from agentgate.tui.inputs import Effect
from agentgate.tui.terminal import clipboard
from agentgate.tui.terminal.messages import Copied, PaneMessage, ViewChanged

if TYPE_CHECKING:
    from agentgate.tui.performing import Handler, Performing

__all__ = ["HANDLERS", "hear"]


def hear(app: App[int], to: Performing, message: PaneMessage) -> None:
    """Take in what a pane posted. What is not of the pane in view waits until it is."""
    match message:
        case ViewChanged() if message.pane is to.room.pane:
            to.desk.tell(Viewed(message.view))
        case Copied():
            _copy(app, to, message.text)


def _copy(app: App[int], to: Performing, text: str) -> None:
    if len(text) > clipboard.MOST:
        to.desk.tell(Notice(f"not copied: more than {clipboard.MOST} characters", urgent=True))
        return
    app.copy_to_clipboard(text)
    to.desk.spawn(_put(text))
    to.desk.tell(Notice(f"{len(text)} character{'s' if len(text) != 1 else ''} copied", urgent=False))


async def _put(text: str) -> None:
    await clipboard.put(text)


HANDLERS: dict[type[Effect], Handler] = {
    Read: lambda to, effect: to.room.pane.read(effect.what),
    Find: lambda to, effect: to.room.pane.find(effect.needle),
    Copy: lambda to, effect: to.room.pane.copy(),
    Unselect: lambda to, effect: to.room.pane.unselect(),
    ToLive: lambda to, effect: to.room.pane.scroll_to_live(),
}
