"""One line of the log, of which only what is asked for is read.

A line as the writer makes it has a fixed form (``lines.py``, ``chain.py``): a head up to the target and a
tail from the decision on, and nothing that could be taken for one of them inside a text, where every quote is
escaped. Two regular expressions give all that a list shows and most filters ask, at an eighth of what reading
the JSON and making the record costs. A line of any other form is read as JSON, and looked at as the writer
would have written it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache

from agentgate.actions import Answer, Decision, Kind, Ruling, Source, Verdict
from agentgate.audit.read import Entry, parse

__all__ = ["Row"]

_KINDS = {kind.value.encode(): kind for kind in Kind}
_DECISIONS = {decision.value.encode(): decision for decision in Decision}
_VERDICTS = {verdict.value.encode(): verdict for verdict in Verdict}
_SOURCES = {source.value.encode(): source for source in Source}


def _one(words: Iterable[bytes]) -> bytes:
    return b"|".join(words)


_TEXT = rb'"([^"\\]*(?:\\.[^"\\]*)*)"'
_HEAD = re.compile(
    rb'\{"v":\d+,"time":(\d{1,12}(?:\.\d+)?),"id":(-?\d+),"session":%b,"agent":%b,"action":"(%b)",'
    rb'"target":%b,"argv":\[' % (_TEXT, _TEXT, _one(_KINDS), _TEXT)
)
_TAIL = re.compile(
    rb',"decision":"(%b)","asked_by":"(%b)","verdict":"(%b)","source":"(%b)",'
    rb'"rule":(null|-?\d+),"waited_ms":(-?\d+),"gate":%b,"syscall":%b,"reason":%b'
    rb'(?:,"origin":%b)?(?:,"guard":%b)?(?:,"rule_line":(-?\d+))?(?:,"note":%b)?(?:,"hash":"[0-9a-f]*")?\}\n?\Z'
    % (_one(_DECISIONS), _one(_SOURCES), _one(_VERDICTS), _one(_SOURCES), *(_TEXT,) * 6)
)


def _text(raw: bytes | None) -> str:
    """The text of a JSON string without its quotes."""
    if not raw:
        return ""
    return str(json.loads(b'"%b"' % raw)) if b"\\" in raw else raw.decode("ascii")


@lru_cache(4096)  # thousands of records share a chain
def _words(array: bytes) -> str:
    """What stands in an array of texts or of processes, a line each."""
    found: list[str] = []
    for item in json.loads(array):
        if isinstance(item, str):
            found.append(item)
        else:
            found += [str(item["pid"]), item["exe"], " ".join(item["argv"])]
    return "\n".join(found)


class Row:
    """``line`` as it stands in the file. ``of`` gives None for what is no record."""

    __slots__ = ("_form", "_head", "_tail", "line")

    def __init__(self, line: bytes, form: bytes, head: re.Match[bytes], tail: re.Match[bytes]) -> None:
        self.line = line
        self._form = form  # the line in the writer's own form
        self._head = head
        self._tail = tail

    @classmethod
    def of(cls, line: bytes) -> Row | None:
        row = cls._of(line, line) if line.isascii() else None
        if row is None and (entry := parse(line)) is not None:
            form = entry.record.to_line(session=entry.session, agent=entry.agent, number=entry.number)
            row = cls._of(line, form)
        return row

    @classmethod
    def _of(cls, line: bytes, form: bytes) -> Row | None:
        head = _HEAD.match(form)
        tail = _TAIL.match(form, form.rfind(b',"decision":"')) if head else None
        return cls(line, form, head, tail) if head and tail else None

    @property
    def time(self) -> float:
        return float(self._head[1])

    @property
    def number(self) -> int:
        return int(self._head[2])

    @property
    def session(self) -> str:
        return _text(self._head[3])

    @property
    def agent(self) -> str:
        return _text(self._head[4])

    @property
    def kind(self) -> Kind:
        return _KINDS[self._head[5]]

    @property
    def target(self) -> str:
        return _text(self._head[6])

    @property
    def decision(self) -> Decision:
        return _DECISIONS[self._tail[1]]

    @property
    def asked_by(self) -> Source:
        return _SOURCES[self._tail[2]]

    @property
    def verdict(self) -> Verdict:
        return _VERDICTS[self._tail[3]]

    @property
    def source(self) -> Source:
        return _SOURCES[self._tail[4]]

    @property
    def waited_ms(self) -> int:
        return int(self._tail[6])

    @property
    def syscall(self) -> str:
        return _text(self._tail[8])

    @property
    def reason(self) -> str:
        return _text(self._tail[9])

    @property
    def origin(self) -> str:
        return _text(self._tail[10])

    @property
    def guard(self) -> str:
        return _text(self._tail[11])

    @property
    def note(self) -> str:
        return _text(self._tail[13])

    @property
    def rule(self) -> int | None:
        return None if self._tail[5] == b"null" else int(self._tail[5])

    @property
    def why(self) -> str:
        """See `actions.Answer.why`."""
        line = int(self._tail[12]) if self._tail[12] else None
        ruling = Ruling(self.decision, self.asked_by, self.rule, line, self.reason, self.guard)
        return Answer(self.verdict, self.source, ruling, self.note).why

    @property
    def depth(self) -> int:
        """How many processes are in the chain: 1 when the agent itself acts."""
        return self.chain.count(b'{"pid":')

    @property
    def objects(self) -> tuple[str, ...]:
        """What it was decided on: the target, and where a call has two objects the other one."""
        return (self.target, self.origin) if self._tail[10] else (self.target,)

    @property
    def commands(self) -> str:
        """The processes of the chain, pid, program and command, a line each; "" as for `text`."""
        try:
            return _words(self.chain)
        except (KeyError, TypeError, ValueError):
            return ""

    @property
    def chain(self) -> bytes:
        """The array of processes as it is written: equal for equal chains."""
        begin = self._form.find(b',"chain":[', self._head.end() - 1) + 9
        return self._form[begin : self._form.rfind(b',"intent":"', begin, self._tail.start())]

    @property
    def text(self) -> str:
        """Every text in it, a line each: objects, commands, directory, intent, reason, note. "" when it only
        looked like a record."""
        try:
            return self._text()
        except (KeyError, TypeError, ValueError):
            return ""

    def _text(self) -> str:
        form, begin, chain = self._form, self._head.end() - 1, self.chain
        cwd = form.find(b',"cwd":"', begin)
        rest = form.find(chain, cwd) + len(chain) if chain else cwd
        parts = (
            *self.objects,
            _words(form[begin:cwd]),
            _text(form[cwd + 8 : form.find(b',"chain":[', cwd) - 1]),
            _words(chain),
            _text(form[rest + 11 : self._tail.start() - 1]),
            self.reason,
            self.guard,
            self.note,
        )
        return "\n".join(parts)

    @property
    def entry(self) -> Entry | None:
        """All of it. None when it only looked like a record."""
        return parse(self.line)
