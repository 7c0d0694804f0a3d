"""What one run is told on the command line and by the environment, checked and made absolute."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

__all__ = ["GateChoice", "SecretsChoice", "Settings", "agent_name", "default_audit"]


class GateChoice(StrEnum):
    AUTO = "auto"
    KERNEL = "kernel"
    SHIM = "shim"


class SecretsChoice(StrEnum):
    """Whether reads are held, so that those of secrets can be decided."""

    ASK = "ask"
    OPEN = "open"


def agent_name(command: tuple[str, ...]) -> str:
    """The agent's name when none is given: its command's name (``/opt/x/claude`` is ``claude``)."""
    return os.path.basename(command[0]) if command else "agent"


def default_audit(flag: str | None, env: Mapping[str, str], project: Path) -> Path:
    """--audit, else $AGENTGATE_AUDIT, else .agentgate/audit.jsonl in the project."""
    chosen = flag or env.get("AGENTGATE_AUDIT") or ".agentgate/audit.jsonl"
    return (project / Path(chosen).expanduser()).absolute()


@dataclass(frozen=True)
class Settings:
    """One run. ``project`` is the directory the agent works in (resolved). ``policy`` is the --policy
    flag as given (None: found by ``policy.store.find_policy``). ``network`` False (--no-net) denies every
    connection; ``always`` False hides "allow always"; ``enforce`` turns asks into denies; ``keep`` has the
    session go on, when the agent has ended, for what it started. ``undo`` False keeps nothing of what was
    there before a change. ``timeout``: seconds after which a question that nobody answered is denied.
    ``secrets`` OPEN lets every read go by unseen, which costs nothing. ``config`` is
    the --config flag of the room, where that was given."""

    command: tuple[str, ...]
    agent: str
    project: Path
    audit: Path
    policy: str | None = None
    gate: GateChoice = GateChoice.AUTO
    secrets: SecretsChoice = SecretsChoice.ASK
    enforce: bool = False
    network: bool = True
    always: bool = True
    keep: bool = False
    config: Path | None = None
    undo: bool = True
    timeout: float | None = None
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
