"""Where a new rule goes into a policy's text, and in which style."""

from __future__ import annotations

import yaml

from agentgate.policy.layout import Layout, Piece, Unknown
from agentgate.policy.suggest import Draft

__all__ = ["place"]


def place(layout: Layout, draft: Draft, before: int | None) -> Piece:
    """``draft`` in front of rule ``before`` and of the comment right above it, or behind the last rule
    when None. Raises Unknown."""
    root = layout.mapping
    if root is None:
        return layout.new_lines(layout.end, ["rules:", *draft.to_yaml()])
    entry = layout.entry("rules")
    if entry is not None:
        return _into(layout, root, *entry, draft, before)
    if root.flow_style:
        return _flow_item(layout, root, len(root.value), f"rules: [{draft.to_flow(json=True)}]")
    indent = " " * root.start_mark.column
    return layout.new_lines(layout.end, [indent + line for line in ("rules:", *draft.to_yaml())])


def _into(
    layout: Layout,
    root: yaml.MappingNode,
    key: yaml.Node,
    rules: yaml.Node,
    draft: Draft,
    before: int | None,
) -> Piece:
    if isinstance(rules, yaml.SequenceNode):
        if rules.flow_style:
            at = len(rules.value) if before is None else before - 1
            return _flow_item(layout, rules, at, draft.to_flow(json=bool(root.flow_style)))
        return _block_item(layout, rules, draft, before)
    empty = rules.start_mark.index == rules.end_mark.index
    if not empty or root.flow_style or key.start_mark.line != key.end_mark.line:
        raise Unknown
    after = layout.next_line(int(key.end_mark.index))
    return layout.new_lines(after, draft.to_yaml(indent=root.start_mark.column + 2))


def _block_item(layout: Layout, rules: yaml.SequenceNode, draft: Draft, before: int | None) -> Piece:
    """Indented like the rule in front of which it goes, or like the last one."""
    at = len(rules.value) - 1 if before is None else before - 1
    model = rules.value[at]
    lines = draft.to_yaml(*measure(layout, model))
    if before is None:
        return layout.new_lines(layout.after(model), lines)
    floor = layout.node_end(rules.value[at - 1]) if at else 0
    return layout.new_lines(layout.comment_above(int(layout.dash(model).index), floor), lines)


def measure(layout: Layout, model: yaml.Node) -> tuple[int, int, int]:
    """The indent, offset and step (`Draft.to_yaml`) with which a block sequence item is written."""
    dash = layout.dash(model)
    offset, step = 2, 2
    if isinstance(model, yaml.MappingNode) and not model.flow_style:
        if model.start_mark.line == dash.line:
            offset = model.start_mark.column - dash.column
        for _, value in model.value:
            if isinstance(value, yaml.MappingNode) and not value.flow_style:
                step = value.start_mark.column - model.start_mark.column
    return dash.column, offset, step


def _flow_item(layout: Layout, node: yaml.CollectionNode, at: int, item: str) -> Piece:
    if isinstance(node, yaml.MappingNode) and node.value and node.value[0][0].style:
        item = '"rules"' + item.removeprefix("rules")
    if not node.value:
        index = int(node.start_mark.index) + 1
        return Piece(index, index, item)
    if at < len(node.value):
        index = int(node.value[at].start_mark.index)
        indent = layout.text[layout.line_start(index) : index]
        text = f"{item},{layout.newline}{indent}" if layout.alone(index) else f"{item}, "
        return Piece(index, index, text)
    last = node.value[-1]
    last = last[1] if isinstance(last, tuple) else last
    start, end = int(last.start_mark.index), int(last.end_mark.index)
    alone = isinstance(node, yaml.SequenceNode) and layout.alone(start) and node.start_mark.index < start
    indent = layout.text[layout.line_start(start) : start]
    return Piece(end, end, f",{layout.newline}{indent}{item}" if alone else f", {item}")
