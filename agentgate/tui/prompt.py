"""A line of text that the operator types into our own frame: a filter, a note, a glob, a file's name. Pure.

A `Prompt` stands in the state while it is open and takes every key (`Context.PROMPT`); what its end means is
found by its purpose in ``purposes.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["LONGEST", "Prompt", "insert", "type_key"]

LONGEST = 2000
"""Characters that a line may have; a paste is cut there."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """``purpose`` names what is done with the text. ``label`` stands before it, ``error`` behind it until it
    is changed. ``cursor``: before which character (None: behind the last). ``about`` is the question that it
    was opened for, so that an answer never goes to another one. ``hint`` says what is to be typed while
    nothing is."""

    purpose: str
    label: str
    text: str = ""
    cursor: int | None = None
    about: int | None = None
    error: str = ""
    hint: str = ""

    @property
    def at(self) -> int:
        return len(self.text) if self.cursor is None else min(max(self.cursor, 0), len(self.text))


def insert(prompt: Prompt, text: str) -> Prompt:
    """``text`` at the cursor. What is not printable is left out, a line's end becomes a space: one line."""
    clean = "".join(char for char in " ".join(text.splitlines()) if char.isprintable())
    clean = clean[: LONGEST - len(prompt.text)]
    at = prompt.at
    return _with(prompt, prompt.text[:at] + clean + prompt.text[at:], at + len(clean))


def type_key(prompt: Prompt, key: str, character: str | None = None) -> Prompt | None:
    """What ``key`` makes of the line; None when it is no key of a line."""
    text, at = prompt.text, prompt.at
    match key:
        case "left":
            return replace(prompt, cursor=max(at - 1, 0))
        case "right":
            return replace(prompt, cursor=min(at + 1, len(text)))
        case "home" | "ctrl+a":
            return replace(prompt, cursor=0)
        case "end" | "ctrl+e":
            return replace(prompt, cursor=None)
        case "ctrl+left" | "alt+b":
            return replace(prompt, cursor=_word_back(text, at))
        case "ctrl+right" | "alt+f":
            return replace(prompt, cursor=_word_on(text, at))
        case "backspace" | "ctrl+h":
            return _with(prompt, text[: max(at - 1, 0)] + text[at:], max(at - 1, 0))
        case "delete" | "ctrl+d":
            return _with(prompt, text[:at] + text[at + 1 :], at)
        case "ctrl+w" | "ctrl+backspace" | "alt+backspace":
            back = _word_back(text, at)
            return _with(prompt, text[:back] + text[at:], back)
        case "ctrl+u":
            return _with(prompt, text[at:], 0)
        case "ctrl+k":
            return _with(prompt, text[:at], at)
    typed = character if character is not None else key if len(key) == 1 else ""
    return insert(prompt, typed) if len(typed) == 1 and typed.isprintable() else None


def _with(prompt: Prompt, text: str, cursor: int) -> Prompt:
    changed = prompt.error if text == prompt.text else ""
    return replace(prompt, text=text, cursor=cursor if cursor < len(text) else None, error=changed)


def _word_back(text: str, at: int) -> int:
    head = text[:at].rstrip()
    return head.rfind(" ") + 1


def _word_on(text: str, at: int) -> int:
    rest = text[at:].lstrip()
    start = len(text) - len(rest)
    end = text.find(" ", start)
    return len(text) if end < 0 else end
