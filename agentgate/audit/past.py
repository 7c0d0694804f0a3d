"""The recorded past, held against rules: what a rule would have matched, what other rules would decide.

``load`` reads the newest part of a log, older sessions included, and `Recorded` reads on where it stopped.
Both block and belong into a thread (``asyncio.to_thread``): fifty thousand records take seconds to
understand. A `Past` is a value; its own questions take milliseconds to tenths of a second.

What the gate itself refused, whatever the rules, and the session's own command count in none of it.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from json import JSONDecoder
from pathlib import Path
from typing import Protocol, TypeVar, cast

from agentgate.actions import Action, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.read import parse
from agentgate.audit.record import VERSION, Record
from agentgate.policy.match import Compiled, Context
from agentgate.policy.model import Rule
from agentgate.policy.suggest import Draft
from agentgate.regular import open_regular

__all__ = ["BYTES", "LIMIT", "Difference", "Matched", "Past", "Recorded", "Rules", "load"]

LIMIT = 50_000
"""Records that are looked at: the newest."""

BYTES = 32 << 20
"""Bytes of the log's end that are read."""

_Value = TypeVar("_Value")
_HEAD = f'{{"v":{VERSION},"time":'
_DECODER = JSONDecoder()
_HASH = 75  # what `audit/chain.py` puts at the end of a line
_KEPT = 4096  # sorts of lines that are remembered
_YEARS = 3e9  # seconds: no record is a century younger than another of its log
_TURN = 64  # records understood before other threads get their turn: about 3 ms


class Rules(Protocol):
    """What decides: a ``policy.match.Matcher``, or a ``gate.decide.Decider``, which knows the guards and
    the secrets too."""

    def rule(self, action: Action) -> Ruling: ...


@dataclass(frozen=True, slots=True)
class Matched:
    """How many recorded actions a rule would have matched, and how many of those the operator denied."""

    events: int
    denied: int

    @property
    def words(self) -> str:
        """``37 events, 2 of them you denied``."""
        events = f"{self.events:,} event{'' if self.events == 1 else 's'}" if self.events else "nothing yet"
        return f"{events}, {self.denied:,} of them you denied" if self.denied else events


@dataclass(frozen=True, slots=True)
class Difference:
    """What would now be decided otherwise: the newest of ``times`` like records, and both rulings."""

    record: Record
    times: int
    before: Ruling
    after: Ruling


class _Like:
    """Records that no rule can tell apart: the newest of them, how many, how many the operator denied."""

    __slots__ = ("denied", "record", "times")

    def __init__(self, record: Record) -> None:
        self.record = record
        self.times = self.denied = 0


class Past:
    """``records``, oldest first. ``error`` says why there are none that could be read."""

    def __init__(self, records: Iterable[Record] = (), error: str = "") -> None:
        self.records = tuple(records)
        self.error = error
        self._likes: list[_Like] | None = None
        self._before: tuple[Rules, list[Ruling]] | None = None

    def __len__(self) -> int:
        return len(self.records)

    def matching(self, rule: Rule | Draft, context: Context) -> Matched:
        """What ``rule`` would have been for, were it the first. An allow is for an action of which it
        covers every object, and never for what a guard asked about; any other, for one of which it covers
        one. Its expiry does not count. Raises PolicyError for a rule that cannot be compiled."""
        if isinstance(rule, Draft):
            rule = rule.rule
        rule = replace(rule, until=None)
        kinds = [kind for kind in Kind if rule.action in (None, kind)]
        compiled = {kind: Compiled(rule, kind, context, "the rule") for kind in kinds}
        allows = rule.decision is Decision.ALLOW
        needs = all if allows else any
        events = denied = 0
        known: dict[tuple[Kind, str], bool] = {}
        for like in self._alike():
            action = like.record.action
            one = compiled.get(action.kind)
            if one is None or not one.holds(action) or (allows and like.record.ruling.source is Source.GUARD):
                continue
            for target in action.objects:
                if (action.kind, target) not in known:
                    known[action.kind, target] = (
                        one.covers(target) and one.on(target).decision is rule.decision
                    )
            if needs(known[action.kind, target] for target in action.objects):
                events += like.times
                denied += like.denied
        return Matched(events, denied)

    def differences(self, old: Rules, new: Rules) -> list[Difference]:
        """What ``new`` decides (allow, deny or ask) otherwise than ``old``, newest first. Records that no
        rule can tell apart come once, with their number. What ``old`` says is kept for the next time."""
        likes = self._alike()
        if self._before is None or self._before[0] is not old:
            self._before = (old, [old.rule(like.record.action) for like in likes])
        found = []
        for like, before in zip(likes, self._before[1], strict=True):
            after = new.rule(like.record.action)
            if after.decision is not before.decision:
                found.append(Difference(like.record, like.times, before, after))
        return sorted(found, key=lambda one: one.record.time, reverse=True)

    def _alike(self) -> list[_Like]:
        if self._likes is None:
            likes: dict[object, _Like] = {}
            for record in self.records:
                action, source = record.action, record.ruling.source
                if source is Source.OPERATOR or (
                    source is Source.GATE and record.ruling.decision is Decision.DENY
                ):
                    continue
                commands = tuple([process.command for process in action.chain])
                guarded = source is Source.GUARD
                key = (action.kind, action.target, action.origin, action.syscall, commands, guarded)
                like = likes.setdefault(key, _Like(record))
                like.record = record
                like.times += 1
                if record.answer.verdict is Verdict.DENY and record.answer.source is Source.OPERATOR:
                    like.denied += 1
            self._likes = list(likes.values())
        return self._likes


class Recorded:
    """A log that is read again and again: ``read`` understands what came since the last time.

    Memory holds ``limit`` records at most; what they share (who acts, under which rule) is held once.
    """

    def __init__(self, path: Path, limit: int = LIMIT, size: int = BYTES) -> None:
        self._path = path
        self._size = size
        self._records: deque[Record] = deque(maxlen=limit)
        self._file: tuple[int, int] | None = None
        self._at = 0
        self._past = Past()
        self._shared: dict[object, object] = {}
        self._alike: dict[tuple[str, str], Record] = {}
        self._lock = threading.Lock()

    def read(self) -> Past:
        """The past up to now: the same object while nothing came. Raises nothing: a log that is not there
        is an empty past, one that cannot be read says so in ``error``. One thread reads, others wait."""
        with self._lock:
            return self._read()

    def _read(self) -> Past:
        came = False
        try:
            for number, line in enumerate(self._news()):
                came = True
                record = self._understood(line)
                if record is not None:
                    self._records.append(record)
                if number % _TURN == 0:
                    time.sleep(0)
        except FileNotFoundError:
            return Past()
        except OSError as error:
            return Past(error=error.strerror or str(error))
        if came:
            self._past = Past(self._records)
            self._shared.clear()
        return self._past

    def _news(self) -> Iterator[bytes]:
        """The whole lines that were not read yet, of the end of the file. One after the other: a call that
        takes longer than that keeps the screen waiting."""
        with open_regular(self._path, 1 << 16) as file:
            info = os.fstat(file.fileno())
            if (info.st_dev, info.st_ino) != self._file or info.st_size < self._at:
                self._file, self._at = (info.st_dev, info.st_ino), 0
                self._records.clear()
                self._past = Past()
            if info.st_size - self._at > self._size:
                file.seek(info.st_size - self._size)
                file.readline()  # the rest of one that is cut
                self._at = file.tell()
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._at += len(line)
                yield line

    def _understood(self, line: bytes) -> Record | None:
        """The record of a line. Most differ from one before only in their time and target (an install writes
        thousands of files): these take a tenth of the time that a whole line takes."""
        text = line.decode("ascii", "replace").rstrip("\n")
        if text.endswith('"}') and text[-_HASH:].startswith(',"hash":"'):
            text = text[:-_HASH] + "}"
        at = text.find(',"target":"')
        number = text.find(',"id":', 0, at)
        behind = text.find(",", number + 1, at)
        if at < 0 or number < 0 or behind < 0 or not text.startswith(_HEAD):
            return self._whole(line)
        try:
            moment = float(text[len(_HEAD) : number])
            target, end = _DECODER.raw_decode(text, at + len(',"target":'))
        except ValueError:
            return self._whole(line)
        key = (text[behind:at], text[end:])
        known = self._alike.get(key)
        if known is None:
            if len(self._alike) >= _KEPT:
                self._alike.clear()
            known = self._whole(line)
            if known is not None:
                self._alike[key] = known
            return known
        if not 0 <= moment < known.time + _YEARS:
            return self._whole(line)
        action = known.action._replace(target=target)
        return replace(known, time=moment, action=action)

    def _whole(self, line: bytes) -> Record | None:
        entry = parse(line)
        return self._share(entry.record) if entry else None

    def _share(self, record: Record) -> Record:
        """``record``, holding what an earlier one holds too only once: tens of bytes instead of thousands."""
        action = record.action
        chain = self._one(tuple(map(self._one, action.chain)))
        ruling = self._one(record.ruling)
        answer = self._one(replace(record.answer, ruling=ruling))
        action = action._replace(
            argv=self._one(action.argv),
            cwd=self._one(action.cwd),
            chain=chain,
            syscall=self._one(action.syscall),
            intent=self._one(action.intent),
        )
        return replace(record, action=action, ruling=ruling, answer=answer, gate=self._one(record.gate))

    def _one(self, value: _Value) -> _Value:
        return cast(_Value, self._shared.setdefault(value, value))


def load(path: Path, limit: int = LIMIT) -> Past:
    """The past in the log at ``path``. Raises nothing; see `Recorded.read`."""
    return Recorded(path, limit).read()
