"""``agentgate init``: write a policy file to begin with."""

from __future__ import annotations

import argparse
import os
from typing import Any

from agentgate.cli import exits
from agentgate.cli.options import UsageError, here

__all__ = ["add"]

_NAME = "policy.yaml"
_EXAMPLE = """\
example:
  agentgate init && $EDITOR policy.yaml
  agentgate init --profile node
  agentgate init --list
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "init",
        help="write policy.yaml",
        description="Write the default rules, or those of a profile, to ./policy.yaml.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("--profile", metavar="NAME", default="default", help="rules for a sort of project")
    parser.add_argument("--list", action="store_true", help="name the profiles, write nothing")
    parser.add_argument("--force", action="store_true", help="replace a policy.yaml that is there")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from agentgate.policy import samples

    if args.list:
        for name in samples.names():
            print(f"{name:<16} {samples.about(name)}")
        return exits.OK
    if args.profile not in samples.names():
        raise UsageError(f"no profile {args.profile!r} (there are: {', '.join(samples.names())})")
    path = here() / _NAME
    text = samples.text(args.profile)
    if args.force:
        # Beside and then onto it: a reader sees the old rules or the new ones, never half a file. A link
        # is replaced, not followed.
        beside = path.with_name(f".{_NAME}.{os.getpid()}")
        _create(beside, text)
        os.replace(beside, path)
    else:
        try:
            _create(path, text)
        except FileExistsError:
            raise UsageError(f"{_NAME} exists (--force replaces it)") from None
    print(f"wrote {_NAME}")
    return exits.OK


def _create(path: os.PathLike[str], text: str) -> None:
    with open(path, "x", encoding="utf-8") as file:
        file.write(text)
