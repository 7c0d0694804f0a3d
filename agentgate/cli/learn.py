"""``agentgate run --learn``: a session whose answers become a policy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agentgate.escape import printable

if TYPE_CHECKING:
    from agentgate.audit.propose import Proposal
    from agentgate.audit.record import Record
    from agentgate.settings import Settings

__all__ = ["POLICY", "write"]

POLICY = Path(__file__).parents[1] / "policy" / "learn.yaml"
"""The rules while learning."""

_NAME = "policy.learned"


def write(settings: Settings, session: str) -> str:
    """Write the policy that the answers of ``session`` make, into a new file of the project; returns what to
    say of it. Raises OSError, or PolicyError when it cannot be made."""
    from agentgate.audit.propose import propose
    from agentgate.gate import build
    from agentgate.policy.edit import insert_rule
    from agentgate.policy.load import load_file
    from agentgate.policy.schema import modeline

    rules = build.decider(settings, load_file(POLICY), POLICY)
    proposals = propose(_records(settings.audit, session), rules, build.context(settings))
    if not proposals:
        return "learned nothing: what was asked about was guarded, or was answered now so, now so"
    text = POLICY.read_text(encoding="utf-8").partition("\n")[2].partition("\ntests:\n")[0]
    for proposal in reversed(proposals):
        text = insert_rule(text, proposal.draft, 1)
    text += "\ntests:\n" + "".join(map(_test, proposals))
    when = time.strftime("%Y-%m-%d")
    head = f"# Learned from the answers of session {session}, {when}. Read it before you use it.\n"
    path = _create(settings.project, f"{modeline()}\n{head}{text}")
    count = f"{len(proposals)} rule{'s' * (len(proposals) != 1)}"
    return f"learned {count}, see {printable(path.name)} (agentgate policy lint --policy {path.name})"


def _test(proposal: Proposal) -> str:
    from agentgate.policy.suggest import quote

    draft = proposal.draft
    return f"  - {{action: {draft.action}, target: {quote(proposal.example)}, expect: {draft.decision}}}\n"


def _records(log: Path, session: str) -> Iterator[Record]:
    from agentgate.audit.read import Log

    for entry in Log(log):
        if entry.session == session:
            yield entry.record


def _create(folder: Path, text: str) -> Path:
    """A new file, under the next free name."""
    number = 0
    while True:
        path = folder / f"{_NAME}{f'-{number}' if number else ''}.yaml"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            number += 1
            continue
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        return path
