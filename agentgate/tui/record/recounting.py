"""Does what the keys of the audit view ask for: opens a record, writes what is shown into a file."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentgate.audit.mask import MASK
from agentgate.audit.query import BadFilter
from agentgate.audit.search import Search
from agentgate.escape import printable
from agentgate.gate.events import Ask, Notice
from agentgate.tui.inputs import Effect
from agentgate.tui.record.browse import Place, wanted_by
from agentgate.tui.record.look import Look
from agentgate.tui.record.verbs import (
    Export,
    ExportFailed,
    Follow,
    OpenRecord,
    RecordOpened,
    RecordTaken,
    RuleFrom,
)
from agentgate.tui.state import RECORDED

if TYPE_CHECKING:
    from agentgate.tui.performing import Handler, Performing

__all__ = ["HANDLERS", "export"]

PIECES = 4 << 20  # bytes that are kept before they are written


def _open_record(to: Performing, effect: OpenRecord) -> None:
    if to.room.audit.enter():
        to.desk.tell(RecordOpened())


def _rule_from(to: Performing, effect: RuleFrom) -> None:
    entry = to.room.audit.chosen
    if entry is None:
        to.desk.tell(Notice("no record is chosen: j and k move"))
        return
    record = entry.record
    if any(MASK in target for target in record.action.objects):
        to.desk.tell(Notice("a secret is masked in this record: a rule made of it would never match"))
        return
    ask = Ask(RECORDED, record.action, record.ruling, time.monotonic(), record.gate)
    to.desk.tell(RecordTaken(ask, effect.decision))


def _export(to: Performing, effect: Export) -> None:
    place = to.room.audit.place
    if place is not None:
        path = to.session.settings.project / Path(effect.name).expanduser()
        to.desk.spawn(_write(to, effect.name, path, to.room.audit.look, place))


async def _write(to: Performing, name: str, path: Path, look: Look, place: Place) -> None:
    going_on = True

    def goes_on() -> bool:
        return going_on

    try:
        count = await asyncio.to_thread(export, path, look, place, goes_on)
    except FileExistsError:
        to.desk.tell(ExportFailed(name, "it is there already, and is not overwritten"))
    except (OSError, BadFilter) as error:
        to.desk.tell(ExportFailed(name, getattr(error, "strerror", None) or str(error)))
    else:
        records = "1 record" if count == 1 else f"{count:,} records"
        to.desk.tell(Notice(f"{records} written to {printable(str(path))}"))
    finally:
        going_on = False  # cancelled: the thread stops, too


def export(path: Path, look: Look, place: Place, goes_on: Callable[[], bool]) -> int:
    """Write the lines that ``look`` is about into ``path``, which must not be there, for its owner alone.
    Returns how many. Raises OSError, BadFilter; then there is no file, or none that was not there before."""
    wanted, begin = wanted_by(look, place)
    search = Search(place.log, wanted, begin)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            with open(descriptor, "wb", buffering=PIECES) as file:
                count = 0
                for count, row in enumerate(search.rows(), 1):  # noqa: B007 (the last one is the count)
                    file.write(row.line if row.line.endswith(b"\n") else row.line + b"\n")
                    if not goes_on():
                        raise InterruptedError("interrupted")
                return count
        except BaseException:
            os.unlink(path)
            raise
    finally:
        search.close()


HANDLERS: dict[type[Effect], Handler] = {
    OpenRecord: _open_record,
    Follow: lambda to, effect: to.room.audit.toggle_follow(),
    Export: _export,
    RuleFrom: _rule_from,
}
