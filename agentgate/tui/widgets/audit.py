"""The audit view: the record as it is written, or looked back at, of this session or of the whole log file.

What is shown stands in the file; the view keeps where its lines begin. Lines are looked for in a thread, a
piece at a time, the newest first, and read when they come into view, so that a million of them cost what a
dozen do.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

from textual import events
from textual.message import Message

from agentgate.audit.query import BadFilter
from agentgate.audit.read import Entry, parse
from agentgate.escape import printable
from agentgate.tui.ink import Ink, Line, fold
from agentgate.tui.record.browse import Flat, Grouped, Place, open_source
from agentgate.tui.record.look import Look
from agentgate.tui.widgets.lines import Lines
from agentgate.tui.widgets.record import group_line, row_line, strange_line

__all__ = ["AuditPanel"]

DRAW_SECONDS = 0.1
TYPING_SECONDS = 0.15  # a filter is looked for once nothing was typed for so long
LOOK_SECONDS = 1.0  # between looks whether another session has written, or the log was replaced
SOON = (0.03, 0.05, 0.1, 0.2, 0.4)  # a decision is on its way to the file: seconds between the looks for it


class AuditPanel(Lines):
    """Follows the newest decision unless the operator moved away; what is looked at then stays put."""

    class Opened(Message):
        """A row was clicked twice."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        self.shown: Entry | None = None
        """The record that was opened last."""
        self._place: Place | None = None
        self._look = Look()
        self._source: Flat | Grouped | None = None
        self._error = ""
        self._news = asyncio.Event()
        self._typed_at = 0.0
        self._working: asyncio.Task[None] | None = None
        self._draws = False
        self._before = 0  # rows that came before those that are drawn
        self._has_keys = False
        self._drawing = False
        self._title()

    # What the app calls

    @property
    def place(self) -> Place | None:
        return self._place

    @property
    def look(self) -> Look:
        return self._look

    def open(self, place: Place) -> None:
        """Begin to show the record, which is there."""
        self._place = place
        self._working = asyncio.create_task(self._work())

    def wake(self) -> None:
        """A decision was made: it will be in the log in a moment."""
        self._news.set()

    def show(self, look: Look, has_keys: bool) -> None:
        if look.filter != self._look.filter:
            self._typed_at = time.monotonic()
        if (look.filter, look.whole, look.grouped) != (
            self._look.filter,
            self._look.whole,
            self._look.grouped,
        ):
            self._look = look
            self._news.set()
            self._title()
        if has_keys != self._has_keys:
            self._has_keys = has_keys
            self._place_cursor()

    def toggle_follow(self) -> None:
        self.following = not self.following
        if self.following:
            self._to_end()
        self._title()

    def enter(self) -> bool:
        """Open or close the chosen group; True when a record was chosen, which is then `shown`."""
        source, cursor = self._source, self.cursor
        if source is None or cursor is None or cursor >= len(source):
            return False
        item = source.item(cursor)
        if item.group is not None and isinstance(source, Grouped):
            self.following = False
            group = source.toggle(cursor)
            self.changed()
            self.point(group)
            self._title()
            return False
        self.shown = parse(item.line)
        return self.shown is not None

    @property
    def chosen(self) -> Entry | None:
        """The record under the cursor."""
        source, cursor = self._source, self.cursor
        if source is None or cursor is None or cursor >= len(source):
            return None
        return parse(source.item(cursor).line)

    # The work

    async def _work(self) -> None:
        assert self._place is not None
        while True:
            try:
                if not await self._work_on(self._look, self._place):
                    continue
                self._place = replace(self._place, begin=0)  # in another file it says nothing
            except (OSError, BadFilter) as error:
                self._place = replace(self._place, begin=0)
                self._error = getattr(error, "strerror", None) or str(error)
                self._draw_soon()
                await self._pause(LOOK_SECONDS)

    async def _work_on(self, look: Look, place: Place) -> bool:
        """Find what ``look`` wants, and what comes, until something else is looked for, or until the log is
        replaced: True."""
        while (left := self._typed_at + TYPING_SECONDS - time.monotonic()) > 0:
            await asyncio.sleep(left)
        if look is not self._look:
            return False
        source = open_source(look, place)
        self._use(source)
        try:
            while look is self._look:
                found = await asyncio.to_thread(source.index.work)
                if found is not None:
                    self._before += source.take(found)
                    self._draw_soon()
                elif await self._nothing_new(source, look):
                    return True
            return False
        finally:
            if self._source is source:
                self._source = None
            source.index.close()

    async def _nothing_new(self, source: Flat | Grouped, look: Look) -> bool:
        """Wait for more; True when the log was replaced."""
        if source.index.replaced():
            return True
        if await self._pause(LOOK_SECONDS):
            for seconds in SOON:
                if source.index.behind() or look is not self._look:
                    break
                await asyncio.sleep(seconds)
        return False

    async def _pause(self, seconds: float) -> bool:
        """Until there is news, or so long. Whether there was."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        heard = self._news.is_set()
        self._news.clear()
        return heard

    def _use(self, source: Flat | Grouped) -> None:
        self._source, self._before, self._error, self.following = source, 0, "", True
        self._draw_soon()

    def on_unmount(self) -> None:
        if self._working is not None:
            self._working.cancel()

    # Drawing

    def _draw_soon(self) -> None:
        """What was found is drawn within `DRAW_SECONDS`, together with what else is found until then."""
        if not self._draws:
            self._draws = True
            self.set_timer(DRAW_SECONDS, self._draw_new)

    def _draw_new(self) -> None:
        self._draws = False
        before, self._before = self._before, 0
        y = round(self.scroll_y)
        self._drawing = True
        self.changed()
        if self.following:
            self._to_end()
        elif before:
            self.go_to(y + before)
            if self.cursor is not None:
                self.point(self.cursor + before)
        self._drawing = False
        self._place_cursor()
        self._title()

    def _to_end(self) -> None:
        self._drawing = True
        if self.cursor is not None:
            self.point(self.rows() - 1)
        self.go_to(self.rows() - self.size.height)
        self._drawing = False

    def _place_cursor(self) -> None:
        """There is a cursor while the panel has the keys and something to point at."""
        if not (self._has_keys and self._source):
            self.point(None)
        elif self.cursor is None:
            self.point(self.rows() - 1 if self.following else self.in_view().start)
        elif self.cursor >= self.rows():
            self.point(self.rows() - 1)

    def on_resize(self) -> None:
        super().on_resize()
        if self.following:
            self._to_end()

    def move(self, how: str) -> None:
        super().move(how)
        at_last = self.cursor is None or self.cursor == self.rows() - 1
        self._follow(at_last and how in ("next", "page-down", "last"))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if self.size.height and not self._drawing and self.cursor is None:
            self._follow(round(new_value) >= self.rows() - self.size.height)
        elif not self._drawing and new_value < old_value:
            self._follow(False)

    def _follow(self, follows: bool) -> None:
        if follows != self.following:
            self.following = follows
            self._title()

    def _title(self) -> None:
        """What is shown, how much of it, and whether it follows."""
        look, source = self._look, self._source
        parts = ["3 AUDIT"]
        if look.filter:
            parts.append(f"/{printable(look.filter, 60)}")
        if look.whole:
            parts.append("whole log")
        if look.grouped:
            parts.append("by call")
        if source is not None:
            count = source.decisions if isinstance(source, Grouped) else len(source)
            parts.append(f"{count:,}")
            if not source.index.complete or source.index.behind():
                parts.append(f"{source.index.done * 100 // max(source.index.total, 1)} % read")
            if source.index.skipped:
                count = source.index.skipped
                parts.append("1 line is no record" if count == 1 else f"{count:,} lines are no records")
        if not self.following:
            parts.append("stays here, G follows")
        self.border_title = " · ".join(parts).replace("[", "\\[")

    def rows(self) -> int:
        return max(1, len(self._source) if self._source is not None and not self._error else 0)

    def row(self, index: int, cells: int) -> list[Line]:
        source = self._source
        if self._error:
            return fold(((f"the record cannot be read: {printable(self._error, 400)}", Ink.DENY),), cells)[:1]
        if source is None or not len(source):
            reading = source is None or not source.index.complete
            text = "reading ..." if reading else "nothing fits" if self._look.filter else "no decision yet"
            return [((text, Ink.DIM),)]
        item = source.item(index)
        if item.group is not None:
            return [group_line(item.group, item.open, cells)]
        row = item.row
        if row is None:
            return [strange_line(item.line, cells)]
        return [row_line(row, cells, inside=item.inside, day=time.strftime("%Y-%m-%d"))]

    def on_click(self, event: events.Click) -> None:
        index = self.row_at(event.y - self.gutter.top)
        if index is None or self._source is None or not len(self._source):
            return
        self._follow(False)
        if self._has_keys:
            self.point(index)
            if event.chain == 2:
                self.post_message(self.Opened())
