"""The audit view over a log with more decisions than anyone can read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from room_kit import INSTALL, connect, until
from textual.app import App, ComposeResult

from agentgate.actions import Answer, Source, Verdict
from agentgate.audit import index
from agentgate.audit.record import Record
from agentgate.tui.record.browse import Place
from agentgate.tui.record.look import Look
from agentgate.tui.theme import VARIABLES
from agentgate.tui.widgets.audit import AuditPanel

ALLOW = Answer(Verdict.ALLOW, Source.DEFAULT, INSTALL)
DENY = Answer(Verdict.DENY, Source.OPERATOR, INSTALL)


def lines(start: int, count: int, session: str = "mine") -> bytes:
    """Decisions on host-START and so on; every hundredth is denied."""
    made = bytearray()
    for n in range(start, start + count):
        answer = ALLOW if n % 100 else DENY
        record = Record(float(n), connect(f"host-{n}.example:443"), INSTALL, answer, 0, "kernel")
        made += record.to_line(session=session, agent="demo", number=n + 1)
    return bytes(made)


class View(App[None]):
    CSS = "AuditPanel { height: 20; }"

    def __init__(self, log: Path, begin: int = 0) -> None:
        super().__init__()
        self.log_file = log
        self.begin = begin
        self.panel = AuditPanel()

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VARIABLES

    def compose(self) -> ComposeResult:
        yield self.panel

    def on_mount(self) -> None:
        self.panel.open(Place(self.log_file, "mine", self.begin))

    def add(self, data: bytes) -> None:
        """As a session's writer does."""
        with open(self.log_file, "ab") as file:
            file.write(data)
        self.panel.wake()

    def seen(self) -> list[str]:
        """The rows in view."""
        panel = self.panel
        return [panel.render_line(y).text.strip() for y in range(panel.size.height)]

    @property
    def title_text(self) -> str:
        return str(self.panel.border_title)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(lines(0, 1000, "other") + lines(1000, 1000))
    return path


def number(line: str) -> int:
    return int(line.split("host-")[1].split(".")[0])


def ends_with(app: View, last: int) -> Callable[[], bool]:
    return lambda: "host-" in app.seen()[-1] and number(app.seen()[-1]) == last


async def test_it_follows_the_newest_and_draws_only_what_is_in_view(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    row = AuditPanel.row
    monkeypatch.setattr(AuditPanel, "row", lambda self, i, c: made.append(i) or row(self, i, c))
    app = View(log)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(lambda: app.panel.rows() == 1000, pilot)
        for start in range(2000, 22_000, 1000):
            app.add(lines(start, 1000))
            await pilot.pause()
        await until(ends_with(app, 21_999), pilot)
        assert [number(line) for line in app.seen()] == list(range(22_000 - 19, 22_000))
        assert app.panel.rows() == 21_000 and "21,000" in app.title_text
        assert len(made) < 5000  # some dozen rows a look, not twenty thousand


async def test_what_is_looked_at_stays_while_more_comes_and_g_follows_again(log: Path) -> None:
    app = View(log)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(ends_with(app, 1999), pilot)
        app.panel.move("page-up")
        app.panel.move("page-up")
        await pilot.pause()
        top = number(app.seen()[0])
        assert "G follows" in app.title_text
        app.add(lines(2000, 300))
        await until(lambda: app.panel.rows() == 1300, pilot)
        await pilot.pause(0.15)
        assert number(app.seen()[0]) == top
        app.panel.move("last")
        await pilot.pause()
        app.add(lines(2300, 5))
        await until(ends_with(app, 2304), pilot)
        assert "G follows" not in app.title_text
        app.panel.move("first")
        await pilot.pause()
        assert number(app.seen()[0]) == 1000
        app.panel.toggle_follow()
        await until(ends_with(app, 2304), pilot)
        app.panel.toggle_follow()
        app.add(lines(2305, 5))
        await until(lambda: app.panel.rows() == 1310, pilot)
        await pilot.pause(0.15)
        assert number(app.seen()[-1]) == 2304


async def test_what_is_older_comes_in_above_what_is_looked_at(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "PIECE", 40_000)
    work, held = index.Index.work, [True]

    def slow(self: index.Index) -> index.Found | None:
        return None if held[0] and len(self) else work(self)

    monkeypatch.setattr(index.Index, "work", slow)
    app = View(log)
    async with app.run_test(size=(100, 24)) as pilot:
        app.panel.show(Look(), True)
        await until(ends_with(app, 1999), pilot)
        assert app.panel.rows() < 100 and "% read" in app.title_text
        app.panel.move("page-up")
        await pilot.pause()
        before, chosen = app.seen(), app.panel.chosen
        held[0] = False
        app.panel.wake()
        await until(lambda: app.panel.rows() == 1000, pilot)
        await until(lambda: "% read" not in app.title_text, pilot)
        assert app.seen() == before and chosen is not None and app.panel.chosen == chosen


async def test_a_filter_a_whole_log_and_groups(log: Path) -> None:
    app = View(log, 10)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(lambda: app.panel.rows() == 1000, pilot)
        app.panel.show(Look(filter="deny"), False)
        await until(lambda: app.panel.rows() == 10 and "host-" in app.seen()[0], pilot)
        assert [number(line) for line in app.seen()[:10]] == list(range(1000, 2000, 100))
        assert "/deny" in app.title_text and "10" in app.title_text
        app.panel.show(Look(filter="deny", whole=True), False)
        await until(lambda: app.panel.rows() == 20, pilot)
        assert "whole log" in app.title_text
        app.panel.show(Look(filter="host:nowhere"), False)
        await until(lambda: app.seen()[0] == "nothing fits", pilot)
        app.panel.show(Look(grouped=True, whole=True), True)
        await until(lambda: "2,000" in app.title_text, pilot)
        await until(lambda: "1,000 decisions, 10 denied" in app.seen()[1], pilot)
        await until(lambda: app.panel.cursor is not None, pilot)
        assert app.panel.rows() == 2  # one call of each session
        app.panel.move("first")
        assert app.panel.enter() is False and app.panel.rows() == 1002
        await pilot.pause()
        assert app.seen()[0].startswith("▾") and number(app.seen()[1]) == 0 and number(app.seen()[18]) == 17
        app.panel.move("next")
        assert app.panel.enter() and app.panel.shown is not None
        assert app.panel.shown.record.action.target == "host-0.example:443"
        app.panel.move("previous")
        assert app.panel.enter() is False and app.panel.rows() == 2


async def test_a_log_that_is_replaced_is_shown_anew_and_one_that_is_gone_said(log: Path) -> None:
    app = View(log, 10)
    async with app.run_test(size=(100, 24)) as pilot:
        await until(lambda: app.panel.rows() == 1000, pilot)
        log.rename(log.with_name("old"))
        app.add(b"no record\n" + lines(5000, 3))
        await until(lambda: app.panel.rows() == 3, pilot)
        app.panel.show(Look(whole=True), False)
        await until(lambda: app.seen()[0] == "? no record: no record", pilot)
        assert app.panel.rows() == 4
        log.unlink()
        app.panel.show(Look(), False)
        await until(lambda: "cannot be read: No such file" in app.seen()[0], pilot)
        app.add(lines(6000, 2))
        await until(lambda: app.panel.rows() == 2, pilot)
