"""``agentgate audit``: what was decided."""

from __future__ import annotations

import argparse
import json
import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgate.actions import Decision, Kind, Verdict
from agentgate.cli import exits, export, sql, verify
from agentgate.cli.options import Parser, UsageError, add_audit, colours, here, no_log
from agentgate.escape import printable
from agentgate.settings import default_audit

if TYPE_CHECKING:
    from agentgate.audit.query import Filter
    from agentgate.audit.row import Row
    from agentgate.audit.search import Search
    from agentgate.cli.progress import Progress

__all__ = ["add"]

_EXAMPLE = """\
Conditions on the same thing are alternatives, on different things all must hold. --where takes a line of
words as the control room's filter does: allow, deny, ask, exec, write, read, net, host:NAME, path:PATH,
by:PROGRAM, agent:NAME, session:ID, since:WHEN, until:WHEN; any other word is a text, and ! before a word
is "not". In names, paths and hosts * is anything.

example:
  agentgate audit --verdict deny --since 1h
  agentgate audit --host github.com --process npm
  agentgate audit --where 'write path:src/ !by:git' --session last
  agentgate audit --follow --verdict deny
  agentgate audit --summary --session last
  agentgate audit verify         whether anything in it was changed or removed
  agentgate audit --json --action net_egress | jq -r .target | sort | uniq -c
"""
_FLAGS = ("decision", "verdict", "action", "host", "path", "process", "agent", "since", "until", "text")
_FOLLOWED = 10  # newest records that --follow begins with
_LOOK = 200  # milliseconds between two looks for what is new


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


_count.__name__ = "count"  # as argparse says it: invalid count value


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "audit",
        help="show what was decided",
        description="Show what was decided, oldest first.",
        epilog=_EXAMPLE,
    )
    add_audit(parser)
    several: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument(
        "--decision", choices=[word.value for word in Decision], help="what the rules said", **several
    )
    parser.add_argument("--verdict", choices=[word.value for word in Verdict], help="how it ended", **several)
    parser.add_argument(
        "--action", choices=[word.value for word in Kind], help="what sort of action", **several
    )
    parser.add_argument("--host", metavar="NAME", help="connections to it, and to what lies below", **several)
    parser.add_argument("--path", metavar="PATH", help="files of this name, or below it", **several)
    parser.add_argument(
        "--process",
        metavar="NAME",
        help="what this program, or something it started, did; or a pid",
        **several,
    )
    parser.add_argument("--agent", metavar="NAME", help="the agent's name", **several)
    parser.add_argument("--session", metavar="ID", help="one run, by the begin of its id; or: last")
    parser.add_argument("--since", metavar="WHEN", help="30m, 1h, 2d, 13:20 or 2026-11-23", **several)
    parser.add_argument("--until", metavar="WHEN", help="before then; a date with all of its day", **several)
    parser.add_argument("--text", metavar="TEXT", help="anywhere in it, in capitals or not", **several)
    parser.add_argument("--where", metavar="LINE", default="", help="conditions as words, see below")
    parser.add_argument("--limit", metavar="N", type=_count, help="only the newest N")
    parser.add_argument(
        "--follow", action="store_true", help=f"the newest {_FOLLOWED}, then what comes, until ^C"
    )
    parser.add_argument(
        "--summary", action="store_true", help="what ran, was reached, changed, refused, read and asked"
    )
    parser.add_argument(
        "--json", action="store_true", help="the records as they were written, one a line; the summary as one"
    )
    parser.set_defaults(run=_run)
    verbs = parser.add_subparsers(
        title="commands", metavar="[verify | sql | export]", required=False, parser_class=Parser
    )
    for verb in (verify, sql, export):
        verb.add(verbs)


def _run(args: argparse.Namespace) -> int:
    from agentgate.audit.place import parts

    path = default_audit(args.audit, os.environ, here())
    if args.summary and (args.follow or args.limit):
        raise UsageError("--summary is of all that fits: without --follow and --limit")
    if args.follow:
        _wait_for(path)
    wanted = _filter(args, path)
    show = _as_written if args.json else _line()
    limit = args.limit or (_FOLLOWED if args.follow else None)
    search = _open(path, wanted)
    # what was put away comes first, unless only what comes is of interest
    searches = [search] if args.follow else [*(_open(part, wanted) for part in parts(path)[:-1]), search]
    try:
        with _progress() as progress:
            found = chain.from_iterable(_rows(one, progress, whole=not args.follow) for one in searches)
            if args.summary:
                _summary(found, progress, args.json)
                return exits.OK
            for row in deque(found, maxlen=limit) if limit else found:
                progress.clear()
                show(row)
        if args.follow:
            _follow(search, wanted, show)
        return exits.OK
    finally:
        if skipped := sum(one.skipped for one in searches):
            sys.stdout.flush()
            lines = "1 line was no record" if skipped == 1 else f"{skipped} lines were no records"
            print(f"agentgate: {lines}, skipped", file=sys.stderr)
        for one in searches:
            one.close()


def _filter(args: argparse.Namespace, path: Path) -> Filter:
    """What the flags and the words say. Raises UsageError."""
    from agentgate.audit.query import BadFilter, Field, Filter, Want, want
    from agentgate.audit.search import last_session

    now = time.time()
    try:
        wanted = Filter.parse(args.where, now)
    except BadFilter as error:
        raise UsageError(str(error)) from None
    fields = {"process": Field.PROCESS}
    try:
        for flag in _FLAGS:
            for text in getattr(args, flag):
                wanted = wanted.also(want(fields.get(flag) or Field(flag), text, now))
    except BadFilter as error:
        raise UsageError(f"--{error}") from None
    session = args.session
    if session == "last":
        try:
            session = last_session(path)
        except FileNotFoundError:
            raise no_log(path) from None
        if not session:
            raise UsageError(f"--session last: no record in {printable(str(path))}")
    return wanted.also(Want(Field.SESSION, session)) if session else wanted


def _open(path: Path, wanted: Filter) -> Search:
    from agentgate.audit.search import Search

    try:
        return Search(path, wanted)
    except FileNotFoundError:
        raise no_log(path) from None


def _progress() -> Progress:
    from agentgate.cli.progress import Progress

    return Progress("reading the audit log")


def _rows(search: Search, progress: Progress, *, whole: bool) -> Iterator[Row]:
    """What is in the log now; ``whole``: no more will come, so a last line without its end counts too."""
    yield from search.rows(progress)
    if whole:
        yield from search.end()


def _summary(found: Iterator[Row], progress: Progress, as_json: bool) -> None:
    from agentgate.audit import telling
    from agentgate.audit.summary import summarise

    told, project = summarise(found), str(here())
    progress.clear()
    if as_json:
        print(json.dumps(telling.as_json(told, project)))
    else:
        print("\n".join(telling.full(told, project)))


def _as_written(row: Row) -> None:
    if row.line.isascii():
        print(row.line.decode("ascii").strip())
    elif entry := row.entry:  # another program's: nothing in it may act on a terminal
        print(json.dumps(entry.data, separators=(",", ":")))


def _line() -> Callable[[Row], None]:
    """Prints a row for a person."""
    from agentgate.audit.format import line

    today = date.today()
    colour = colours()
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
        ascii_only = False
    except UnicodeEncodeError:
        ascii_only = True
    return lambda row: print(line(row, today=today, colour=colour, ascii_only=ascii_only))


# --follow


def _wait_for(path: Path) -> None:
    """Until there is a log. Raises BrokenPipeError when nobody reads what we say any more."""
    if path.exists():
        return
    print(f"agentgate: no audit log yet, waiting for {printable(str(path))}", file=sys.stderr)
    while not path.exists():
        _pause()


def _follow(search: Search, wanted: Filter, show: Callable[[Row], None]) -> None:
    """Show what comes, until interrupted; a log that is replaced is read from its beginning."""
    while True:
        replaced = search.replaced()  # asked first: what the old one still got is read all the same
        for row in search.rows():
            show(row)
        sys.stdout.flush()
        if replaced:
            search.again()
        else:
            _pause()


def _pause() -> None:
    """Raises BrokenPipeError when the reader of our output is gone: a quiet log would never tell."""
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)  # POLLHUP and POLLERR are always told of, poll(2)
    except (OSError, ValueError):
        time.sleep(_LOOK / 1000)
        return
    if poll.poll(_LOOK):
        raise BrokenPipeError
