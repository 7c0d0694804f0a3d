"""What about a pasted text the operator should know before the agent gets it. Pure.

Whatever is said here, control characters reach the child as spaces, and the end-of-paste sequence with them
(`encode`). What remains is that lines of a paste may be run as they come, where the child does not take a
paste for what it is (mode 2004), and that a text with control characters is not what it seemed to be.
"""

from __future__ import annotations

import unicodedata

__all__ = ["concerns"]

_ENDS = "\n\r"


def concerns(text: str, bracketed: bool) -> tuple[str, ...]:
    """Why ``text`` is asked about before it is pasted; empty when it is not. ``bracketed``: the child has
    asked to be told of pastes."""
    found = []
    controls = sum(unicodedata.category(c) == "Cc" and c not in "\t" + _ENDS for c in text)
    if controls:
        what = "a control character" if controls == 1 else f"{controls} control characters"
        found.append(f"it contains {what}, pasted as spaces")
    hidden = sum(unicodedata.category(c) == "Cf" for c in text) - text.count("\u200d")
    if hidden > 0:
        what = "a character" if hidden == 1 else f"{hidden} characters"
        found.append(f"it contains {what} that cannot be seen")
    if not bracketed and any(end in text for end in _ENDS):
        lines = len(text.splitlines())
        what = "its line may be run at once" if lines == 1 else f"its {lines} lines may be run one by one"
        found.append(f"{what}: the program does not tell a paste from typing")
    return tuple(found)
