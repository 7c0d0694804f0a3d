"""Change single keys of one rule, so that comments and layout within it stay too.

A value that stays the same is not touched. A changed one is written where the old one stood, a new one
behind the last, and of a list of globs only the items that differ are rewritten.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

import yaml

from agentgate.policy.layout import BREAKS, Layout, Piece, Unknown
from agentgate.policy.sequence import lines_removed
from agentgate.policy.suggest import Draft, quote

__all__ = ["rule_pieces"]

_WIDE = 100  # columns up to which a new list of globs stands on one line


def rule_pieces(layout: Layout, node: yaml.Node, old: Draft, new: Draft) -> list[Piece]:
    """What turns the rule ``node``, which says ``old``, into ``new``. Raises Unknown."""
    if not isinstance(node, yaml.MappingNode):
        raise Unknown
    rule = _Entries(layout, node)
    pieces = list(_match_pieces(rule, old, new))
    before, after = old.entries(json=rule.json), new.entries(json=rule.json)
    different = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return pieces + [rule.changed(key, after.get(key)) for key in different]


def _match_pieces(rule: _Entries, old: Draft, new: Draft) -> Iterator[Piece]:
    was, will = _match(old), _match(new)
    if was == will:
        return
    node = rule.values.get("match")
    if node is None:
        yield rule.in_front("match", new.match(json=rule.json))
    elif not will:
        yield rule.changed("match", None)
    elif not isinstance(node, yaml.MappingNode):
        raise Unknown
    else:
        match = _Entries(rule.layout, node)
        for key in ("action", "within"):
            if was.get(key) != will.get(key):
                text = will.get(key)
                plain = key == "action" and not match.json
                yield match.changed(key, text if plain or text is None else quote(text))
        if old.targets != new.targets:
            yield from _target_pieces(match, old.targets, new.targets)


def _match(draft: Draft) -> dict[str, str]:
    entries = {"action": draft.action, "targets": "\n".join(draft.targets), "within": draft.within}
    return {key: str(value) for key, value in entries.items() if value}


def _target_pieces(match: _Entries, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Piece]:
    node = match.values.get("target_glob")
    if node is None or not new:
        yield match.changed("target_glob", match.globs(new))
    elif isinstance(node, yaml.SequenceNode) and len(node.value) == len(old):
        yield from _item_pieces(match.layout, node, old, new)
    else:
        yield match.changed("target_glob", match.globs(new))


def _item_pieces(
    layout: Layout, node: yaml.SequenceNode, old: tuple[str, ...], new: tuple[str, ...]
) -> Iterator[Piece]:
    """The difference of two lists, item by item."""
    items = node.value
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        both = min(i2 - i1, j2 - j1)
        for item, glob in zip(items[i1 : i1 + both], new[j1 : j1 + both], strict=True):
            yield _value(layout, item, quote(glob))
        added = list(map(quote, new[j1 + both : j2]))
        if node.flow_style:
            if i1 + both < i2:
                raise Unknown
            if added and i2:
                end = int(items[i2 - 1].end_mark.index)
                yield Piece(end, end, "".join(f", {glob}" for glob in added))
            elif added:
                start = int(items[0].start_mark.index)
                yield Piece(start, start, "".join(f"{glob}, " for glob in added))
            continue
        for item in items[i1 + both : i2]:
            start = layout.line_start(int(layout.dash(item).index))
            if not layout.alone(int(layout.dash(item).index)):
                raise Unknown
            yield lines_removed(layout, start, layout.last_line(item))
        if added:
            dash = layout.dash(items[0])
            after = layout.after(items[i2 - 1]) if i2 else layout.line_start(int(dash.index))
            yield layout.new_lines(after, [f"{' ' * dash.column}- {glob}" for glob in added])


def _value(layout: Layout, node: yaml.Node, text: str) -> Piece:
    """``text`` for the value ``node``."""
    start, end = int(node.start_mark.index), layout.node_end(node)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        end = layout.last_line(node)
    elif isinstance(node, yaml.CollectionNode) and not node.flow_style:
        raise Unknown
    return Piece(start, end, text)


class _Entries:
    """The keys of one mapping. ``json``: words are written in quotes here."""

    def __init__(self, layout: Layout, node: yaml.MappingNode) -> None:
        self.layout = layout
        self.node = node
        self.keys = [key for key, _ in node.value]
        self.values = {key.value: value for key, value in node.value}
        self.json = bool(node.flow_style and node.value and node.value[0][0].style)

    def globs(self, globs: tuple[str, ...]) -> str | None:
        quoted = list(map(quote, globs))
        if len(quoted) < 2:
            return quoted[0] if quoted else None
        line = f"[{', '.join(quoted)}]"
        if self.node.flow_style or self.column + len(line) <= _WIDE:
            return line
        return "".join(f"{self.layout.newline}{' ' * (self.column + 2)}- {glob}" for glob in quoted)

    @property
    def column(self) -> int:
        return int(self.node.start_mark.column)

    def changed(self, name: str, text: str | None) -> Piece:
        """Key ``name`` with the value ``text``; None takes the key out."""
        at = next((at for at, key in enumerate(self.keys) if key.value == name), None)
        if text is None:
            if at is None:
                raise Unknown
            return self._removed(at)
        return self._added(name, text) if at is None else _value(self.layout, self.values[name], text)

    def in_front(self, name: str, text: str) -> Piece:
        """A new key before all others."""
        if not self.keys:
            raise Unknown
        start = int(self.keys[0].start_mark.index)
        name = f'"{name}"' if self.json else name
        if self.node.flow_style:
            return Piece(start, start, f"{name}: {text}, ")
        return Piece(start, start, f"{name}: {text}{self.layout.newline}{' ' * self.column}")

    def _added(self, name: str, text: str) -> Piece:
        name = f'"{name}"' if self.json else name
        space = "" if text.startswith(tuple(BREAKS)) else " "
        if not self.node.flow_style:
            return self.layout.new_lines(
                self.layout.after(self.node), [f"{' ' * self.column}{name}:{space}{text}"]
            )
        if not self.keys:
            start = int(self.node.start_mark.index) + 1
            return Piece(start, start, f"{name}: {text}")
        end = int(self.node.value[-1][1].end_mark.index)
        return Piece(end, end, f", {name}: {text}")

    def _removed(self, at: int) -> Piece:
        layout, pairs = self.layout, self.node.value
        key, value = pairs[at]
        start, end = int(key.start_mark.index), layout.node_end(value)
        following = int(pairs[at + 1][0].start_mark.index) if at + 1 < len(pairs) else None
        if self.node.flow_style:
            if following is None and at:
                start, end = int(pairs[at - 1][1].end_mark.index), int(value.end_mark.index)
                gap = layout.text[start : int(key.start_mark.index)]
            else:
                gap = layout.text[end : following or end]
                end = following or end
            if "#" in gap:
                raise Unknown
            return Piece(start, end, "")
        if layout.alone(start):
            return lines_removed(layout, layout.line_start(start), layout.last_line(value))
        if following is None or "#" in layout.text[end:following]:  # it stands behind the dash
            raise Unknown
        return Piece(start, following, "")
