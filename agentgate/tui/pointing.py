"""What a press of the mouse on the room's own frame means: bars, tabs and panels. Keys tell the same."""

from __future__ import annotations

from textual import events
from textual.errors import NoWidget

from agentgate.tui import bars
from agentgate.tui.agents import tabs as agent_tabs
from agentgate.tui.agents.switching import AgentPicked
from agentgate.tui.inputs import Clicked, Happening, Pressed
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.room import Room
from agentgate.tui.state import State

__all__ = ["pointed"]


def pointed(event: events.MouseDown, room: Room, state: State, always: bool) -> list[Happening]:
    """What follows from a press that no widget kept for itself. ``always``: whether that is offered."""
    if state.cover is not Cover.NONE:
        return []
    try:  # (Textual names the widget in the events of its tests only)
        widget, region = room.get_widget_at(event.screen_x, event.screen_y)
    except NoWidget:
        return []
    x = event.screen_x - region.x
    plan = state.plan
    if widget is room.pane:
        return [Clicked(None)]
    if widget is room.agent_tabs:
        name = agent_tabs.at(state, widget.size.width, x)
        return [AgentPicked(name)] if name is not None else []
    if widget is room.tabs:
        return [Clicked(bars.tab_at(event.screen_x))]
    if widget is room.log_tabs and plan.log_tabs is not None:
        tab = bars.log_tab_at(plan.others, plan.log_tabs.width, x)
        return [Clicked(tab)] if tab is not None else []
    if widget is room.alert:
        return [Clicked(Panel.QUEUE)]
    if widget is room.header:
        return _header(bars.header_at(room.header.line, x), state)
    if widget is room.hints:
        keys = bars.hint_at(state, state.armed(event.time), always, state.width, x)
        return [Pressed(key) for key in keys]
    return [Clicked(panel) for panel, known in room.panels.items() if known in widget.ancestors_with_self]


def _header(to: Panel | Mode | None, state: State) -> list[Happening]:
    if isinstance(to, Panel):
        return [Clicked(to)]
    if to is None:
        return []
    return [Clicked(state.panel if to is Mode.CONTROL else None)]
