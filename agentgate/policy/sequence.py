"""Take an item out of a sequence, or put it elsewhere in it: block or flow style, every other byte kept.

In block style an item is its lines, with the comment lines right above them; the empty lines and the
comments that stand alone between items are gaps. Moving changes the order of the items, never the gaps: a
section's heading stays where it is, and so does the line end at the end of the file.
"""

from __future__ import annotations

from itertools import pairwise

import yaml

from agentgate.policy.layout import BREAKS, Layout, Piece, Unknown

__all__ = ["moved", "removed", "span"]


def span(layout: Layout, node: yaml.SequenceNode, at: int) -> tuple[int, int]:
    """Where item ``at`` begins, with the comment that is its own, and where its last line ends."""
    item = node.value[at]
    if node.flow_style:
        return int(item.start_mark.index), int(item.end_mark.index)
    floor = layout.node_end(node.value[at - 1]) if at else 0
    return layout.comment_above(int(layout.dash(item).index), floor), layout.last_line(item)


def removed(layout: Layout, node: yaml.SequenceNode, at: int) -> Piece:
    """Item ``at`` taken out. Raises Unknown."""
    start, end = span(layout, node, at)
    if node.flow_style:
        if at + 1 < len(node.value):
            end = int(node.value[at + 1].start_mark.index)
        elif at:
            start = int(node.value[at - 1].end_mark.index)
        _no_comment(layout, start, end, node.value[at])
        return Piece(start, end, "")
    return lines_removed(layout, start, end)


def lines_removed(layout: Layout, start: int, end: int) -> Piece:
    """The lines from ``start`` to ``end`` taken out, and of two empty lines around them one."""
    after = layout.next_line(end)
    if after == len(layout.text) and end == after and start:  # no final line end, and there will be none
        while start and layout.blank(layout.above(start)):
            start = layout.above(start)
        start -= 2 if layout.text.endswith("\r\n", 0, start) else min(1, start)
    elif start and layout.blank(layout.above(start)) and layout.blank(after):
        after = layout.next_line(after)
    return Piece(start, after, "")


def moved(layout: Layout, node: yaml.SequenceNode, at: int, to: int) -> Piece:
    """Item ``at`` put where item ``to`` is. Raises Unknown."""
    first, last = min(at, to), max(at, to)
    spans = [span(layout, node, index) for index in range(first, last + 1)]
    gaps = [(end, start) for (_, end), (start, _) in pairwise(spans)]
    if node.flow_style:
        for start, end in gaps:
            if "#" in layout.text[start:end]:  # it is about one of the two, and nobody knows which
                raise Unknown
    elif not all(layout.text[start:end].startswith(tuple(BREAKS)) for start, end in gaps):
        raise Unknown
    order = list(range(len(spans)))
    order.insert(to - first, order.pop(at - first))
    text = ""
    for place, index in enumerate(order):
        text += layout.text[slice(*spans[index])]
        if place < len(gaps):
            text += layout.text[slice(*gaps[place])]
    return Piece(spans[0][0], spans[-1][1], text)


def _no_comment(layout: Layout, start: int, end: int, item: yaml.Node) -> None:
    """Raise Unknown when a comment would go along with a flow item."""
    rest = layout.text[start : int(item.start_mark.index)] + layout.text[int(item.end_mark.index) : end]
    if "#" in rest:
        raise Unknown
