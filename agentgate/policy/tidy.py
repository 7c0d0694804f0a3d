"""A policy's text as ``agentgate policy fmt`` leaves it: the same rules, comments and order, without what
only differs by accident - line ends, blanks at the end of a line, empty lines on end. Pure."""

from __future__ import annotations

import re

from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_text

__all__ = ["tidy"]


def tidy(text: str, label: str = "policy") -> str:
    """Raises PolicyError for a text that does not load, or that would say something else afterwards (a text
    over several lines can hold blanks that mean something)."""
    before = load_text(text, label)
    lines = [line.rstrip(" \t") for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff"))]
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    new = "\n".join(kept).strip("\n")
    new = f"{new}\n" if new else ""
    after = load_text(new, label)
    if (after.default, after.lifted) != (before.default, before.lifted) or [
        rule.to_wire() | {"line": 0} for rule in after.rules
    ] != [rule.to_wire() | {"line": 0} for rule in before.rules]:
        raise PolicyError("cannot be tidied without changing what it says; do it by hand", label)
    return new
