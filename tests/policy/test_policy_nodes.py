"""Whichever parser reads a policy: the same nodes at the same places, and the same is refused."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agentgate.policy import nodes
from agentgate.policy.errors import PolicyError
from agentgate.policy.nodes import compose, tokens
from agentgate.policy.store import default_text

pytestmark = pytest.mark.skipif(not yaml.__with_libyaml__, reason="PyYAML has no libyaml here")


def shape(node: yaml.Node | None) -> object:
    if node is None:
        return None
    value = node.value
    if not isinstance(node, yaml.ScalarNode):
        value = [tuple(map(shape, v)) if isinstance(v, tuple) else shape(v) for v in value]
    return (
        node.tag, node.start_mark.index, node.start_mark.line, node.start_mark.column, node.end_mark.index,
        getattr(node, "style", None) or None, bool(getattr(node, "flow_style", False)), value,
    )  # fmt: skip


def outcome(text: str) -> tuple[object, object]:
    try:
        root = shape(compose(text, "p"))
    except PolicyError as error:
        return str(error), None
    marks = [
        (type(token), token.start_mark.index)
        for token in tokens(text)
        if isinstance(token, yaml.BlockEntryToken | yaml.DocumentEndToken)
    ]
    return root, marks


def both(text: str) -> None:
    quick = outcome(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "_quick", lambda text: False)
        assert outcome(text) == quick


LINES = st.sampled_from(
    """rules:|- decision: ask|  - a # c|  reason: |  two|    more|# c|  # c||...|---|a: {b: [c, 'd']}|- |-|? x
    |: y|"é": 😀|x: "a\\\\|  b"|'it''s'|!t x|&a b|*a|{a: b,|c: d}|[|]|%YAML 1.1|k: v # c|a:\tb|@|- - x
    """.split("|")
)
BLOCKS = st.sampled_from(["r: |", "r: >-", "r: |+", "- |2", "r: >+ # c"])
TEXT = st.lists(LINES | BLOCKS, max_size=9).flatmap(
    lambda lines: st.sampled_from(["\n", "\r\n"]).map(lambda end: end.join(lines) + end)
)


@settings(max_examples=800, deadline=None)
@given(TEXT)
def test_both_parsers_say_the_same(text: str) -> None:
    both(text)


@settings(max_examples=200, deadline=None)
@given(st.text("ab:-#{}[],'\"|> \n\r!&*%\x00\x85\u2028é", max_size=30).map(lambda text: text + "\n"))
def test_both_parsers_say_the_same_of_any_text(text: str) -> None:
    both(text)


@pytest.mark.parametrize(
    "text",
    [default_text(), "", "![\n", "a: >#\n", "\ufeffdefault: deny\n", "[" * 11 + "]" * 11, "[" * 12 + "]" * 12,
     "[" * 13 + "]" * 13, "{a: " * 11 + "b" + "}" * 11, "a: 1\n---\nb: 2\n"],
)  # fmt: skip
def test_both_parsers_say_the_same_of_these(text: str) -> None:
    both(text)
