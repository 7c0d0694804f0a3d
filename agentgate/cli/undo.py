"""``agentgate undo``: what a session changed on disk, and taking it back."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agentgate.cli import exits
from agentgate.cli.options import UsageError, here
from agentgate.escape import printable

if TYPE_CHECKING:
    from agentgate.changes.look import Change
    from agentgate.changes.picture import Picture
    from agentgate.changes.store import Store

__all__ = ["add"]

_EXAMPLE = """\
example:
  agentgate undo                        what the last session in this directory changed
  agentgate undo --diff src/app.py      how one file differs from what it was before
  agentgate undo src/app.py             take that file back
  agentgate undo --all                  take back everything; --dry-run first says what would become of it
  agentgate undo --list                 the sessions that can be taken back; their names go first:
  agentgate undo 3f079b67 --all

Only sessions behind the kernel gate keep what was there. A file that was changed after the session ended
stays as it is without --force. Exits with 1 when something could not be taken back.
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "undo",
        help="show or take back what a session changed on disk",
        description="Show what a session changed on disk; with a path or --all, take it back.",
        usage="agentgate undo [options] [SESSION | last] [PATH ...]",
        epilog=_EXAMPLE,
    )
    parser.add_argument("words", nargs="*", metavar="SESSION | PATH", help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help="take back everything")
    parser.add_argument("--list", action="store_true", help="list the sessions, the newest first")
    parser.add_argument("--diff", action="store_true", help="show the difference, take nothing back")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, do nothing")
    parser.add_argument("--force", action="store_true", help="also what was changed since the session")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from agentgate.changes import store as stores

    known = stores.sessions(os.environ)
    if args.list:
        if args.words or args.all or args.diff:
            raise UsageError("undo: --list stands alone, or with --json")
        return _list(known, args.json)
    if args.all and args.diff:
        raise UsageError("undo: --all takes back, --diff shows: choose one")
    chosen, paths = _chosen(known, args.words)
    if args.all and paths:
        raise UsageError("undo: --all, or paths, not both")
    try:
        if args.all or (paths and not args.diff):
            return _take_back(chosen, paths or None, args)
        return _show(chosen, paths, args)
    except OSError as error:
        raise UsageError(f"undo: session {chosen.about.session}: {error.strerror or error}") from None


def _chosen(known: list[Store], words: list[str]) -> tuple[Store, list[str]]:
    """The session that is meant, and the paths, absolute."""
    project = str(here())
    by_name = {store.about.session: store for store in known}
    if words and words[0] in by_name:
        return by_name[words[0]], _absolute(words[1:])
    rest = words[1:] if words[:1] == ["last"] else words
    for store in known:
        its = store.about.project
        if f"{project}/".startswith(f"{its.rstrip('/')}/"):
            return store, _absolute(rest)
    raise UsageError(
        "undo: no session that began in this directory is kept (agentgate undo --list names the others)"
    )


def _absolute(words: list[str]) -> list[str]:
    """Real paths, but for the last name, which may be a link that is meant itself."""
    found = []
    for word in words:
        path = os.path.abspath(word)
        found.append(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
    return found


def _list(known: list[Store], as_json: bool) -> int:
    if not known and not as_json:
        print("no session is kept")
    for store in known:
        about, alive = store.about, store.alive()
        if as_json:
            print(json.dumps({**asdict(about), "running": alive}))
            continue
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.started))
        state = "running" if alive else ""
        command = printable(" ".join(about.command), 40)
        print(f"{about.session}  {when}  {state:<7}  {printable(about.project, 60)}  {command}".rstrip())
    return exits.OK


def _show(store: Store, paths: list[str], args: argparse.Namespace) -> int:
    from agentgate.changes.diff import diff
    from agentgate.changes.look import Look
    from agentgate.changes.picture import Picture, beneath

    picture = Picture(store.items())
    changes = [
        change for change in Look(store).changes(picture)
        if not paths or any(beneath(change.path, path) for path in paths)
    ]  # fmt: skip
    if args.json:
        for change in changes:
            extra = {"diff": diff(store, picture, change)} if args.diff else {}
            print(json.dumps({**_plain(change), **extra}))
    elif args.diff:
        for change in changes:
            print(_headline(change))
            for line in diff(store, picture, change):
                print(printable(line.replace("\t", "    "), 4000))
    else:
        _tree(store, picture, changes)
    return exits.OK


def _plain(change: Change) -> dict[str, Any]:
    fields = asdict(change)
    del fields["number"]
    return {name: value for name, value in fields.items() if value not in ("", None) and value is not False}


def _headline(change: Change) -> str:
    from agentgate.changes.tree import MARKS, said

    words = said(change)
    return printable(f"{MARKS[change.sort]} {change.path}" + (f"  ({words})" if words else ""), 4000)


def _tree(store: Store, picture: Picture, changes: list[Change]) -> None:
    from agentgate.changes.tree import MARKS, said, summary, tree

    about = store.about
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(about.started))
    print(f"session {about.session}, {when}, {printable(' '.join(about.command), 60)}")
    print(f"in {printable(about.project, 200)}: {summary(changes) or 'nothing on disk differs'}")
    for row in tree(changes, about.project):
        mark = MARKS[row.change.sort] if row.change else " "
        words = said(row.change, about.project) if row.change else ""
        print(f"{mark} {'  ' * row.depth}{printable(row.name, 400)}  {printable(words, 400)}".rstrip())
    if picture.full:
        print("and more: the session changed more than is kept")
    if not picture.sealed and not store.alive():
        print("the session did not end in order: what was changed since then cannot be told")


def _take_back(store: Store, paths: list[str] | None, args: argparse.Namespace) -> int:
    from agentgate.changes.back import take_back

    if store.alive() and not args.json:
        print("agentgate: the session still runs; its agent may go on to change this", file=sys.stderr)
    outcomes = take_back(store, paths, dry=args.dry_run, force=args.force)
    would = "would be " if args.dry_run else ""
    for outcome in outcomes:
        path = printable(outcome.path, 4000)
        if args.json:
            print(json.dumps({"path": outcome.path, "done": outcome.done, "error": outcome.error}))
        elif outcome.error:
            print(f"✗ {path}: not taken back: {printable(outcome.error, 1000)}")
        else:
            print(f"✓ {path}: {would}{outcome.done}")
    if not outcomes and not args.json:
        print("nothing on disk differs from what it was before")
    return exits.NOT_ALL if any(outcome.error for outcome in outcomes) else exits.OK
