"""The filter of the queue: words that an action must have, or with ``!`` must not have. Pure.

npm            the text stands in target, kind, program, command or reason
kind:net       the kind begins with it (exec, fs_write, fs_read, net_egress; also write, read, net)
program:curl   the name of a program of the process chain begins with it
!npm           the opposite; several words must all hold
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from agentgate.gate.events import Ask

__all__ = ["Filter"]

_FIELDS = ("kind:", "program:", "prog:")
_LONGEST = 4096
"""Characters of a target that are searched."""


@dataclass(frozen=True, slots=True)
class Filter:
    """``text`` as it was typed; "" lets everything through."""

    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.text.split())

    def test(self) -> Callable[[Ask], bool]:
        """The question whether an ask passes, made ready once."""
        tests = [_term(word) for word in self.text.lower().split() if word.strip("!")]
        return lambda ask: all(holds(ask) is wanted for holds, wanted in tests)


def _term(word: str) -> tuple[Callable[[Ask], bool], bool]:
    wanted = not word.startswith("!")
    word = word.removeprefix("!")
    for name in _FIELDS:
        if word.startswith(name):
            value = word.removeprefix(name)
            return (_kind(value) if name == "kind:" else _program(value)), wanted
    return (lambda ask: word in _text(ask)), wanted


def _kind(value: str) -> Callable[[Ask], bool]:
    return lambda ask: any(
        name.startswith(value) for name in (ask.action.kind.value, ask.action.kind.value.removeprefix("fs_"))
    )


def _program(value: str) -> Callable[[Ask], bool]:
    def holds(ask: Ask) -> bool:
        names = (process.argv[0] if process.argv else process.exe for process in ask.action.chain)
        return any(posixpath.basename(name).lower().startswith(value) for name in names)

    return holds


def _text(ask: Ask) -> str:
    action = ask.action
    actor = action.chain[0].command if action.chain else ""
    parts = (action.target[:_LONGEST], action.origin[:_LONGEST], action.kind.value, actor[:_LONGEST])
    return "\n".join((*parts, action.intent, ask.ruling.why, ask.agent)).lower()
