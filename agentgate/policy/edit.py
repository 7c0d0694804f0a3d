"""Put one rule into a policy's text and leave every other byte as it is.

The text is edited, not rewritten: comments, blank lines, order, indentation and line ends stay. The place
comes from the positions of the parsed nodes; the result is loaded again and must be the old policy with
exactly the new rule in it, else the edit is refused.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import yaml

from agentgate.policy.errors import PolicyError
from agentgate.policy.load import load_text
from agentgate.policy.model import Policy, Rule
from agentgate.policy.nodes import compose
from agentgate.policy.suggest import Draft

__all__ = ["insert_rule"]

_BREAKS = "\r\n"


def insert_rule(text: str, draft: Draft, before: int | None, label: str = "policy") -> str:
    """``text`` with ``draft`` in front of rule number ``before``, or behind the last rule when None.

    A comment right above rule ``before`` stays with that rule. Raises PolicyError when the text is no
    policy, when there is no such rule, or when its layout is none that can be edited safely.
    """
    old = load_text(text, label)
    if before is not None and not 1 <= before <= len(old.rules):
        raise PolicyError(f"there is no rule {before} (the file changed?)", label)
    refused = PolicyError("cannot edit this layout; add the rule by hand", label)
    try:
        edit = _Layout(text, label).place(draft, before)
        new = text[: edit.at] + edit.inserted + text[edit.at :]
        loaded = load_text(new, label)
    except (PolicyError, _Unknown) as error:
        raise refused from error
    if not _is_old_with(loaded, old, draft, before):
        raise refused
    return new


def _is_old_with(new: Policy, old: Policy, draft: Draft, before: int | None) -> bool:
    at = len(old.rules) if before is None else before - 1
    rule = Rule(0, 0, draft.action, draft.targets, None, draft.decision, None, draft.reason.strip())
    expected = [*old.rules[:at], rule, *old.rules[at:]]
    return (
        [replace(rule, number=0, line=0) for rule in new.rules]
        == [replace(rule, number=0, line=0) for rule in expected]
        and (new.default, new.lifted) == (old.default, old.lifted)
        and [replace(test, line=0) for test in new.tests] == [replace(test, line=0) for test in old.tests]
    )


class _Unknown(Exception):
    """A layout that this module does not know."""


class _Edit(NamedTuple):
    at: int
    inserted: str


def _end(node: yaml.Node) -> int:
    """Where the node's own text ends: a block collection's end mark lies behind the comments below it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


class _Layout:
    def __init__(self, text: str, label: str) -> None:
        self.text = text
        self.root = compose(text, label)
        # PyYAML's scanner is the only one to know dashes and document ends for what they are.
        tokens = list(yaml.scan(text, Loader=yaml.SafeLoader))
        self.dashes = [token.start_mark for token in tokens if isinstance(token, yaml.BlockEntryToken)]
        ends = [token.start_mark.index for token in tokens if isinstance(token, yaml.DocumentEndToken)]
        self.end = ends[0] if ends else len(text)
        self.newline = "\n"
        for first, second in pairwise(text + "\0"):
            if first in _BREAKS:
                self.newline = first + second if first + second == "\r\n" else first
                break

    def place(self, draft: Draft, before: int | None) -> _Edit:
        root = self.root
        if root is None or (isinstance(root, yaml.ScalarNode) and not root.value):
            return self.lines(self.end, ["rules:", *draft.to_yaml()])
        if not isinstance(root, yaml.MappingNode):
            raise _Unknown
        for key, value in root.value:
            if key.value == "rules":
                return self.into(root, key, value, draft, before)
        if root.flow_style:
            return self.flow_item(root, len(root.value), f"rules: [{draft.to_flow(json=True)}]")
        indent = " " * root.start_mark.column
        return self.lines(self.end, [indent + line for line in ("rules:", *draft.to_yaml())])

    def into(
        self, root: yaml.MappingNode, key: yaml.Node, rules: yaml.Node, draft: Draft, before: int | None
    ) -> _Edit:
        if isinstance(rules, yaml.SequenceNode):
            if rules.flow_style:
                at = len(rules.value) if before is None else before - 1
                return self.flow_item(rules, at, draft.to_flow(json=bool(root.flow_style)))
            return self.block_item(rules, draft, before)
        empty = rules.start_mark.index == rules.end_mark.index
        if not empty or root.flow_style or key.start_mark.line != key.end_mark.line:
            raise _Unknown
        after = self.after_line(int(key.end_mark.index))
        return self.lines(after, draft.to_yaml(indent=root.start_mark.column + 2))

    # -- block style

    def block_item(self, rules: yaml.SequenceNode, draft: Draft, before: int | None) -> _Edit:
        """Indented like the rule in front of which it goes, or like the last one."""
        at = len(rules.value) - 1 if before is None else before - 1
        model = rules.value[at]
        dash = max((d for d in self.dashes if d.index <= model.start_mark.index), key=lambda d: d.index)
        offset, step = 2, 2
        if isinstance(model, yaml.MappingNode) and not model.flow_style:
            if model.start_mark.line == dash.line:
                offset = model.start_mark.column - dash.column
            for _, value in model.value:
                if isinstance(value, yaml.MappingNode) and not value.flow_style:
                    step = value.start_mark.column - model.start_mark.column
        lines = draft.to_yaml(dash.column, offset, step)
        if before is None:
            return self.lines(self.after_line(_end(model)), lines)
        floor = _end(rules.value[at - 1]) if at else 0
        return self.lines(self.above_comment(dash.index, floor), lines)

    def after_line(self, index: int) -> int:
        """The start of the next line, unless ``index`` already is the start of one (block scalars)."""
        if index and self.text[index - 1] in _BREAKS:
            return index
        while index < len(self.text) and self.text[index] not in _BREAKS:
            index += 1
        return index + len(self.newline) if self.text.startswith(self.newline, index) else index

    def line_start(self, index: int) -> int:
        while index and self.text[index - 1] not in _BREAKS:
            index -= 1
        return index

    def above_comment(self, dash: int, floor: int) -> int:
        """The start of the comment lines that stand right above the line of ``dash``, but not above
        ``floor``: what looks like a comment there is the text of the rule before."""
        start = self.line_start(dash)
        if self.text[start:dash].strip(" "):
            raise _Unknown
        while start > floor:
            above = self.line_start(start - len(self.newline))
            if above < floor or not self.text[above:start].lstrip(" \t").startswith("#"):
                break
            start = above
        return start

    def lines(self, index: int, lines: list[str]) -> _Edit:
        text = "".join(line + self.newline for line in lines)
        if index and self.text[index - 1] not in _BREAKS + "\ufeff":
            text = self.newline + text
            if index == len(self.text):  # the file had no final line end, and keeps none
                text = text[: -len(self.newline)]
        return _Edit(index, text)

    # -- flow style

    def flow_item(self, node: yaml.CollectionNode, at: int, item: str) -> _Edit:
        if isinstance(node, yaml.MappingNode) and node.value and node.value[0][0].style:
            item = '"rules"' + item.removeprefix("rules")
        if not node.value:
            return _Edit(int(node.start_mark.index) + 1, item)
        if at < len(node.value):
            index = int(node.value[at].start_mark.index)
            indent = self.text[self.line_start(index) : index]
            alone = not indent.strip(" ")
            return _Edit(index, f"{item},{self.newline}{indent}" if alone else f"{item}, ")
        last = node.value[-1]
        last = last[1] if isinstance(last, tuple) else last
        start = int(last.start_mark.index)
        indent = self.text[self.line_start(start) : start]
        alone = (
            isinstance(node, yaml.SequenceNode) and not indent.strip(" ") and node.start_mark.index < start
        )
        return _Edit(int(last.end_mark.index), f",{self.newline}{indent}{item}" if alone else f", {item}")
