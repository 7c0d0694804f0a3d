"""Ages go on while nothing else happens, and only their own lines are painted anew."""

from __future__ import annotations

import re
from pathlib import Path

from room_kit import armed, ask, connect, install, make_session, room, text_of, until
from textual.geometry import Region

from agentgate.tui.app import ControlRoom


def ages(app: ControlRoom) -> list[int]:
    """Seconds, as the queue's cards and the detail say them."""
    return [int(seconds) for seconds in re.findall(r"(?:held for |\s)(\d+)s\s", text_of(app))]


async def test_ages_go_on_in_queue_and_detail(tmp_path: Path) -> None:
    async with room(make_session(tmp_path), (120, 40)) as (app, pilot):
        tasks = [ask(app.session, install("a")), ask(app.session, connect("a.example:443"))]
        await until(lambda: len(ages(app)) == 3, pilot)
        await until(lambda: min(ages(app)) >= 2, pilot)
        assert len(ages(app)) == 3
        for task in tasks:
            task.cancel()


async def test_only_the_lines_with_ages_are_painted_anew(tmp_path: Path) -> None:
    async with room(make_session(tmp_path), (120, 40)) as (app, pilot):
        task = ask(app.session, install("a"))
        await armed(app, pilot)
        await until(lambda: len(ages(app)) == 2 and ages(app)[0] >= 1, pilot)
        before = ages(app)
        painted: list[Region] = []
        for panel in (app._room.queue, app._room.detail):
            plain = panel.refresh

            def noted(*regions: Region, _plain=plain, **options: bool) -> object:  # type: ignore[no-untyped-def]
                painted.extend(regions or (Region(0, 0, 120, 40),))
                return _plain(*regions, **options)

            panel.refresh = noted  # type: ignore[method-assign]
        await until(lambda: ages(app) > before, pilot)
        assert painted and all(region.height <= 2 for region in painted)
        task.cancel()
