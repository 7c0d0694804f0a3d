"""What a drill came to: lines for a person, an object for a program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentgate.drill.play import Outcome, Played
from agentgate.escape import printable

__all__ = ["as_json", "lines", "total"]

_BLUE, _ORANGE, _DIM, _BOLD, _RESET = "\x1b[34m", "\x1b[33m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
_COLUMN = 58


def lines(played: Played, colour: bool) -> list[str]:
    """One campaign: its name, how many questions it took, and each step."""

    def paint(text: str, code: str) -> str:
        return f"{code}{text}{_RESET}" if colour else text

    count = len(played.asked)
    questions = f"{count} question{'s' * (count != 1)}"
    out = [f"{paint(played.campaign.title, _BOLD)}  {paint(f'({questions})', _DIM)}"]
    for outcome in played.outcomes:
        mark = paint("✗ DONE   ", _ORANGE) if outcome.done else paint("✓ stopped", _BLUE)
        out.append(f"  {mark} {outcome.step.what:<{_COLUMN}} {paint(_why(outcome), _DIM)}".rstrip())
    return out


def _why(outcome: Outcome) -> str:
    if outcome.done:
        return "no rule and no guard held it"
    if not outcome.real:
        return "cannot be shown here: without the gate it comes to nothing either"
    return printable(outcome.by, 200) if outcome.by else "came to nothing, and was not held"


def total(drill: Sequence[Played]) -> str:
    """The last line."""
    steps = [outcome for played in drill for outcome in played.outcomes]
    done = sum(outcome.done for outcome in steps)
    most = max((len(played.asked) for played in drill), default=0)
    if done:
        return f"{done} of {len(steps)} steps were done: this policy does not stop them"
    return f"all {len(steps)} steps stopped, with at most {most} question{'s' * (most != 1)} a campaign"


def as_json(drill: Sequence[Played], policy: str) -> dict[str, Any]:
    return {
        "policy": policy,
        "stopped": all(played.stopped for played in drill),
        "campaigns": [
            {
                "name": played.campaign.name,
                "title": played.campaign.title,
                "stopped": played.stopped,
                "asked": list(played.asked),
                "steps": [
                    {
                        "what": outcome.step.what,
                        "stopped": not outcome.done,
                        "by": outcome.by,
                        "real": outcome.real,
                    }
                    for outcome in played.outcomes
                ],
            }
            for played in drill
        ],
    }
