"""Where the operator is: which mode, which panel, and what lies over the room."""

from __future__ import annotations

from enum import IntEnum, StrEnum

__all__ = ["EDITORS", "LOGS", "Cover", "Mode", "Panel"]


class Mode(StrEnum):
    """Who gets the keys."""

    AGENT = "agent"
    CONTROL = "control"


class Panel(IntEnum):
    """The panels, by the number that jumps to them."""

    QUEUE = 1
    DETAIL = 2
    AUDIT = 3
    POLICY = 4
    FILES = 5

    @property
    def title(self) -> str:
        return {1: "queue", 2: "action", 3: "audit", 4: "policy", 5: "files"}[self.value]


LOGS = tuple(panel for panel in Panel if panel > Panel.DETAIL)
"""The panels that tell what was and what is in force. Where there is room for one they share its place."""


class Cover(StrEnum):
    """What lies over the room and takes all keys."""

    NONE = ""
    HELP = "help"
    ACTION = "action"
    RULE = "rule"
    RECORD = "record"
    SHEET = "sheet"
    QUIT = "quit"
    END = "end"
    HEALTH = "health"
    RULE_FORM = "rule form"
    POLICY_TEXT = "policy text"
    PROGRAM = "program"
    PASTE = "paste"
    LINK = "link"
    PALETTE = "palette"
    DIFF = "diff"
    BACK = "back"
    ANSWERS = "answers"


EDITORS = (Cover.RULE_FORM, Cover.POLICY_TEXT, Cover.PROGRAM)
"""The covers that take text: all keys but a few go on to them."""
