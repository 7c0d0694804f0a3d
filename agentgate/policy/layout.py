"""Where things stand in a policy's text: lines, dashes, comments, and the ends of nodes.

Positions come from the parsed nodes, not from patterns: what looks like a comment or a dash may be text.
Nothing here changes the text; a change is a list of `Piece`s, made by ``place.py``, ``sequence.py`` and
``entries.py`` and checked by ``edit.py``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import yaml

from agentgate.policy.nodes import compose, tokens

__all__ = ["BREAKS", "Layout", "Piece", "Unknown"]

BREAKS = "\r\n"


class Unknown(Exception):
    """A layout that cannot be edited safely."""


class Piece(NamedTuple):
    """``text`` in the place of what stands from ``start`` to ``end``."""

    start: int
    end: int
    text: str


class Layout:
    """``text`` and its nodes. Raises PolicyError for a text that is no YAML."""

    def __init__(self, text: str, label: str) -> None:
        self.text = text
        self.root = compose(text, label)
        # The scanner is the only one to know dashes and document ends for what they are.
        found = tokens(text)
        self._dashes: list[yaml.Mark] = [
            token.start_mark for token in found if isinstance(token, yaml.BlockEntryToken)
        ]
        self._indices = [int(mark.index) for mark in self._dashes]
        ends = [int(token.start_mark.index) for token in found if isinstance(token, yaml.DocumentEndToken)]
        self.end = ends[0] if ends else len(text)
        self.newline = "\n"
        for first, second in pairwise(text + "\0"):
            if first in BREAKS:
                self.newline = first + second if first + second == "\r\n" else first
                break

    @property
    def mapping(self) -> yaml.MappingNode | None:
        """The policy itself; None when the text holds none yet."""
        root = self.root
        if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
            return None
        if not isinstance(root, yaml.MappingNode):
            raise Unknown
        return root

    def entry(self, name: str) -> tuple[yaml.Node, yaml.Node] | None:
        """A top-level key and its value."""
        pairs = self.mapping.value if self.mapping else []
        return next(((key, value) for key, value in pairs if key.value == name), None)

    def rules(self) -> yaml.SequenceNode:
        entry = self.entry("rules")
        if entry is None or not isinstance(entry[1], yaml.SequenceNode):
            raise Unknown
        return entry[1]

    def dash(self, node: yaml.Node) -> yaml.Mark:
        """The dash of the block sequence item ``node``."""
        at = bisect_right(self._indices, int(node.start_mark.index))
        if not at:
            raise Unknown
        return self._dashes[at - 1]

    # -- lines

    def line_start(self, index: int) -> int:
        while index and self.text[index - 1] not in BREAKS:
            index -= 1
        return index

    def line_end(self, index: int) -> int:
        """The end of the text on this line."""
        while index < len(self.text) and self.text[index] not in BREAKS:
            index += 1
        return index

    def next_line(self, index: int) -> int:
        """The start of the line after the one on which ``index`` is; the text's end if there is none."""
        index = self.line_end(index)
        return index + (2 if self.text.startswith("\r\n", index) else 1 if index < len(self.text) else 0)

    def above(self, start: int) -> int:
        """The start of the line above the one that starts at ``start`` (which must not be the first)."""
        return self.line_start(start - (2 if self.text.endswith("\r\n", 0, start) else 1))

    def blank(self, start: int) -> bool:
        """Whether nothing stands on the line at ``start``, which is within the text."""
        return start < len(self.text) and not self.text[start : self.line_end(start)].strip(" \t")

    def alone(self, index: int) -> bool:
        """Whether nothing but spaces stands before ``index`` on its line."""
        return not self.text[self.line_start(index) : index].strip(" ")

    def comment_above(self, dash: int, floor: int) -> int:
        """The start of the comment lines that stand right above the line of ``dash``, but not above
        ``floor``: what looks like a comment there is the text of the item before."""
        start = self.line_start(dash)
        if not self.alone(dash):
            raise Unknown
        while start > floor:
            above = self.above(start)
            if above < floor or not self.text[above:start].lstrip(" \t").startswith("#"):
                break
            start = above
        return start

    def new_lines(self, index: int, lines: Iterable[str]) -> Piece:
        """Whole lines in front of the line that starts at ``index``, or at the end of the text."""
        text = "".join(line + self.newline for line in lines)
        if index and self.text[index - 1] not in BREAKS + "\ufeff":
            text = self.newline + text
            if index == len(self.text):  # the file had no final line end, and keeps none
                text = text[: -len(self.newline)]
        return Piece(index, index, text)

    # -- nodes

    def node_end(self, node: yaml.Node) -> int:
        """Where the node's own text ends: a block collection's end mark lies behind the comments below it,
        a block scalar's behind the empty lines below it, which are its own only when it keeps them."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self.node_end(last[1] if isinstance(last, tuple) else last)
        end = int(node.end_mark.index)
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            start = int(node.start_mark.index)
            header = self.text[start : self.line_end(start)].split("#")[0]
            floor = self.next_line(start)
            while "+" not in header and end > floor and self.text[end - 1] in BREAKS:
                above = self.above(end)
                if above < floor or not self.blank(above):
                    break
                end = above
        return end

    def after(self, node: yaml.Node) -> int:
        """The start of the line below the node."""
        end = self.node_end(node)
        return end if end and self.text[end - 1] in BREAKS else self.next_line(end)

    def last_line(self, node: yaml.Node) -> int:
        """The end of the node's last line, without its line end."""
        end = self.node_end(node)
        if end and self.text[end - 1] in BREAKS:
            return end - (2 if self.text.endswith("\r\n", 0, end) else 1)
        return self.line_end(end)
