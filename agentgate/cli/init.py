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
"""


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "init",
        help="write policy.yaml",
        description="Write the default rules to ./policy.yaml.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("--force", action="store_true", help="replace a policy.yaml that is there")
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from agentgate.policy.store import default_text

    path = here() / _NAME
    text = default_text()
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
