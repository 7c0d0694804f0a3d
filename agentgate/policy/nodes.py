"""YAML text to nodes that know their place, with everything refused that a policy has no use for.

Nodes, not values: every later complaint can name a line and a column. Aliases and anchors are refused
(a few lines of them can stand for gigabytes), and so are deep nesting and large files.

libyaml reads thirty times faster than PyYAML's own parser and places everything alike, so it goes first
where it is there; PyYAML's own says what is wrong with a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from agentgate.policy.errors import PolicyError

__all__ = ["MAX_BYTES", "complain", "compose", "tokens"]

MAX_BYTES = 1 << 20
_MAX_DEPTH = 12  # the language itself needs 5

_ODD = re.compile(r"[\t\ufeff\x85\u2028\u2029]|[|>][-+0-9]*#")

_QUOTE = "put quotes around text that starts with '{}'"
_NEEDS_QUOTES = "*&!%@`|>"


class _Refused(Exception):
    def __init__(self, mark: Any, message: str) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message


class _Loader(yaml.SafeLoader):
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            raise _Refused(event.start_mark, f"'*{anchor}' is an alias in YAML: {_QUOTE.format('*')}")
        if anchor is not None:
            raise _Refused(event.start_mark, f"'&{anchor}' is an anchor in YAML: {_QUOTE.format('&')}")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _Refused(event.start_mark, f"nested deeper than {_MAX_DEPTH} levels")
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def complain(node: yaml.Node, message: str, label: str) -> NoReturn:
    """Raise a PolicyError at ``node``."""
    raise PolicyError(message, label, node.start_mark.line + 1, node.start_mark.column + 1)


def compose(text: str, label: str) -> yaml.Node | None:
    """The root node of the one document in ``text``, None when there is none. Raises PolicyError."""
    if len(text) > MAX_BYTES:
        raise PolicyError(f"larger than {MAX_BYTES >> 10} KiB", label)
    if _libyaml_reads(text):
        try:
            return yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError:
            pass
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_node()
        finally:
            loader.dispose()
    except _Refused as error:
        raise PolicyError(error.message, label, error.mark.line + 1, error.mark.column + 1) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise PolicyError(f"character U+{ord(text[error.position]):04X} is not allowed (in double quotes, "
                          "write it as \\u and four digits)", label, line, column) from None  # fmt: skip
    except yaml.MarkedYAMLError as error:
        problem, mark = _problem(error, text)
        place = (mark.line + 1, mark.column + 1) if mark else ()
        raise PolicyError(f"not YAML: {problem}", label, *place) from None
    except yaml.YAMLError as error:
        raise PolicyError(f"not YAML: {' '.join(str(error).split())}", label) from None


def tokens(text: str) -> list[yaml.Token]:
    """The tokens of a text that could be composed."""
    return list(yaml.scan(text, Loader=yaml.CSafeLoader if _libyaml_reads(text) else yaml.SafeLoader))


def _quick(text: str) -> bool:
    """Whether libyaml may read this text: it takes tabs, unusual line ends, a byte order mark, a comment
    right behind ``|`` and a last line without an end otherwise."""
    return bool(yaml.__with_libyaml__) and text.endswith("\n") and not _ODD.search(text)


def _libyaml_reads(text: str) -> bool:
    """Whether libyaml understands all of it, and as PyYAML would."""
    try:
        return _quick(text) and _plain(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return False


def _plain(events: Iterator[yaml.Event]) -> bool:
    """Whether there is nothing in it that is refused, as far as can be told before nodes are made."""
    depth = 0
    for event in events:
        if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
            return False
        if isinstance(event, yaml.ScalarEvent) and not depth:  # no policy, or an empty one
            return False
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth >= _MAX_DEPTH:
            return False
    return True


def _problem(error: yaml.MarkedYAMLError, text: str) -> tuple[str, Any]:
    """What is wrong, with advice on the two usual mistakes, and the mark of its place."""
    problem = " ".join((error.problem or error.context or "cannot be read").split())
    marks = [mark for mark in (error.problem_mark, error.context_mark) if mark]
    for mark in marks:
        char = text[mark.index : mark.index + 1]
        if char == "\t":
            return f"{problem} (use spaces, not tabs)", mark
        if char and char in _NEEDS_QUOTES:
            return f"{problem} ({_QUOTE.format(char)})", mark
    return problem, marks[0] if marks else None
