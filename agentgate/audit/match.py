"""What a filter matches, on rows; and what bytes a line must hold for that, so that most are never looked at.

- ``host`` of a connection: the host itself and what lies below it, ``.example.com`` only what lies below,
  with a port only that port (``:443`` any host's); ``*`` is anything.
- ``path`` of a file: an absolute path and what lies below it, else names in the path (``src/app.py``,
  ``*.lock``); ``*`` is anything, also a ``/``.
- ``by``: the acting process, one above it, or the command that is started, by the name of its program
  (``*`` is anything); a number is a pid, words with a space between are looked for in its command.
- ``agent`` in full, ``session`` from its beginning, ``text`` anywhere, whatever its case.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable

from agentgate.actions import Kind, Process
from agentgate.audit.query import Field, Filter, Want
from agentgate.audit.row import Row

__all__ = ["Matcher"]

Test = Callable[[Row], bool]

_ALL_OF = (Field.SINCE, Field.UNTIL, Field.TEXT)  # several must all fit; of other fields one of several
# ASCII that every JSON writer leaves as it is; without the space, which is none between two arguments
_PLAIN = re.compile(rb"[!#-\[\]-~]+")
_CHAINS = 4096
_LITERAL = re.compile(r"[^* ]+")


class Matcher:
    """``needles``: for each condition that allows it, bytes that every line that fits holds (in lower case,
    where the line's case is not to count), if it is written without needless escapes (``scan.py``)."""

    def __init__(self, wanted: Filter) -> None:
        self.wanted = wanted
        self._tests = _tests(wanted)
        groups: dict[Field, list[Want]] = {}
        for want in wanted.wants:
            if not want.negated:
                groups.setdefault(want.field, []).append(want)
        self.needles = tuple(
            sorted(
                (
                    needle
                    for field, wants in groups.items()
                    if len(wants) == 1 or field in _ALL_OF
                    for needle in map(_needle, wants)
                    if needle
                ),
                key=_rare,
            )
        )

    def matches(self, row: Row) -> bool:
        return all(test(row) for test in self._tests)


def _tests(wanted: Filter) -> list[Test]:
    """The cheap ones first: they stand first in ``Field``, but for the times."""
    tests: list[Test] = []
    for field in Field:
        tests += [_not(_test(want)) for want in wanted.wants if want.field is field and want.negated]
        positive = [_test(want) for want in wanted.wants if want.field is field and not want.negated]
        if field in _ALL_OF or len(positive) < 2:
            tests += positive
        else:
            tests.append(_any(positive))
    return tests


def _not(test: Test) -> Test:
    return lambda row: not test(row)


def _any(tests: list[Test]) -> Test:
    return lambda row: any(test(row) for test in tests)


def _test(want: Want) -> Test:
    value = want.value
    if isinstance(value, float):
        if want.field is Field.SINCE:
            return lambda row: row.time >= value
        return lambda row: row.time < value
    text = str(value)
    match want.field:
        case Field.DECISION:
            return lambda row: row.decision == text
        case Field.VERDICT:
            return lambda row: row.verdict == text
        case Field.ACTION:
            return lambda row: row.kind == text
        case Field.AGENT:
            return lambda row: row.agent == text
        case Field.SESSION:
            return lambda row: row.session.startswith(text)
        case Field.HOST:
            host = _host(text)
            return lambda row: row.kind is Kind.NET_EGRESS and any(map(host, row.objects))
        case Field.PATH:
            path = _path(text)
            files = (Kind.FS_WRITE, Kind.FS_READ)
            return lambda row: row.kind in files and any(map(path, row.objects))
        case Field.PROCESS:
            return _process(text)
    return _anywhere(text.lower())


def _glob(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))


def _host(text: str) -> Callable[[str], bool]:
    text = text.lower()
    if text.startswith("unix:"):
        socket = re.compile(_glob(text), re.DOTALL)
        return lambda target: socket.match(target.lower()) is not None
    text = text.rpartition("://")[2]
    host, colon, port = text.rpartition(":")
    bare = text.count(":") > 1 and "]" not in text  # an IPv6 address without a port
    if bare or not colon or not re.fullmatch(r"[0-9*]*", port):
        host, port = text, ""
    host = host.strip("[]")
    name = f"(?:.*\\.)?{_glob(host)}" if host and not host.startswith(".") else f".*{_glob(host)}"
    pattern = re.compile(rf"(?:\w+://)?\[?{name}\]?:{_glob(port) or '[0-9]*'}")
    return lambda target: pattern.fullmatch(target.lower()) is not None


def _path(text: str) -> Callable[[str], bool]:
    text = text.rstrip("/") or "/"
    if text == "/":
        return lambda path: True
    before = "" if text.startswith("/") else "(?:.*/)?"
    pattern = re.compile(rf"{before}{_glob(text)}(?:/.*)?", re.DOTALL)
    return lambda path: pattern.fullmatch(path) is not None


def _process(text: str) -> Test:
    if text.isdigit():
        pid = int(text)

        def is_it(process: Process) -> bool:
            return process.pid == pid
    elif " " in text:

        def is_it(process: Process) -> bool:
            return text in process.command
    else:
        name = re.compile(_glob(text))

        def is_it(process: Process) -> bool:
            return any(name.fullmatch(known) for known in _names(process))

    def above(row: Row) -> bool:
        entry = row.entry
        return entry is not None and any(map(is_it, entry.record.action.chain))

    acts = _by_chain(above)
    return lambda row: (
        acts(row) or (row.kind is Kind.EXEC and is_it(Process(-1, tuple(row.target.split(" ")))))
    )


def _anywhere(lower: str) -> Test:
    acts = _by_chain(lambda row: lower in row.commands.lower())
    return lambda row: lower in row.target.lower() or acts(row) or lower in row.text.lower()


def _by_chain(test: Test) -> Test:
    """``test``, which depends on the row's chain only: thousands of records share one."""
    known: dict[bytes, bool] = {}

    def once(row: Row) -> bool:
        chain = row.chain
        fits = known.get(chain)
        if fits is None:
            if len(known) >= _CHAINS:
                known.clear()
            fits = known[chain] = test(row)
        return fits

    return once


def _names(process: Process) -> list[str]:
    words = (process.exe, *process.argv[:1])
    return [os.path.basename(word.lstrip("-")) for word in words if word]


# Needles


def _needle(want: Want) -> tuple[bytes, bool] | None:
    """Bytes that stand in every line that fits, and whether only when the line is put in lower case."""
    text = str(want.value)
    match want.field:
        case Field.DECISION | Field.VERDICT | Field.ACTION:
            return f'"{text}"'.encode(), False
        case Field.AGENT | Field.SESSION | Field.TEXT:
            plain = _plain(text)
        case Field.HOST | Field.PATH:
            plain = max(map(_plain, _LITERAL.findall(text.strip("/[]"))), key=len, default=b"")
        case Field.PROCESS:
            # a pid also stands in times and numbers: no use
            plain = b"" if text.isdigit() else max(map(_plain, _LITERAL.findall(text)), key=len, default=b"")
        case _:
            return None
    lower = want.field in (Field.HOST, Field.TEXT)
    return (plain.lower() if lower else plain, lower) if plain else None


def _plain(text: str) -> bytes:
    """The longest piece of ``text`` that stands in a line as it is."""
    return max(_PLAIN.findall(text.encode("utf-8", "surrogatepass")), key=len, default=b"")


def _rare(needle: tuple[bytes, bool]) -> tuple[bool, int]:
    """What is looked for first: a word of somebody's own, then the long ones."""
    return needle[0].startswith(b'"'), -len(needle[0])
