"""Does what the files panel asks for: reads, compares and takes back in a thread, so that no key waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agentgate.changes.back import Outcome, forgotten, take_back
from agentgate.escape import printable
from agentgate.gate.events import Notice
from agentgate.tui.changes.verbs import AskBack, Differ, DiffShown, NoFile
from agentgate.tui.checks import CheckDrawn, Checked
from agentgate.tui.inputs import Effect
from agentgate.tui.modes import Cover
from agentgate.tui.state import Check
from agentgate.tui.widgets.files import Wanted

if TYPE_CHECKING:
    from agentgate.tui.performing import Handler, Performing

__all__ = ["HANDLERS", "take"]


def _differ(to: Performing, effect: Differ) -> None:
    to.desk.spawn(_compare(to))


async def _compare(to: Performing) -> None:
    files = to.room.files
    chosen = files.chosen
    if chosen is None or chosen.row.change is None:
        to.desk.tell(NoFile("choose a file that differs"))
        return
    try:
        files.diff = await asyncio.to_thread(chosen.of.following.diff, chosen.row.change)
    except OSError as error:
        to.desk.tell(NoFile(f"it cannot be compared: {error.strerror or error}"))
        return
    files.compared = chosen.row.change
    to.desk.tell(DiffShown())


def _ask(to: Performing, effect: AskBack) -> None:
    files = to.room.files
    wanted = files.all_wanted() if effect.all else files.chosen_wanted()
    if wanted is None:
        to.desk.tell(NoFile(files.why or "nothing on disk differs from what it was before"))
        return
    files.wanted, check = wanted, Check(Cover.BACK, "")
    to.desk.tell(Checked(check))
    if to.desk.state.check is check:
        files.call_after_refresh(_drawn, to, check)


def _drawn(to: Performing, check: Check) -> None:
    to.desk.tell(CheckDrawn(check))
    to.room.files.set_timer(to.desk.state.arm + 0.01, to.desk.show)


def take(to: Performing) -> None:
    """Take back what was asked about."""
    wanted, to.room.files.wanted = to.room.files.wanted, None
    if wanted is not None:
        to.desk.spawn(_take_back(to, wanted))


async def _take_back(to: Performing, wanted: Wanted) -> None:
    outcomes: list[Outcome] = []
    for of, paths in wanted.parts:
        try:
            done = await asyncio.to_thread(take_back, of.following.store, paths, told=True)
        except OSError as error:
            done = [Outcome(of.following.store.about.project, error=error.strerror or str(error))]
        of.run.forget(forgotten(done))
        outcomes += done
    failed = [outcome for outcome in outcomes if outcome.error]
    count = len(outcomes) - len(failed)
    text = f"{count} change{'s' if count != 1 else ''} taken back"
    if failed:
        why = f"{printable(failed[0].path, 200)}: {printable(failed[0].error, 300)}"
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        text = f"{text}, not {why}{more}" if count else f"not taken back: {why}{more}"
    to.room.files.look_soon()
    to.desk.tell(Notice(text, urgent=bool(failed)))


HANDLERS: dict[type[Effect], Handler] = {
    Differ: _differ,
    AskBack: _ask,
}
