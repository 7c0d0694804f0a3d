"""The command line as a whole: parse, run one command, turn what went wrong into one line and a status."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from agentgate import __version__
from agentgate.cli import audit, check, completion, doctor, drill, exits, init, policy, run, tui, undo
from agentgate.cli.options import Parser, UsageError
from agentgate.escape import printable

__all__ = ["main"]

_COMMANDS = (tui, run, init, check, policy, audit, undo, doctor, drill, completion)
_WITH_COMMAND = ("run", "tui")  # what stands behind "--" is the agent's command, not ours to read

_EXAMPLE = """\
example:
  agentgate tui -- claude        run an agent in the control room
  agentgate run -- npm test      the same without the room: questions appear in your terminal
"""


def parser() -> Parser:
    top = Parser(
        prog="agentgate",
        description="Runs a coding agent so that everything that would touch your machine\n"
        "waits for your rules, or for you.",
        epilog=_EXAMPLE,
    )
    top.add_argument("--version", action="version", version=f"agentgate {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="name", parser_class=Parser)
    for command in _COMMANDS:
        command.add(commands)
    return top


def _parse(words: list[str]) -> argparse.Namespace:
    command: tuple[str, ...] = ()
    if words and words[0] in _WITH_COMMAND and "--" in words:
        cut = words.index("--")
        words, command = words[:cut], tuple(words[cut + 1 :])
    top = parser()
    args, rest = top.parse_known_args(words)
    if args.name is None:
        names = ", ".join(command.__name__.rpartition(".")[2] for command in _COMMANDS)
        raise UsageError(f"no command ({names}; see agentgate --help)")
    if rest:
        if args.name in _WITH_COMMAND and not rest[0].startswith("-"):
            raise UsageError(f"put -- before the agent's command: agentgate {args.name} -- {' '.join(rest)}")
        raise UsageError(f"{args.name}: unknown argument {rest[0]!r} (see agentgate {args.name} --help)")
    args.command = command
    return args


def _say(text: str) -> None:
    try:
        print(f"agentgate: {printable(text, 1000)}", file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody reads what we say; the status still tells


def main(words: Sequence[str] | None = None) -> int:
    """Run ``words`` (default: sys.argv) and return the exit status. Never a traceback for a mistake in
    the command line, a policy or a file."""
    for stream in (sys.stdout, sys.stderr):
        # A path may hold anything; showing it must not fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        args = _parse(list(sys.argv[1:] if words is None else words))
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except UsageError as error:
        _say(str(error))
        return error.status
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Keep the interpreter from saying so at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.SIGNALLED + 13
    except KeyboardInterrupt:
        return exits.SIGNALLED + 2
    except Exception as error:
        known = exits.of(error)
        if known is None:
            raise
        _say(known[1])
        return known[0]
