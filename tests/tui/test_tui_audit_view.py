"""The audit view with more decisions than anyone can read."""

from __future__ import annotations

import pytest
from room_kit import INSTALL, connect
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from agentgate.actions import Answer, Source, Verdict
from agentgate.audit.record import Record
from agentgate.tui.theme import VARIABLES
from agentgate.tui.widgets.audit import AuditPanel, Entry, Ring

ALLOW = Answer(Verdict.ALLOW, Source.DEFAULT, INSTALL)


def records(start: int, count: int) -> list[Record]:
    made = range(start, start + count)
    return [Record(float(n), connect(f"host-{n}.example:443"), INSTALL, ALLOW, 0, "kernel") for n in made]


class View(App[None]):
    CSS = "AuditPanel { height: 20; }"

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.panel = AuditPanel(limit=limit)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    def compose(self) -> ComposeResult:
        yield self.panel

    def lines(self) -> list[str]:
        """The decisions in view."""
        panel = self.panel
        return [panel.render_line(y).text.strip() for y in range(panel.size.height)]


async def drawn(app: View, pilot: Pilot[None]) -> None:
    """Wait until what was added is drawn."""
    while app.panel._draws:
        await pilot.pause(0.02)
    await pilot.pause()


def number(line: str) -> int:
    return int(line.split("host-")[1].split(".")[0])


async def test_it_follows_the_newest_and_draws_only_what_is_in_view(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    row = AuditPanel.row
    monkeypatch.setattr(AuditPanel, "row", lambda self, i, c: made.append(i) or row(self, i, c))
    app = View(100_000)
    async with app.run_test(size=(100, 24)) as pilot:
        for start in range(0, 100_500, 1500):
            app.panel.add(records(start, 1500))
            if start % 15_000 == 0:
                await drawn(app, pilot)
        await drawn(app, pilot)
        assert [number(line) for line in app.lines()] == list(range(100_500 - 19, 100_500))
        assert app.panel.rows() == 100_000
        assert len(made) < 5000  # some dozen rows a batch, not a hundred thousand


async def test_what_is_looked_at_stays_while_more_comes_and_g_follows_again() -> None:
    app = View(200)
    async with app.run_test(size=(100, 24)) as pilot:
        app.panel.add(records(0, 200))
        await drawn(app, pilot)
        app.panel.move("page-up")
        app.panel.move("page-up")
        await drawn(app, pilot)
        top = number(app.lines()[0])
        app.panel.add(records(200, 30))  # and so the 30 oldest go
        await drawn(app, pilot)
        assert number(app.lines()[0]) == top
        assert "G follows" in str(app.panel.border_title)
        app.panel.add(records(230, 500))  # what was looked at is gone now
        await drawn(app, pilot)
        assert number(app.lines()[0]) == 530
        app.panel.move("last")
        await drawn(app, pilot)
        app.panel.add(records(730, 5))
        await drawn(app, pilot)
        assert number(app.lines()[-1]) == 734
        assert "G follows" not in str(app.panel.border_title)
        app.panel.move("first")
        await drawn(app, pilot)
        assert number(app.lines()[0]) == 535


def test_a_ring_keeps_the_last_and_their_order() -> None:
    ring = Ring(3)
    for record in records(0, 5):
        ring.append(Entry.of(record))
    assert [ring[index].target for index in range(len(ring))] == [f"host-{n}.example:443" for n in (2, 3, 4)]
    assert (ring.total, ring.first) == (5, 2)
