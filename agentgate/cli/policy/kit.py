"""What the policy commands share: which file, the context that its globs mean, the guards."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentgate.cli.options import UsageError, add_policy, here
from agentgate.settings import Settings, default_audit

if TYPE_CHECKING:  # a command that reads no policy does not pay for it
    from agentgate.policy.match import Context
    from agentgate.policy.model import Policy
    from agentgate.policy.store import PolicyFile

__all__ = ["Rules", "guarded", "number", "subcommand"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy that a command is about. ``settings`` as of a session in this directory."""

    file: PolicyFile
    settings: Settings

    @classmethod
    def of(cls, args: argparse.Namespace) -> Rules:
        """Raises PolicyError for a file that is named and not there."""
        from agentgate.policy.store import find_policy

        project = here()
        settings = Settings((), "", project, default_audit(getattr(args, "audit", None), os.environ, project),
                            policy=args.policy)  # fmt: skip
        return cls(find_policy(settings.policy, settings.env, project), settings)

    @property
    def context(self) -> Context:
        from agentgate.gate import build

        return build.context(self.settings)

    def check(self, policy: Policy) -> None:
        """Raises PolicyError for a policy that loads but cannot be used here."""
        from agentgate.gate import build

        build.decider(self.settings, policy, self.file.path)


def guarded(rules: Rules) -> Callable[[str], str]:
    """The name of the guard before a path; empty for none, or when the policy lifts it."""
    from agentgate.gate import build

    guards = build.guards(rules.settings, rules.file.load(), rules.file.path)

    def name(path: str) -> str:
        guard = guards.find(path, "openat")
        return guard.name.value if guard else ""

    return name


def subcommand(
    verbs: Any, name: str, help: str, epilog: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """One verb, with --policy, an example and its exit statuses."""
    description = help[0].upper() + help[1:] + "."
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=help, description=description, epilog=epilog
    )
    add_policy(parser, verb=True)
    parser.set_defaults(run=run)
    return parser


def number(text: str) -> int:
    """The number of a rule, from 1. (argparse calls the error by this function's name.)"""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def logs(names: list[str], rules: Rules) -> list[Path]:
    """The audit logs that are named, else this project's. Raises UsageError for one that is not there."""
    paths = [Path(name) for name in names] or [rules.settings.audit]
    for path in paths:
        if not path.is_file():
            raise UsageError(f"no audit log {path} (name another, or run a session first)")
    return paths
