"""What is what on a line of YAML, by a few patterns: for the eye only, nothing is decided by it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentgate.tui.ink import Ink

__all__ = ["spans"]

_TOKEN = re.compile(
    r"""(?P<comment>(?:^|(?<=\s))\#.*)
    |(?P<quoted>"(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)
    |(?P<key>[A-Za-z_][\w-]*(?=\s*:(?:\s|$)))
    |(?P<word>[A-Za-z_][\w-]*)
    |(?P<mark>[-{}\[\],:|>]+)""",
    re.VERBOSE,
)
_INKS = {"comment": Ink.DIM, "quoted": Ink.CLAIM, "key": Ink.STRONG, "mark": Ink.DIM}
_WORDS = {"allow": Ink.ALLOW, "deny": Ink.DENY, "ask": Ink.WAIT, "true": Ink.WAIT, "false": Ink.WAIT}


def spans(line: str) -> Iterator[tuple[int, int, Ink]]:
    """Begin, end and ink of what stands out; text of several lines is not known for what it is."""
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup or ""
        ink = _INKS.get(kind) or _WORDS.get(match.group())
        if ink is not None:
            yield match.start(), match.end(), ink
