"""How a decider is made from settings and a policy: one way, for sessions and for ``agentgate check``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from agentgate import terminal
from agentgate.configdir import config_directory
from agentgate.gate.command import Places
from agentgate.gate.decide import Decider, Grants
from agentgate.gate.guards import Guards
from agentgate.gate.remembered import Answers
from agentgate.gate.risk import Scene
from agentgate.gate.secrets import Secrets
from agentgate.policy.match import Context, Matcher
from agentgate.policy.model import Policy
from agentgate.settings import Settings
from agentgate.statedir import state_directory

__all__ = ["context", "decider", "guards", "own_paths", "places", "scene"]

_LINKS = 40  # as many as the kernel follows (path_resolution(7))


def context(settings: Settings) -> Context:
    """What the policy's variables mean in this run."""
    home = settings.env.get("HOME") or os.path.expanduser("~")
    return Context(str(settings.project), os.path.realpath(home), settings.env)


def own_paths(settings: Settings, policy_path: Path | None) -> list[str]:
    """The gate's own files and directories, resolved: guarded by name.

    ``policy_path`` is the policy file in force, None for the built-in default.
    """
    # The directory is the gate's when it carries our name; another one is only where the log was put.
    folder = settings.audit.parent.resolve()
    audit = folder if folder.name == ".agentgate" else folder / settings.audit.name
    own = [str(Path(__file__).resolve().parent.parent), str(audit), str(settings.project / "policy.yaml")]
    own += [str(state_directory(settings.env)), str(config_directory(settings.env))]
    if settings.config:
        own += _names(settings.config)
    own += terminal.names()  # what is written there can bring forth answers, as if they had been typed
    own.append("/dev/pts")  # so it can in other agents' terminals; an agent's own are no question
    if policy_path:
        own += _names(policy_path)
    if sys.prefix != sys.base_prefix:
        own.append(str(Path(sys.prefix).resolve()))
    return own


def _names(path: Path) -> list[str]:
    """``path`` resolved, and every symbolic link that leads there: who can change one of those can put
    another file in its place."""
    names: list[str] = []
    at = "/"
    rest = [*reversed(path.absolute().parts[1:])]
    while rest:
        name = rest.pop()
        here = os.path.join(at, name)
        if name == "..":
            at = os.path.dirname(at)
        elif os.path.islink(here) and len(names) < _LINKS:
            names.append(here)
            target = Path(os.readlink(here))
            at = "/" if target.is_absolute() else at
            rest += [part for part in reversed(target.parts) if part != "/"]
        else:
            at = here
    return [*names, at]


def guards(settings: Settings, policy: Policy, policy_path: Path | None) -> Guards:
    """The guards of this run."""
    where = context(settings)
    own = own_paths(settings, policy_path)
    return Guards(home=where.home, project=where.project, own=own, lifted=policy.lifted)


def decider(
    settings: Settings,
    policy: Policy,
    policy_path: Path | None,
    grants: Grants | None = None,
    answers: Answers | None = None,
) -> Decider:
    """The decider of this run. Raises PolicyError for a policy that cannot be compiled."""
    where = context(settings)
    secrets = Secrets(home=where.home, lifted=policy.lifted)
    return Decider(
        Matcher(policy, where), guards(settings, policy, policy_path), secrets, enforce=settings.enforce,
        grants=grants, answers=answers if answers is not None else Answers(where),
    )  # fmt: skip


def scene(settings: Settings) -> Scene:
    """What risks are told by in this run."""
    temporary = settings.env.get("TMPDIR") or "/tmp"
    passing = {os.path.realpath(place) for place in (temporary, "/tmp", "/var/tmp")}
    return Scene(str(settings.project), tuple(sorted(passing)))


def places(settings: Settings) -> Places:
    """Where a program must live to be meant by its bare name in this run."""
    temporary = settings.env.get("TMPDIR") or "/tmp"
    return Places.of(
        settings.env.get("PATH", os.defpath), (str(settings.project), temporary, "/tmp", "/var/tmp")
    )
