"""Where things stand, at every size."""

from __future__ import annotations

import pytest

from agentgate.tui import ink
from agentgate.tui.bars import log_tab_at, log_tabs
from agentgate.tui.layout import Box, Plan, plan
from agentgate.tui.modes import LOGS, Mode, Panel

SIZES = [
    (80, 24),
    (99, 30),
    (100, 24),
    (110, 30),
    (120, 36),
    (139, 40),
    (140, 40),
    (171, 50),
    (172, 50),
    (200, 60),
]


def boxes(made: Plan) -> list[Box]:
    # (the names of other logs lie on the edge of a log)
    loose = [made.header, made.hints, made.divider, made.tabs, made.alert, made.banner]
    return [box for box in [*loose, *made.panels.values()] if box]


def overlap(one: Box, other: Box) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("panel", Panel)
@pytest.mark.parametrize("banner", [False, True])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("zoom", [False, True])
def test_nothing_overlaps_and_nothing_is_off_the_screen(
    size: tuple[int, int], mode: Mode, panel: Panel, banner: bool, wide: bool, zoom: bool
) -> None:
    width, height = size
    log = panel if panel in LOGS else Panel.AUDIT
    made = plan(width, height, mode, panel, log, banner, wide, zoom)
    here = boxes(made)
    for index, box in enumerate(here):
        assert box.x >= 0
        assert box.y >= 0
        assert box.right <= width
        assert box.bottom <= height
        assert box.width > 0
        assert box.height > 0
        assert not [other for other in here[index + 1 :] if overlap(box, other)]
    ours = [made.header, made.hints, made.banner]
    if not made.over:  # else the panels' layer is before the agent's
        ours += [*made.panels.values(), made.divider, made.alert]
    for box in ours:  # the agent can paint nothing where we ask
        assert box is None or not overlap(made.agent, box)
    assert made.over == any(overlap(made.agent, box) for box in here)
    if mode is Mode.CONTROL:
        assert panel in made.panels


@pytest.mark.parametrize("size", SIZES)
def test_the_agents_box_never_depends_on_mode_or_panel(size: tuple[int, int]) -> None:
    for wide in (False, True):
        made = {
            plan(*size, mode, panel, log, False, wide, zoom).agent
            for mode in Mode
            for panel in Panel
            for log in LOGS
            for zoom in (False, True)
        }
        assert len(made) == 1
        assert not wide or made.pop().width == size[0]


@pytest.mark.parametrize("size", SIZES)
def test_the_agent_keeps_80_columns(size: tuple[int, int]) -> None:
    assert plan(*size, Mode.AGENT, Panel.QUEUE).agent.width >= 80


def test_narrow_the_agent_has_the_full_width_and_one_alert_line() -> None:
    made = plan(80, 24, Mode.AGENT, Panel.QUEUE)
    assert made.agent == Box(0, 1, 80, 21)
    assert made.alert == Box(0, 22, 80, 1)
    assert made.panels == {}
    assert made.shows_ask


@pytest.mark.parametrize(
    ("panel", "seen"),
    [
        (Panel.QUEUE, {Panel.QUEUE, Panel.DETAIL}),
        (Panel.DETAIL, {Panel.QUEUE, Panel.DETAIL}),
        (Panel.AUDIT, {Panel.AUDIT}),
        (Panel.POLICY, {Panel.POLICY}),
    ],
)
def test_narrow_control_shows_one_view_at_a_time(panel: Panel, seen: set[Panel]) -> None:
    made = plan(80, 24, Mode.CONTROL, panel)
    assert set(made.panels) == seen
    assert made.shows_ask == (Panel.DETAIL in seen)
    assert all(box.width == 80 for box in made.panels.values())


def test_at_120_the_side_has_queue_action_and_one_log() -> None:
    made = plan(120, 36, Mode.CONTROL, Panel.QUEUE, Panel.POLICY)
    assert list(made.panels) == [Panel.QUEUE, Panel.DETAIL, Panel.POLICY]
    assert made.agent.width == 80
    assert not made.over


def test_at_100_the_side_lies_over_the_agent_only_in_control() -> None:
    assert not plan(100, 30, Mode.AGENT, Panel.QUEUE).over
    made = plan(100, 30, Mode.CONTROL, Panel.QUEUE)
    assert made.over
    assert made.panels[Panel.QUEUE].width >= 39


def test_from_140_there_are_three_columns() -> None:
    for width in (140, 160, 172, 200, 300):
        made = plan(width, 60, Mode.AGENT, Panel.QUEUE)
        assert set(made.panels) == set(Panel)
        assert len({made.agent.x, *(box.x for box in made.panels.values())}) == 3
        assert all(box.width >= 25 for box in made.panels.values())
    assert plan(139, 60, Mode.AGENT, Panel.QUEUE).panels[Panel.AUDIT].x == 139 - 54


def test_while_it_is_tight_the_column_that_has_the_keys_gets_more() -> None:
    queue = plan(140, 40, Mode.CONTROL, Panel.QUEUE).panels
    audit = plan(140, 40, Mode.CONTROL, Panel.AUDIT).panels
    assert queue[Panel.QUEUE].width > queue[Panel.AUDIT].width
    assert audit[Panel.QUEUE].width < audit[Panel.AUDIT].width


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("log", LOGS)
def test_logs_that_are_not_shown_have_their_names_on_the_edge_of_the_one_that_is(
    size: tuple[int, int], log: Panel
) -> None:
    made = plan(*size, Mode.CONTROL, log, log)
    assert log in made.panels
    if made.tabs is None:
        assert set(made.others) == set(LOGS) - set(made.panels)
    if made.log_tabs is not None:
        edge = made.log_tabs
        assert edge.y in [box.y for panel, box in made.panels.items() if panel in LOGS]
        names = log_tabs(made.others, edge.width)
        assert ink.width(names) <= edge.width
        at = [log_tab_at(made.others, edge.width, x) for x in range(edge.width)]
        assert set(made.others) <= set(at)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("panel", Panel)
def test_a_zoomed_panel_has_all_between_header_and_hints_but_the_alert(
    size: tuple[int, int], panel: Panel
) -> None:
    made = plan(*size, Mode.CONTROL, panel, zoom=True)
    assert made.panels == {panel: Box(0, 1, size[0], size[1] - 3)}
    assert made.alert == Box(0, size[1] - 2, size[0], 1)
    assert made.shows_ask
    plain = plan(*size, Mode.AGENT, panel, zoom=True)
    assert plain == plan(*size, Mode.AGENT, panel)


@pytest.mark.parametrize("size", SIZES)
def test_a_zoomed_agent_has_it_too_and_panels_lie_over_it(size: tuple[int, int]) -> None:
    made = plan(*size, Mode.AGENT, Panel.QUEUE, wide=True)
    assert made.agent == Box(0, 1, size[0], size[1] - 3)
    assert made.panels == {}
    assert made.shows_ask
    control = plan(*size, Mode.CONTROL, Panel.QUEUE, wide=True)
    assert control.panels == plan(*size, Mode.CONTROL, Panel.QUEUE).panels
    assert control.over


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (20, 5), (100, 6), (200, 4), (90, 9)])
@pytest.mark.parametrize("mode", Mode)
def test_a_tiny_screen_is_no_error_and_decides_nothing_unseen(size: tuple[int, int], mode: Mode) -> None:
    made = plan(*size, mode, Panel.QUEUE, banner=True)
    detail = made.panels.get(Panel.DETAIL)
    if made.shows_ask:
        assert size[0] >= 30
        assert made.alert or (detail and detail.height >= 3)
