"""Where things stand, at every size."""

from __future__ import annotations

import pytest

from agentgate.tui.layout import Box, Plan, plan
from agentgate.tui.modes import Mode, Panel

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
    loose = [made.header, made.hints, made.divider, made.tabs, made.alert, made.banner]
    return [box for box in [*loose, *made.panels.values()] if box]


def overlap(one: Box, other: Box) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("panel", Panel)
@pytest.mark.parametrize("banner", [False, True])
def test_nothing_overlaps_and_nothing_is_off_the_screen(
    size: tuple[int, int], mode: Mode, panel: Panel, banner: bool
) -> None:
    width, height = size
    log = panel if panel in (Panel.AUDIT, Panel.POLICY) else Panel.AUDIT
    made = plan(width, height, mode, panel, log, banner)
    here = boxes(made)
    for index, box in enumerate(here):
        assert box.x >= 0
        assert box.y >= 0
        assert box.right <= width
        assert box.bottom <= height
        assert box.width > 0
        assert box.height > 0
        assert not [other for other in here[index + 1 :] if overlap(box, other)]
    assert made.over == any(overlap(made.agent, box) for box in here)
    if mode is Mode.CONTROL:
        assert panel in made.panels


@pytest.mark.parametrize("size", SIZES)
def test_the_agents_box_never_depends_on_mode_or_panel(size: tuple[int, int]) -> None:
    made = {plan(*size, mode, panel, log).agent for mode in Mode for panel in Panel for log in (3, 4)}  # type: ignore[arg-type]
    assert len(made) == 1


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


def test_wide_all_four_panels_are_seen() -> None:
    assert set(plan(200, 60, Mode.AGENT, Panel.QUEUE).panels) == set(Panel)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (20, 5), (100, 6), (200, 4), (90, 9)])
@pytest.mark.parametrize("mode", Mode)
def test_a_tiny_screen_is_no_error_and_decides_nothing_unseen(size: tuple[int, int], mode: Mode) -> None:
    made = plan(*size, mode, Panel.QUEUE, banner=True)
    detail = made.panels.get(Panel.DETAIL)
    if made.shows_ask:
        assert size[0] >= 30
        assert made.alert or (detail and detail.height >= 3)
