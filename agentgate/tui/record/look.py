"""How the record is looked at in the audit view."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Look"]


@dataclass(frozen=True, slots=True)
class Look:
    """``filter`` is a line of words (`audit.query`) that means something, ``before`` the one from before it
    was edited. ``whole``: the log file, not only this session. ``grouped``: by what the agent called."""

    filter: str = ""
    before: str = ""
    whole: bool = False
    grouped: bool = False
