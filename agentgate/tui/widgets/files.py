"""The files panel: what the session changed on disk, as a tree, as it is now.

It looks again every second while it is to be seen, and less often where a look takes long.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events

from agentgate.agent import AgentRun
from agentgate.changes.following import Following
from agentgate.changes.look import Change, Sort
from agentgate.changes.tree import MARKS, Row, counts, near, said, tree
from agentgate.tui import words
from agentgate.tui.ink import NARROW, Ink, Line, fold, outside, spread
from agentgate.tui.widgets.lines import Lines

__all__ = ["Chosen", "FilesPanel", "Wanted", "back_lines", "diff_lines", "row_line"]

LOOK_SECONDS = 1.0
SHARE = 0.01
"""Of a processor, what looking may take in the long run."""

NAMED = 12
"""Paths named in the question about taking back."""

INKS = {
    Sort.CREATED: Ink.ALLOW, Sort.CHANGED: Ink.STRONG, Sort.REMOVED: Ink.DENY,
    Sort.RENAMED: Ink.WAIT, Sort.MODE: Ink.DIM,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Of:
    """The agent whose changes they are."""

    run: AgentRun
    following: Following


@dataclass(frozen=True, slots=True)
class Chosen:
    row: Row
    of: Of


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at an agent's changes gave."""

    of: Of
    changes: list[Change]
    rows: list[Row]
    counts: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken back of each agent; no paths: everything. ``changes`` are those it is about."""

    parts: tuple[tuple[Of, tuple[str, ...] | None], ...]
    changes: tuple[Change, ...]


def row_line(row: Row, cells: int, project: str = "") -> Line:
    """``~   app.py         1.2 KiB → 1.3 KiB``"""
    indent = "  " * row.depth
    if row.change is None:
        return (("  " + indent, Ink.PLAIN), (outside(row.name, 400), Ink.DIM))
    ink = INKS[row.change.sort]
    name = (outside(row.name, 400), Ink.PLAIN if ink is Ink.DIM else ink)
    left: Line = ((f"{MARKS[row.change.sort]} {indent}", ink), name)
    word = f"  {row.change.sort.value:<7}" if cells >= 64 else ""
    right = words.middle(outside(said(row.change, project), 400), cells // 2 - len(word))
    return spread(left, ((right, Ink.DIM), (word, ink)), cells)


def diff_lines(change: Change | None, lines: Sequence[str], cells: int) -> list[Line]:
    """A difference for the cover."""
    if change is None:
        return []
    out = fold(((f"{MARKS[change.sort]} ", INKS[change.sort]), (outside(change.path), Ink.STRONG)), cells, 2)
    about = said(change)
    if about:
        out += fold(((f"  {change.sort.value}, {outside(about)}", Ink.DIM),), cells, indent=2)
    out.append(())
    inks = {"+": Ink.ALLOW, "-": Ink.DENY, "@": Ink.WAIT, "·": Ink.DIM}
    for text in lines:
        out += fold(((outside(text.replace("\t", "    "), 2000), inks.get(text[:1], Ink.PLAIN)),), cells, 1)
    if not lines:
        out.append((("no content differs", Ink.DIM),))
    return out


def back_lines(
    wanted: Wanted | None, alive: bool, key: str, hint: str, armed: bool, cells: int
) -> list[Line]:
    """The question before something is taken back. ``key`` confirms, once it is ``armed``."""
    if wanted is None:
        return []
    count = len(wanted.changes)
    what = "this change" if count == 1 else f"these {count:,} changes"
    lines = fold(((f"Take back {what}?", Ink.STRONG),), cells)
    lines.append(())
    project = wanted.parts[0][0].following.store.about.project
    for change in wanted.changes[:NAMED]:
        mark = (f"{MARKS[change.sort]} ", INKS[change.sort])
        path, about = near(change.path, project), said(change, project)
        lines += fold((mark, (outside(path), Ink.PLAIN), (f"  {outside(about)}", Ink.DIM)), cells, 2)
    if count > NAMED:
        lines.append(((f"  and {count - NAMED:,} more", Ink.DIM),))
    lines.append(())
    gone = any(change.sort is Sort.CREATED for change in wanted.changes)
    if gone:
        lines += fold((("What was created (+) is removed, and kept nowhere.", Ink.WAIT),), cells)
    if alive:
        text = "The agent still runs: it may be in the middle of this, and change it again."
        lines += fold(((text, Ink.WAIT),), cells)
    lines += [() for _ in (1,) if gone or alive]
    yes = (key, Ink.KEY if armed else Ink.IDLE)
    lines.append((yes, (" take back   ", Ink.DIM), ("esc", Ink.KEY), (" leave it", Ink.DIM)))
    return [*lines, (), *fold(((outside(hint), Ink.WAIT),), cells)] if hint else lines


class FilesPanel(Lines):
    """``agents`` gives those whose changes are shown. ``diff`` of ``compared`` and ``wanted`` are what the
    covers are about; ``why`` says why there is nothing to show, where that has a reason."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.agents: Callable[[], Sequence[AgentRun]] = list
        self.diff: list[str] = []
        self.compared: Change | None = None
        self.wanted: Wanted | None = None
        self.why = ""
        self._rows: list[Chosen | str] = []
        self._seen: list[Seen] = []
        self._known: dict[AgentRun, Of] = {}
        self._now = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self.border_title = "5 FILES"

    # -- looking

    def on_mount(self) -> None:
        self._looking = asyncio.create_task(self._look())

    def on_unmount(self) -> None:
        if self._looking:
            self._looking.cancel()

    def on_show(self) -> None:
        self.look_soon()

    def look_soon(self) -> None:
        self._now.set()

    async def _look(self) -> None:
        while True:
            self._now.clear()
            seen = self.display and self.size.height
            spent = await self._look_once() if seen else 0.0
            wait = max(LOOK_SECONDS, spent / SHARE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._now.wait(), wait)

    async def _look_once(self) -> float:
        """Look at every agent's changes; returns the processor seconds that it took."""
        found, spent, whys = [], 0.0, []
        for run in list(self.agents()):
            store = run.keeping.store
            if store is None:
                shim = run.backend is not None and run.backend.kind != "kernel"
                whys.append("only the kernel gate keeps what was there before" if shim else run.keeping.why)
                continue
            of = self._known.setdefault(run, Of(run, Following(store)))
            try:
                seen, took = await asyncio.to_thread(_timed, of)
            except OSError as error:
                whys.append(f"what was kept cannot be read: {error.strerror}")
                continue
            spent += took
            found.append(seen)
        began = time.thread_time()
        self.show(found, whys[0] if whys else "")
        return spent + time.thread_time() - began

    def show(self, found: list[Seen], why: str = "") -> None:
        """These are the changes now. The cursor stays at its path."""
        if (found, why) == (self._seen, self.why) and self._rows:
            return
        chosen = self.chosen
        self._seen, self.why = found, why
        rows: list[Chosen | str] = []
        for seen in found:
            if len(found) > 1:
                rows.append(f"{seen.of.run.name}: {seen.counts or 'nothing differs'}")
            rows += [Chosen(row, seen.of) for row in seen.rows]
        if why:
            rows.append(why)
        self._rows = rows or ["nothing on disk differs from what it was before"]
        every = found[0].counts if len(found) == 1 else ""
        self.border_title = f"5 FILES · {every}" if every else "5 FILES"
        self.changed()
        self._point_again(chosen)

    def _point_again(self, chosen: Chosen | None) -> None:
        paths = [row.row.path if isinstance(row, Chosen) and chosen and row.of is chosen.of else None
                 for row in self._rows]  # fmt: skip
        if chosen and chosen.row.path in paths:
            self.point(paths.index(chosen.row.path))
        elif any(isinstance(row, Chosen) for row in self._rows):
            self.point(min(self.cursor or 0, len(self._rows) - 1))
        else:
            self.point(None)

    # -- what is chosen

    @property
    def chosen(self) -> Chosen | None:
        """What the cursor is on; None for a line that is no file."""
        if self.cursor is None or self.cursor >= len(self._rows):
            return None
        row = self._rows[self.cursor]
        return row if isinstance(row, Chosen) else None

    def chosen_wanted(self) -> Wanted | None:
        """The chosen change, or of a directory all in it."""
        chosen = self.chosen
        if chosen is None:
            return None
        path = chosen.row.path
        changes = next(seen.changes for seen in self._seen if seen.of is chosen.of)
        about = [each for each in changes if each.path == path or each.path.startswith(f"{path}/")]
        return Wanted(((chosen.of, (path,)),), tuple(about)) if about else None

    def all_wanted(self) -> Wanted | None:
        """Every change of every agent, the last agent's first: it may have changed what another made."""
        parts = tuple((seen.of, None) for seen in reversed(self._seen) if seen.changes)
        about = tuple(change for seen in self._seen for change in seen.changes)
        return Wanted(parts, about) if about else None

    # -- lines

    def rows(self) -> int:
        return max(1, len(self._rows))

    def row(self, index: int, cells: int) -> list[Line]:
        if index >= len(self._rows):
            return [(("…", Ink.DIM),)]
        row = self._rows[index]
        if isinstance(row, str):
            return [((outside(row, 400), Ink.DIM),)]
        return [row_line(row.row, max(cells, NARROW // 2), row.of.following.store.about.project)]

    def on_click(self, event: events.Click) -> None:
        index = self.row_at(event.y - self.gutter.top)
        if index is not None and self.cursor is not None:
            self.point(index)


def _timed(of: Of) -> tuple[Seen, float]:
    """In a thread: neither the looking nor the tree of thousands of rows may keep a key waiting."""
    began = time.thread_time()
    changes = of.following.changes()
    rows = tree(changes, of.following.store.about.project)
    return Seen(of, changes, rows, counts(changes)), time.thread_time() - began
