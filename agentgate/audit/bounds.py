"""How much of one action goes into the log: all of it, but for what is longer than anybody reads.

A command line can have two million characters, and a record holds it several times over; an agent that wants
to fill the disk, or to keep the room busy, would make such ones. Of what is longer the beginning and the end
are kept, and between them how much was left out and its hash, so that it can be told whether it was the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from itertools import islice

__all__ = ["LONGEST", "WORDS", "shortened", "shortened_words"]

LONGEST = 128 << 10
"""Characters of one text, and of all the words of one command together."""

WORDS = 4096
"""Words of one command."""

_TAIL = LONGEST // 4


def shortened(text: str) -> str:
    """``text``, or its beginning and end with a note between them."""
    if len(text) <= LONGEST:
        return text
    head, tail = text[: LONGEST - _TAIL], text[-_TAIL:]
    left_out = text[LONGEST - _TAIL : -_TAIL].encode("utf-8", "surrogatepass")
    return (
        f"{head} [{len(text) - LONGEST} characters left out, SHA-256 {sha256(left_out).hexdigest()}] {tail}"
    )


def shortened_words(words: Iterable[str]) -> list[str]:
    """``words``, or as many of the first ones as there is room for and a note. (The target holds the command
    line as one text, its end too.)"""
    words = list(words)
    if len(words) <= WORDS and sum(map(len, words)) <= LONGEST:
        return words
    kept: list[str] = []
    room = LONGEST
    for word in islice(words, WORDS):
        if len(word) > room:
            break
        kept.append(word)
        room -= len(word)
    rest = "\0".join(words[len(kept) :]).encode("utf-8", "surrogatepass")
    return [*kept, f"[{len(words) - len(kept)} words left out, SHA-256 {sha256(rest).hexdigest()}]"]
