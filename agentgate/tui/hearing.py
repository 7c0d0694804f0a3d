"""What the agent's terminal has to say to the room, and what the room asks of it in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import App

from agentgate.gate.events import Notice
from agentgate.tui.changes import filing
from agentgate.tui.checks import CheckDrawn, Checked, Go
from agentgate.tui.history import Copy, Find, Pick, Read, ToLive, Unselect, Viewed
from agentgate.tui.ink import outside
from agentgate.tui.inputs import Effect
from agentgate.tui.modes import Cover
from agentgate.tui.state import Check
from agentgate.tui.terminal import clipboard, links
from agentgate.tui.terminal.messages import (
    ClipboardWanted,
    Copied,
    LinkPicked,
    Noted,
    PaneMessage,
    PasteHeld,
    ViewChanged,
)

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
        case PasteHeld():
            _ask(app, to, Check(Cover.PASTE, message.text, message.concerns))
        case LinkPicked():
            _link(app, to, message.address)
        case Noted():
            more = f" (and {message.more} more)" if message.more else ""
            to.desk.tell(Notice(f"{to.panes.called(message.pane)} says: {message.text}{more}", urgent=False))
        case ClipboardWanted() if to.desk.state.agent_clipboard and message.text is not None:
            app.copy_to_clipboard(message.text)
            who = to.panes.called(message.pane)
            to.desk.tell(Notice(f"{who} set the clipboard{_size(message.text)}", urgent=False))
        case ClipboardWanted():
            what = f"wanted to set the clipboard{_size(message.text)}: it was not done"
            to.desk.tell(Notice(f"{to.panes.called(message.pane)} {what}", urgent=False))


def _size(text: str | None) -> str:
    return "" if text is None else f" ({len(text)} character{'s' if len(text) != 1 else ''})"


def _ask(app: App[int], to: Performing, check: Check) -> None:
    to.desk.tell(Checked(check))
    if to.desk.state.check is check:
        app.call_after_refresh(_drawn, app, to, check)


def _drawn(app: App[int], to: Performing, check: Check) -> None:
    to.desk.tell(CheckDrawn(check))
    app.set_timer(to.desk.state.arm + 0.01, to.desk.show)


def _link(app: App[int], to: Performing, address: str) -> None:
    if not address:
        to.desk.tell(Notice("there is no link here", urgent=False))
    elif why := links.refusal(address):
        to.desk.tell(Notice(f"not opened, {why}: {outside(address, 200)}", urgent=False))
    else:
        _ask(app, to, Check(Cover.LINK, address))


def _go(to: Performing, effect: Go) -> None:
    if effect.check.cover is Cover.PASTE:
        to.room.pane.paste(effect.check.text)
    elif effect.check.cover is Cover.BACK:
        filing.take(to)
    else:
        to.desk.tell(Notice(f"opening {outside(effect.check.text, 200)}", urgent=False))
        to.desk.spawn(_open(to, effect.check.text))


async def _open(to: Performing, address: str) -> None:
    if why := await links.show(address):
        to.desk.tell(Notice(f"not opened: {why}", urgent=True))


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
    Pick: lambda to, effect: to.room.pane.pick(),
    Go: _go,
    Unselect: lambda to, effect: to.room.pane.unselect(),
    ToLive: lambda to, effect: to.room.pane.scroll_to_live(),
}
