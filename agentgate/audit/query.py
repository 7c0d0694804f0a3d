"""Which records are wanted: a filter as a value, from flags or from one line of words.

    deny host:github.com !npm          denied, about github.com, and without "npm" anywhere
    exec by:bash since:10m             commands that bash, or something above it, started
    write path:src/ !path:*.lock       files below a directory src, but no lock files

Conditions on the same thing are alternatives (``exec write``), on different things all must hold; every
word of text must be there. What stands behind ``!`` must not fit. What fits is said in ``match.py``.
"""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from enum import StrEnum

from agentgate.actions import Decision, Kind, Verdict
from agentgate.audit.when import parse_since, parse_until
from agentgate.escape import printable

__all__ = ["BadFilter", "Field", "Filter", "Want", "want"]


class BadFilter(ValueError):
    """One line that says what is wrong, and how to mend it."""


class Field(StrEnum):
    """What a condition is about. The values are the keys in a line of words."""

    DECISION = "decision"  # what the rules said
    VERDICT = "verdict"  # how it ended
    ACTION = "action"
    HOST = "host"
    PATH = "path"
    PROCESS = "by"
    AGENT = "agent"
    SESSION = "session"
    SINCE = "since"
    UNTIL = "until"
    TEXT = "text"


_KEYS = {field.value: field for field in Field} | {
    "kind": Field.ACTION,
    "process": Field.PROCESS,
    "program": Field.PROCESS,
}
_KINDS = {kind.value: kind.value for kind in Kind} | {
    "write": Kind.FS_WRITE.value,
    "read": Kind.FS_READ.value,
    "net": Kind.NET_EGRESS.value,
}
_WORDS: dict[str, tuple[Field, str]] = {
    "allow": (Field.VERDICT, Verdict.ALLOW.value),
    "deny": (Field.VERDICT, Verdict.DENY.value),
    "ask": (Field.DECISION, Decision.ASK.value),
    **{word: (Field.ACTION, kind) for word, kind in _KINDS.items()},
}
"""What a word alone means; in quotes, or behind ``text:``, it is a text like any other."""

_CHOICES: dict[Field, dict[str, str]] = {
    Field.DECISION: {word.value: word.value for word in Decision},
    Field.VERDICT: {word.value: word.value for word in Verdict},
    Field.ACTION: _KINDS,
}


@dataclass(frozen=True, slots=True)
class Want:
    """One condition; ``value`` is a text, for the two times Unix seconds."""

    field: Field
    value: str | float
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Every condition; none means everything."""

    wants: tuple[Want, ...] = ()

    @classmethod
    def parse(cls, line: str, now: float) -> Filter:
        """The filter of one line of words. Raises BadFilter."""
        return cls(tuple(_want_of(word, now) for word in _split(line)))

    def also(self, *wants: Want) -> Filter:
        return Filter((*self.wants, *wants))


def want(field: Field, text: str, now: float, negated: bool = False) -> Want:
    """The condition that ``text`` stands for. Raises BadFilter."""
    if not text:
        raise BadFilter(f"{field}: needs a value")
    choices = _CHOICES.get(field)
    if choices is not None:
        if text not in choices:
            known = ", ".join(choices)
            raise BadFilter(f"{field}: unknown word {printable(text, 40)!r} ({known})")
        return Want(field, choices[text], negated)
    if field in (Field.SINCE, Field.UNTIL):
        try:
            return Want(field, (parse_since if field is Field.SINCE else parse_until)(text, now), negated)
        except ValueError as error:
            raise BadFilter(f"{field}: {error}") from None
    if field is Field.PATH:
        text = os.path.expanduser(text)
    return Want(field, text, negated)


def _want_of(word: str, now: float) -> Want:
    negated = word.startswith("!") and len(word) > 1
    word = word[1:] if negated else word
    if word.startswith('"'):
        return want(Field.TEXT, word.strip('"'), now, negated)
    if word in _WORDS:
        field, value = _WORDS[word]
        return Want(field, value, negated)
    key, colon, value = word.partition(":")
    if colon and key in _KEYS:
        return want(_KEYS[key], value.strip('"'), now, negated)
    if colon and key.isalpha() and not value.startswith("/"):
        from difflib import get_close_matches  # slow to import, and seldom needed

        near = get_close_matches(key, _KEYS, 1, 0.75)
        if near:
            raise BadFilter(f"no key {key!r}: {near[0]}:? (quotes around it make it a text)")
    return want(Field.TEXT, word, now, negated)


def _split(line: str) -> list[str]:
    """Words at spaces, but for those between double quotes; a quote that is not closed ends with the line."""
    words: list[str] = []
    word, quoted = "", False
    for char in line:
        if char == '"':
            quoted = not quoted
        if char.isspace() and not quoted:
            words.append(word)
            word = ""
        else:
            word += char
    return [word for word in (*words, word) if word not in ("", "!", '"', '""')]
