"""Change one rule in a policy's text and leave every other byte as it is.

The text is edited, not rewritten: comments, blank lines, order, indentation and line ends stay. The place
comes from the positions of the parsed nodes; the result is loaded again and must be the old policy with
exactly the intended change, else the edit is refused. Rules count from 1. Every function raises
PolicyError when the text is no policy, when there is no such rule, or when its layout is none that can be
edited safely.

A rule is switched off by ``disabled: true`` among its keys, not by comment marks: it keeps its number and
its place in every list, stays checked like the others, and a reader, or another program, need not guess
which comment is a rule. Switching it on again takes the line out, and gives the old bytes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from agentgate.policy.entries import rule_pieces
from agentgate.policy.errors import PolicyError
from agentgate.policy.layout import Layout, Piece, Unknown
from agentgate.policy.load import load_text
from agentgate.policy.model import Policy, Rule
from agentgate.policy.place import measure, place
from agentgate.policy.sequence import moved, removed, span
from agentgate.policy.suggest import Draft

__all__ = ["check_draft", "delete_rule", "insert_rule", "move_rule", "replace_rule", "set_disabled"]

_BY_HAND = "cannot edit this layout; do it by hand"

_Pieces = Callable[[Layout], Iterable[Piece]]


def insert_rule(text: str, draft: Draft, before: int | None, label: str = "policy") -> str:
    """``text`` with ``draft`` in front of rule number ``before``, or behind the last rule when None.

    A comment right above rule ``before`` stays with that rule.
    """
    old = load_text(text, label)
    if before is not None:
        _there(old, before)
    at = len(old.rules) if before is None else before - 1
    expected = [*old.rules[:at], draft.rule, *old.rules[at:]]
    change = (lambda layout: [place(layout, draft, before)],)
    return _edited(text, old, expected, change, "cannot edit this layout; add the rule by hand")


def replace_rule(text: str, number: int, draft: Draft, label: str = "policy") -> str:
    """``text`` with ``draft`` for rule ``number``; what it has in common with that rule is not touched."""
    old = load_text(text, label)
    rule = _there(old, number)
    expected = [*old.rules[: number - 1], draft.rule, *old.rules[number:]]
    if draft.rule == _bare(rule):
        return text

    def keys(layout: Layout) -> list[Piece]:
        return rule_pieces(layout, layout.rules().value[number - 1], Draft.of(rule), draft)

    def whole(layout: Layout) -> list[Piece]:
        node = layout.rules()
        item = node.value[number - 1]
        if node.flow_style:
            json = bool(layout.mapping and layout.mapping.flow_style)
            return [Piece(*span(layout, node, number - 1), draft.to_flow(json=json))]
        start = layout.line_start(int(layout.dash(item).index))
        lines = layout.newline.join(draft.to_yaml(*measure(layout, item)))
        return [Piece(start, layout.last_line(item), lines)]

    return _edited(text, old, expected, (keys, whole), _BY_HAND)


def delete_rule(text: str, number: int, label: str = "policy") -> str:
    """``text`` without rule ``number`` and the comment lines right above it."""
    old = load_text(text, label)
    _there(old, number)
    expected = [*old.rules[: number - 1], *old.rules[number:]]
    return _edited(
        text, old, expected, (lambda layout: [removed(layout, layout.rules(), number - 1)],), _BY_HAND
    )


def move_rule(text: str, number: int, to: int, label: str = "policy") -> str:
    """``text`` with rule ``number``, and the comment lines right above it, as rule ``to``. Blank lines and
    comments that stand alone between rules stay where they are."""
    old = load_text(text, label)
    _there(old, number)
    _there(old, to)
    if number == to:
        return text
    expected = list(old.rules)
    expected.insert(to - 1, expected.pop(number - 1))
    change = (lambda layout: [moved(layout, layout.rules(), number - 1, to - 1)],)
    return _edited(text, old, expected, change, _BY_HAND)


def set_disabled(text: str, number: int, disabled: bool, label: str = "policy") -> str:
    """``text`` with rule ``number`` switched off, or on again."""
    rule = _there(load_text(text, label), number)
    return replace_rule(text, number, replace(Draft.of(rule), disabled=disabled), label)


def check_draft(draft: Draft) -> None:
    """Raise PolicyError for a rule that no policy could hold; its message needs no place."""
    try:
        load_text("rules:\n" + "\n".join(draft.to_yaml()) + "\n", "rule")
    except PolicyError as error:
        raise PolicyError(error.message, "rule") from None


def _there(policy: Policy, number: int) -> Rule:
    if not 1 <= number <= len(policy.rules):
        raise PolicyError(f"there is no rule {number} (the file changed?)", policy.label)
    return policy.rules[number - 1]


def _edited(
    text: str, old: Policy, expected: Sequence[Rule], changes: Iterable[_Pieces], refusal: str
) -> str:
    """The outcome of the first of ``changes`` that makes ``expected`` of the rules, and of nothing else
    anything."""
    for change in changes:
        try:
            new = _apply(text, change(Layout(text, old.label)))
            loaded = load_text(new, old.label)
        except (PolicyError, Unknown):
            continue
        if _says(loaded, old, expected):
            return new
    raise PolicyError(refusal, old.label)


def _apply(text: str, pieces: Iterable[Piece]) -> str:
    done = at = 0
    out = []
    for piece in sorted(pieces, key=lambda piece: (piece.start, piece.end)):
        if piece.start < done:
            raise Unknown
        out += [text[at : piece.start], piece.text]
        done = at = piece.end
    return "".join(out) + text[at:]


def _bare(rule: Rule) -> Rule:
    return replace(rule, number=0, line=0)


def _says(new: Policy, old: Policy, expected: Sequence[Rule]) -> bool:
    return (
        list(map(_bare, new.rules)) == list(map(_bare, expected))
        and (new.default, new.lifted) == (old.default, old.lifted)
        and [replace(test, line=0) for test in new.tests] == [replace(test, line=0) for test in old.tests]
    )
