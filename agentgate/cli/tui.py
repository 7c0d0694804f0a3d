"""``agentgate tui``: the control room. Textual is imported here and nowhere else on the command line."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from agentgate.cli import exits
from agentgate.cli.options import UsageError, add_session, session_settings
from agentgate.cli.run import program
from agentgate.settings import GateChoice, SecretsChoice

__all__ = ["add"]

_EXAMPLE = """\
example:
  agentgate tui -- claude --autonomous
  agentgate tui --demo
  agentgate tui --print-config > ~/.config/agentgate/config.toml    keys, theme, notifications
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "tui",
        help="run an agent in the control room",
        description="Run an agent in the control room: its terminal, and beside it every action\n"
        "that waits for you. Exits with the agent's status.",
        usage="agentgate tui [options] -- COMMAND ...",
        epilog=_EXAMPLE,
    )
    parser.add_argument("--demo", action="store_true", help="show it on a built-in agent that does no harm")
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="keys, theme and notifications (default: $XDG_CONFIG_HOME/agentgate/config.toml, "
        "that is in ~/.config)",
    )
    parser.add_argument("--print-config", action="store_true", help="print a configuration with all there is")
    add_session(parser)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    if args.demo and args.command:
        raise UsageError("--demo brings its own agent: leave out the command")
    if args.print_config:
        from agentgate.tui.config import default_text

        print(default_text(), end="")
        return exits.OK
    others = (
        args.config,
        args.policy,
        args.audit,
        args.agent,
        args.no_net,
        args.keep,
        args.no_undo,
        args.timeout,
        not args.always,
    )
    if args.demo and (any(others) or args.secrets != SecretsChoice.ASK):
        raise UsageError("--demo brings its own agent, policy and record: only --gate goes with it")
    chosen = None if args.demo else session_settings(args, args.command)
    if chosen:
        program(chosen)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("tui needs a terminal (agentgate run -- COMMAND works without one)")
    if chosen is None:
        from agentgate.demo import main as demo

        return demo(GateChoice(args.gate))
    from agentgate.tui.running import run

    return run(chosen)
