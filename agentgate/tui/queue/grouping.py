"""What a person would call one thing: which questions share a card, and which cards one command. Pure.

Questions share a card, and so an answer, when nothing but the process differs: the same agent, kind, call,
objects, program and reason to ask. Of a command that also holds the whole argument list and the directory it
runs in. Cards stand together when they belong to one child of the agent: one tool call, one install.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from agentgate.actions import Action, Kind, Process
from agentgate.gate.events import Ask
from agentgate.intent.shell import unwrap_shell

__all__ = ["Claim", "card_key", "claim", "command_of", "tree_key"]

_CUT = 16_384
"""From this length on a command line may be shown cut (the journal's `shown`): two that look the same need
not be the same."""
_WORDS = 256


def card_key(ask: Ask) -> Hashable:
    """Equal for questions that share a card."""
    action, ruling = ask.action, ask.ruling
    if len(action.target) >= _CUT or not action.chain:
        return ask.number
    actor = action.chain[0]
    about = (ask.agent, action.kind, action.objects, ruling)
    if action.kind is Kind.EXEC:
        return (*about, action.argv, action.cwd)
    return (*about, actor.exe, actor.argv[:1], action.syscall if action.kind is not Kind.NET_EGRESS else "")


def tree_key(ask: Ask) -> Hashable:
    """Equal for questions that come from one child of the agent, with all that it started."""
    command = _child(ask.action)
    return (ask.agent, command.pid, command.start) if command else ("", card_key(ask))


def _child(action: Action) -> Process | None:
    """The agent's own child in the process chain; the agent where it acts itself."""
    return action.chain[-2] if len(action.chain) > 1 else action.chain[0] if action.chain else None


def command_of(action: Action) -> tuple[str, ...]:
    """The argument list that the agent gave to its child. Before that child runs anything, the agent's own
    stands there still; then it is what is asked about."""
    child = _child(action)
    if child is None:
        return _begin(action.argv)
    fresh = len(action.chain) == 2 and child.argv == action.chain[-1].argv
    return _begin(action.argv if fresh and action.kind is Kind.EXEC else child.argv or (child.exe,))


def _begin(argv: tuple[str, ...]) -> tuple[str, ...]:
    """As much of an argument list as anybody reads."""
    return tuple(word[:_CUT] for word in argv[:_WORDS])


@dataclass(frozen=True, slots=True)
class Claim:
    """``words`` is what the agent asked for in its own words, not yet escaped. ``itself``: no command of
    its own stands behind it, the agent acts itself."""

    words: str
    itself: bool = False


def claim(action: Action) -> Claim:
    """What stands above the actions of one command."""
    if len(action.chain) == 1 and action.kind is not Kind.EXEC:
        return Claim(action.chain[0].command, itself=True)
    command = command_of(action)
    return Claim(unwrap_shell(command) or " ".join(command) or action.target[:_CUT])
