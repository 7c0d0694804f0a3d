"""The parser all commands share, and the options of more than one."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from pathlib import Path
from typing import NoReturn

from agentgate.cli import exits
from agentgate.escape import printable
from agentgate.settings import GateChoice, SecretsChoice, Settings, agent_name, default_audit

__all__ = [
    "Parser",
    "UsageError",
    "add_audit",
    "add_policy",
    "add_session",
    "colours",
    "here",
    "log_parts",
    "no_log",
    "session_settings",
    "settings",
]


class UsageError(Exception):
    """The command line is wrong; ``str()`` is the one line to say, ``status`` the exit status."""

    def __init__(self, message: str, status: int = exits.USAGE) -> None:
        super().__init__(message)
        self.status = status


class Parser(argparse.ArgumentParser):
    """One line for a mistake, not the whole usage; no guessing of shortened options."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        print(f"agentgate: {printable(message, 400)} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(exits.USAGE)


def add_policy(parser: argparse.ArgumentParser, *, verb: bool = False) -> None:
    """``verb``: of a command's command, where it must not undo what was said before that."""
    parser.add_argument(
        "--policy",
        metavar="FILE",
        default=argparse.SUPPRESS if verb else None,
        help="the rules (default: $AGENTGATE_POLICY, else ./policy.yaml, else the built-in ones)",
    )


def add_audit(parser: argparse.ArgumentParser, *, verb: bool = False) -> None:
    """``verb`` as of `add_policy`."""
    parser.add_argument(
        "--audit",
        metavar="FILE",
        default=argparse.SUPPRESS if verb else None,
        help="the record (default: $AGENTGATE_AUDIT, else .agentgate/audit.jsonl)",
    )


def add_session(parser: argparse.ArgumentParser) -> None:
    """The options of a command that runs an agent."""
    add_policy(parser)
    add_audit(parser)
    parser.add_argument("--agent", metavar="NAME", help="the agent's name (default: its command's)")
    parser.add_argument(
        "--gate",
        choices=[choice.value for choice in GateChoice],
        default=GateChoice.AUTO.value,
        help="kernel: nothing escapes it (Linux); shim: only what goes through PATH and the proxy; "
        "auto: kernel, or none at all (default)",
    )
    parser.add_argument(
        "--secrets",
        choices=[choice.value for choice in SecretsChoice],
        default=SecretsChoice.ASK.value,
        help="ask: a read of your keys, tokens or .env files is asked about; every open then costs some "
        "microseconds (default); open: no read is held, and none costs anything",
    )
    parser.add_argument("--no-net", action="store_true", help="deny every connection")
    parser.add_argument(
        "--keep",
        action="store_true",
        help="when the agent has ended, go on until everything it started has (default: end it)",
    )
    parser.add_argument(
        "--no-undo",
        action="store_true",
        help="keep nothing of what is changed (default: keep it, for agentgate undo)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        help="deny what waits for an answer for so long (default: wait); in the control room the time stops "
        "while you look at it",
    )
    parser.add_argument(
        "--always",
        action=argparse.BooleanOptionalAction,
        default=True,
        help='offer "allow always", which writes a rule (default: yes)',
    )


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if 0 < seconds < math.inf:
            return seconds
    raise argparse.ArgumentTypeError(f"not a number of seconds above 0: {printable(text, 40)!r}")


def no_log(path: Path) -> UsageError:
    """What is said where there is no record."""
    return UsageError(f"no audit log yet: {printable(str(path))} (--audit names another)")


def log_parts(args: argparse.Namespace) -> list[Path]:
    """The files of the record, oldest first. Raises UsageError when there is none."""
    from agentgate.audit.place import parts

    path = default_audit(args.audit, os.environ, here())
    files = [part for part in parts(path) if part.is_file()]
    if not files:
        raise no_log(path)
    return files


def colours() -> bool:
    """Whether standard output shows colours, and they are wanted (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def here() -> Path:
    """The project: the directory we are in, resolved. Raises UsageError when it is gone."""
    try:
        return Path(os.getcwd()).resolve()
    except FileNotFoundError:
        raise UsageError("the current directory does not exist any more (cd to another)") from None


def settings(args: argparse.Namespace) -> Settings:
    """The settings of a command that only looks at the rules."""
    project = here()
    return Settings((), "", project, default_audit(args.audit, os.environ, project), policy=args.policy)


def session_settings(args: argparse.Namespace, command: tuple[str, ...]) -> Settings:
    """The settings of a run of ``command``. Raises UsageError without one."""
    if not command:
        raise UsageError(f"no command (agentgate {args.name} -- COMMAND ...)")
    project = here()
    return Settings(
        command=command,
        agent=args.agent or agent_name(command),
        project=project,
        audit=default_audit(args.audit, os.environ, project),
        policy=args.policy,
        gate=GateChoice(args.gate),
        secrets=SecretsChoice(args.secrets),
        enforce=getattr(args, "enforce", False),
        network=not args.no_net,
        always=args.always,
        keep=args.keep,
        config=Path(args.config).expanduser().absolute() if getattr(args, "config", None) else None,
        undo=not args.no_undo,
        timeout=args.timeout,
    )
