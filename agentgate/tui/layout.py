"""Where everything stands: a pure function of the size of the screen and the state of the room.

- From 140 columns: agent, queue and action beside it, the logs (audit, policy and what else is told) in a
  third column, as many as it is high enough for.
- From 100 columns: the agent and one side column; the logs share its lower part.
- Below: the agent has the full width, one alert line says what waits, and in CONTROL the panels take
  the agent's place one view at a time.

The agent keeps at least 80 columns from 100 columns on. Its box never depends on mode or panel, so
changing between them never makes the agent redraw: where the side needs more room than is left (100 to
119 columns, in CONTROL), it lies over the agent's right edge.

Zoomed, the agent (``wide``) or the panel that has the keys (``zoom``) has all between header and hints but
the alert line; the panels of a wide agent lie over it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from agentgate.tui.modes import LOGS, Mode, Panel

__all__ = ["Box", "Plan", "plan"]

SIDE_FROM = 100
THIRD_FROM = 140
AGENT_LEAST = 80
SIDE_LEAST = 40
COLUMN = 46
"""What a column of panels has where there is room, from here on the agent gets more, too."""
COLUMN_LEAST = 26
NAMES_FROM = 24
"""Cells that the title of a log needs beside the names of others."""
LOG_ROWS = 18
"""A column shows another log for each so many rows."""
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
    over (a part of) the agent. ``others`` are the logs that are not shown, ``log_tabs`` where their names
    stand: at the right end of the upper edge of the log whose place they share. ``shows_ask``: the action
    that a verdict would go to is on the screen."""

    header: Box
    hints: Box
    agent: Box
    panels: dict[Panel, Box]
    agent_tabs: Box | None = None
    divider: Box | None = None
    log_tabs: Box | None = None
    others: tuple[Panel, ...] = ()
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
    width: int,
    height: int,
    mode: Mode,
    panel: Panel,
    log: Panel = Panel.AUDIT,
    banner: bool = False,
    wide: bool = False,
    zoom: bool = False,
    several: bool = False,
) -> Plan:
    """The plan for a screen of ``width`` x ``height`` cells. ``panel`` is the one that has the keys in
    CONTROL, ``log`` the log that was looked at last. ``several``: there are several agents, whose names stand
    on a line above the terminal, where no panel lies over it."""
    made = _plan(width, height, mode, panel, log, banner, wide, zoom)
    if not several:
        return made
    line, agent = _rows(made.agent, 0, 1), _rows(made.agent, 1, made.agent.height - 1)
    covered = made.tabs is not None or any(
        box.x <= line.x and box.y <= line.y for box in made.panels.values()
    )
    return replace(made, agent=agent, agent_tabs=None if covered else line)


def _plan(
    width: int, height: int, mode: Mode, panel: Panel, log: Panel, banner: bool, wide: bool, zoom: bool
) -> Plan:
    width, height = max(width, 1), max(height, 3)
    top = 1 + (BANNER_ROWS if banner and height > 3 + BANNER_ROWS else 0)
    body = Box(0, top, width, height - top - 1)
    frame = Box(0, 0, width, 1), Box(0, height - 1, width, 1)
    band = Box(0, 1, width, top - 1) if top > 1 else None
    whole, line = _rows(body, 0, body.height - 1), _rows(body, body.height - 1, 1)
    side = 0 if width < SIDE_FROM else _side(width)
    agent = whole if wide or not side else Box(0, body.y, width - side, body.height)
    control = mode is Mode.CONTROL
    if control and zoom:
        return Plan(*frame, agent, {panel: whole}, alert=line, banner=band, over=True)
    if not control and agent is whole:
        return Plan(*frame, agent, {}, alert=line, banner=band)
    if not side:
        tabs = _rows(body, 0, 1)
        return Plan(*frame, agent, _one_view(body, panel), tabs=tabs, banner=band, over=True)
    shown = max(side, SIDE_LEAST) if control else side
    column = Box(width - shown + 1, body.y, shown - 1, body.height)
    focus = panel if control else None
    panels = _columns(column, focus, log) if width >= THIRD_FROM else _column(column, focus, log)
    others = tuple(known for known in LOGS if known not in panels)
    return Plan(
        *frame,
        agent,
        panels,
        divider=Box(column.x - 1, body.y, 1, body.height),
        log_tabs=_log_tabs(panels, others),
        others=others,
        banner=band,
        over=wide or shown > side,
    )


def _side(width: int) -> int:
    """Columns beside the agent, the divider's among them."""
    if width >= THIRD_FROM:
        return min(width - AGENT_LEAST, max(2 * COLUMN, width * 2 // 5))
    side = max(width - AGENT_LEAST, 20)
    return max(SIDE_LEAST, min(side, width * 2 // 5)) if side > SIDE_LEAST else side


def _one_view(body: Box, panel: Panel) -> dict[Panel, Box]:
    """What CONTROL shows on a narrow screen, below the tabs: queue and action together, or one log."""
    view = _rows(body, 1, body.height - 1)
    if panel in LOGS:
        return {panel: view}
    rows = _queue_rows(view.height)
    return {Panel.QUEUE: _rows(view, 0, rows), Panel.DETAIL: _rows(view, rows, view.height - rows)}


def _columns(side: Box, focus: Panel | None, log: Panel) -> dict[Panel, Box]:
    """Two columns; while there is not enough for both, the one that has the keys gets more of it."""
    total = side.width + 1
    small = max(COLUMN_LEAST, total - COLUMN) if total < 2 * COLUMN else total // 2
    left = small if focus in LOGS else total - small
    middle = Box(side.x, side.y, left - 1, side.height)
    last = Box(middle.right + 1, side.y, total - left - 1, side.height)
    upper = _queue_rows(side.height)
    panels = {
        Panel.QUEUE: _rows(middle, 0, upper),
        Panel.DETAIL: _rows(middle, upper, side.height - upper),
    }
    return panels | _logs(last, focus, log)


def _logs(column: Box, focus: Panel | None, log: Panel) -> dict[Panel, Box]:
    """As many logs as have `LOG_ROWS` each, the audit first and the one looked at last among them; the one
    that has the keys is the highest."""
    count = min(max(column.height // LOG_ROWS, 1), len(LOGS))
    kept = [known for known in LOGS if known is not log][: count - 1]
    shown = [known for known in LOGS if known in kept or known is log]
    first = focus if focus in shown else shown[0]
    rest = column.height // (len(shown) + 1)
    panels, y = {}, 0
    for known in shown:
        rows = column.height - rest * (len(shown) - 1) if known is first else rest
        panels[known] = _rows(column, y, rows)
        y += rows
    return panels


def _log_tabs(panels: dict[Panel, Box], others: tuple[Panel, ...]) -> Box | None:
    """Room for the names of ``others`` at the end of the upper edge of the lowest log."""
    here = [box for panel, box in panels.items() if panel in LOGS]
    if not here or not others:
        return None
    box = here[-1]
    named, numbered = (
        sum(map(len, names)) + 1
        for names in (
            [f" {panel.value} {panel.title}" for panel in others],
            [f" {panel.value}" for panel in others],
        )
    )
    wanted = named if box.width - named >= NAMES_FROM else numbered
    return Box(box.right - wanted - 1, box.y, wanted, 1) if box.width > wanted + 12 else None


def _column(column: Box, focus: Panel | None, log: Panel) -> dict[Panel, Box]:
    """Queue, action and one of the logs, one above the other; a log that has the keys gets more."""
    height = column.height
    upper = _queue_rows(height)
    share = 0.5 if focus in LOGS else 0.28
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
