"""Where everything stands: a pure function of the size of the screen and the state of the room.

- From 172 columns: agent, queue and action beside it, audit and policy in a third column.
- From 100 columns: the agent and one side column; audit and policy share its lower part.
- Below: the agent has the full width, one alert line says what waits, and in CONTROL the panels take
  the agent's place one view at a time.

The agent keeps at least 80 columns from 100 columns on. Its box never depends on mode or panel, so
changing between them never makes the agent redraw: where the side needs more room than is left (100 to
119 columns, in CONTROL), it lies over the agent's right edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from agentgate.tui.modes import Mode, Panel

__all__ = ["Box", "Plan", "plan"]

SIDE_FROM = 100
THIRD_FROM = 172
AGENT_LEAST = 80
SIDE_LEAST = 40
COLUMN = 46
WIDTH_LEAST = 30
DETAIL_LEAST = 3
"""On less than this an action cannot be told from another, so nothing can be decided there."""
BANNER_ROWS = 3


@dataclass(frozen=True, slots=True)
class Box:
    """In cells, from the top left of the screen."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height


@dataclass(frozen=True, slots=True)
class Plan:
    """A box for everything that is to be seen; None for what is not. ``over`` says that the panels lie
    over (a part of) the agent. ``shows_ask``: the action that a verdict would go to is on the screen."""

    header: Box
    hints: Box
    agent: Box
    panels: dict[Panel, Box]
    divider: Box | None = None
    tabs: Box | None = None
    alert: Box | None = None
    banner: Box | None = None
    over: bool = False

    @property
    def shows_ask(self) -> bool:
        if self.header.width < WIDTH_LEAST:
            return False
        if self.alert is not None:
            return self.alert.y > 0
        return Panel.DETAIL in self.panels and self.panels[Panel.DETAIL].height >= DETAIL_LEAST


@lru_cache(64)  # every event asks for it
def plan(
    width: int, height: int, mode: Mode, panel: Panel, log: Panel = Panel.AUDIT, banner: bool = False
) -> Plan:
    """The plan for a screen of ``width`` x ``height`` cells. ``panel`` is the one that has the keys in
    CONTROL, ``log`` the one of audit and policy that was looked at last."""
    width, height = max(width, 1), max(height, 3)
    top = 1 + (BANNER_ROWS if banner and height > 3 + BANNER_ROWS else 0)
    body = Box(0, top, width, height - top - 1)
    header, hints = Box(0, 0, width, 1), Box(0, height - 1, width, 1)
    band = Box(0, 1, width, top - 1) if top > 1 else None
    if width < SIDE_FROM:
        return _narrow(header, hints, body, band, mode, panel)
    focus = panel if mode is Mode.CONTROL else None
    if width >= THIRD_FROM:
        agent = Box(0, body.y, width - 2 * COLUMN, body.height)
        middle = Box(agent.right + 1, body.y, COLUMN - 1, body.height)
        last = Box(middle.right + 1, body.y, COLUMN - 1, body.height)
        upper = _queue_rows(body.height)
        lower = body.height // 3
        panels = {
            Panel.QUEUE: _rows(middle, 0, upper),
            Panel.DETAIL: _rows(middle, upper, body.height - upper),
            Panel.AUDIT: _rows(last, 0, body.height - lower),
            Panel.POLICY: _rows(last, body.height - lower, lower),
        }
        return Plan(header, hints, agent, panels, Box(agent.right, body.y, 1, body.height), banner=band)
    side = max(width - AGENT_LEAST, 20)
    if side > SIDE_LEAST:
        side = max(SIDE_LEAST, min(side, width * 2 // 5))
    agent = Box(0, body.y, width - side, body.height)
    shown = max(side, SIDE_LEAST) if mode is Mode.CONTROL else side
    column = Box(width - shown + 1, body.y, shown - 1, body.height)
    panels = _column(column, focus, log)
    divider = Box(column.x - 1, body.y, 1, body.height)
    return Plan(header, hints, agent, panels, divider, banner=band, over=shown > side)


def _narrow(header: Box, hints: Box, body: Box, band: Box | None, mode: Mode, panel: Panel) -> Plan:
    agent = _rows(body, 0, body.height - 1)
    if mode is Mode.AGENT:
        return Plan(header, hints, agent, {}, alert=_rows(body, body.height - 1, 1), banner=band)
    tabs = _rows(body, 0, 1)
    view = _rows(body, 1, body.height - 1)
    if panel in (Panel.QUEUE, Panel.DETAIL):
        rows = _queue_rows(view.height)
        panels = {
            Panel.QUEUE: _rows(view, 0, rows),
            Panel.DETAIL: _rows(view, rows, view.height - rows),
        }
    else:
        panels = {panel: view}
    return Plan(header, hints, agent, panels, tabs=tabs, banner=band, over=True)


def _column(column: Box, focus: Panel | None, log: Panel) -> dict[Panel, Box]:
    """Queue, action and one of the logs, one above the other; a log that has the keys gets more."""
    height = column.height
    upper = _queue_rows(height)
    share = {Panel.AUDIT: 0.5, Panel.POLICY: 0.5}.get(focus, 0.28) if focus else 0.28
    lower = max(4, round((height - upper) * share))
    if height - upper - lower < 5:  # a low screen: the action that is decided on comes first
        lower = max(0, height - upper - 5)
    panels = {
        Panel.QUEUE: _rows(column, 0, upper),
        Panel.DETAIL: _rows(column, upper, height - upper - lower),
    }
    if lower:
        panels[log] = _rows(column, height - lower, lower)
    return panels


def _queue_rows(height: int) -> int:
    """Rows of the queue: a title and two for each action."""
    wanted = 1 + 2 * max(2, height // 10)
    return max(3, min(wanted, height - 6)) if height > 8 else min(3, height - 1)


def _rows(box: Box, start: int, count: int) -> Box:
    return Box(box.x, box.y + start, box.width, max(count, 0))
