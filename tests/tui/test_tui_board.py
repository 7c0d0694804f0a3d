"""What a person would call one thing: cards, the commands they belong to, folding, the filter. Pure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from room_kit import DEFAULT, GUARD, INSTALL, connect, install, process, write

from agentgate.actions import Action, Kind, Ruling
from agentgate.gate.events import Ask
from agentgate.tui.queue.board import Board, Card, Tree
from agentgate.tui.queue.filters import Filter
from agentgate.tui.queue.grouping import card_key, claim, tree_key

CLAUDE = process(100, "claude", "--autonomous")


def by(tool: int, kind: Kind, target: str, pid: int = 0, ruling: Ruling = DEFAULT, number: int = 0) -> Ask:
    """An action of process ``pid`` below the agent's child ``tool``."""
    shell = process(tool, "bash", "-c", f"tool {tool}")
    chain = (process(pid, "worker", str(pid)), shell, CLAUDE) if pid else (shell, CLAUDE)
    argv = tuple(target.split(" ")) if kind is Kind.EXEC else ("worker",)
    action = Action(kind, target, argv, "/home/me/project", chain, "call", intent=f"worker: {target}")
    return Ask(number, action, ruling, 0.0, "kernel")


def numbered(*asks: Ask) -> list[Ask]:
    return [Ask(n, ask.action, ask.ruling, 0.0, "kernel") for n, ask in enumerate(asks, 1)]


def board(*asks: Ask) -> Board:
    made = Board()
    for ask in numbered(*asks):
        made = made.plus(ask)
    return made


def seen(board: Board) -> list[str]:
    """The rows: ``+tag`` a folded header, ``-tag`` an open one, else the numbers on the card."""
    return [
        f"{'+' if row.folded else '-'}{row.tag}"
        if isinstance(row, Tree)
        else ",".join(str(ask.number) for ask in row.asks)
        for row in board.rows
    ]


# Which questions share a card


def asked(action: Action, ruling: Ruling = DEFAULT, agent_cwd: str | None = None) -> Ask:
    return Ask(1, action if agent_cwd is None else action._replace(cwd=agent_cwd), ruling, 0.0, "kernel")


def test_the_same_from_another_process_is_the_same() -> None:
    assert card_key(asked(install("chalk", 1000))) == card_key(asked(install("chalk", 2000)))
    assert card_key(asked(connect("a.example:443", 1000))) == card_key(asked(connect("a.example:443", 2000)))
    assert card_key(asked(write("/x", 1000))) == card_key(asked(write("/x", 2000)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (asked(install("chalk")), asked(install("left-pad"))),
        (asked(install("chalk")), asked(install("chalk"), INSTALL)),
        (asked(install("chalk")), asked(install("chalk"), agent_cwd="/elsewhere")),
        (asked(install("a b")), asked(install("a b")._replace(argv=("npm", "install", "a", "b")))),
        (asked(write("/x")), asked(write("/x"), GUARD)),
        (asked(write("/x")), asked(write("/x")._replace(syscall="unlinkat"))),
        (asked(write("/x")), asked(write("/x", origin="/y"))),
        (asked(write("/x")), asked(write("/x")._replace(kind=Kind.FS_READ))),
        (asked(connect("a:1")), asked(connect("a:1")._replace(chain=(process(7, "evil"), CLAUDE)))),
        (asked(install("x" * 20_000)), Ask(2, install("x" * 20_000), DEFAULT, 0.0, "kernel")),
    ],
)
def test_what_differs_in_more_than_the_process_is_another(one: Ask, other: Ask) -> None:
    assert card_key(one) != card_key(other)


def test_a_command_is_one_child_of_the_agent_with_all_below_it() -> None:
    shell = by(200, Kind.EXEC, "npm install chalk")
    deep = by(200, Kind.NET_EGRESS, "registry.example:443", 201)
    assert tree_key(shell) == tree_key(deep)
    assert tree_key(shell) != tree_key(by(300, Kind.EXEC, "npm install chalk"))
    alone = shell.action._replace(chain=(CLAUDE,))
    assert tree_key(asked(alone)) == tree_key(asked(alone._replace(target="other")))
    unknown = shell.action._replace(chain=())
    assert tree_key(asked(unknown)) != tree_key(Ask(2, unknown, DEFAULT, 0.0, "proxy"))


def test_the_claim_is_what_the_agent_gave_its_child() -> None:
    assert claim(by(200, Kind.FS_WRITE, "/x", 201).action).words == "tool 200"
    fresh = install("chalk")._replace(chain=(process(9, "bash"), process(8, "bash")))
    assert claim(fresh).words == "npm install chalk"
    itself = connect("api.example:443")._replace(chain=(CLAUDE,))
    assert claim(itself).itself and claim(itself).words == "claude --autonomous"
    assert claim(Action(Kind.EXEC, "")).words == ""


# Rows


def test_cards_of_one_command_stand_below_a_header_and_one_alone_has_none() -> None:
    made = board(
        by(200, Kind.EXEC, "a"),
        by(300, Kind.EXEC, "b"),
        by(200, Kind.NET_EGRESS, "h:1", 201),
        by(200, Kind.NET_EGRESS, "h:1", 202),
    )
    assert seen(made) == ["-1", "1", "3,4", "2"]
    assert [made.at(place) for place in range(5)] == [1, 1, 3, 2, 2]
    assert [made.place(number) for number in (1, 2, 3, 4)] == [1, 3, 2, 2]
    made = made.minus(3)
    assert seen(made) == ["-1", "1", "4", "2"]
    made = made.minus(1)
    assert seen(made) == ["4", "2"]  # the command that came first stays first
    assert made.minus(99) is made


def test_moving_goes_through_the_members_and_passes_over_headers() -> None:
    made = board(
        by(100, Kind.EXEC, "x"), by(200, Kind.EXEC, "a"), by(200, Kind.EXEC, "b"), by(300, Kind.EXEC, "c")
    )
    assert seen(made) == ["1", "-2", "2", "3", "4"]
    there = [made.moved(None, 1)]
    for _ in range(4):
        there.append(made.moved(there[-1], 1))
    assert there == [1, 2, 3, 4, 4]
    for _ in range(4):
        there.append(made.moved(there[-1], -1))
    assert there[-4:] == [3, 2, 1, 1]
    assert made.moved(1, 5) == 4 and made.moved(4, -5) == 1
    assert Board().moved(None, 1) is None
    top = board(by(200, Kind.EXEC, "a"), by(200, Kind.EXEC, "b"))
    assert (top.moved(1, -1), top.moved(2, -1), top.at(0)) == (1, 1, 1)


def test_a_folded_command_is_its_header_alone() -> None:
    made = board(
        by(200, Kind.EXEC, "a"), by(300, Kind.EXEC, "c"), by(200, Kind.EXEC, "b"), by(400, Kind.EXEC, "d")
    )
    folded = made.fold(3, True)
    assert seen(folded) == ["+1", "2", "4"]
    assert (folded.place(1), folded.place(3), folded.at(0), folded.moved(3, 1)) == (0, 0, 1, 2)
    late = Ask(5, by(200, Kind.EXEC, "e").action, DEFAULT, 0.0, "kernel")
    folded = folded.plus(late)
    assert seen(folded) == ["+1", "2", "4"]
    assert seen(folded.fold(5, False)) == ["-1", "1", "3", "5", "2", "4"]
    one = folded.minus(1).minus(5)
    assert seen(one) == ["3", "2", "4"]  # nothing is left to fold
    assert seen(one.plus(Ask(6, late.action, DEFAULT, 0.0, "kernel"))) == ["+1", "2", "4"]
    assert seen(one.minus(3).plus(Ask(7, late.action, DEFAULT, 0.0, "kernel"))) == ["2", "4", "7"]
    assert folded.fold(99, True) is folded and folded.fold(1, True) is folded


def test_the_filter_hides_and_counts_what_it_hides() -> None:
    made = board(
        by(200, Kind.EXEC, "npm install chalk"),
        by(200, Kind.NET_EGRESS, "registry.example:443", 201),
        by(300, Kind.EXEC, "make"),
        by(200, Kind.NET_EGRESS, "registry.example:443", 202),
    )
    narrow = made.narrow(Filter("registry"))
    assert (seen(narrow), narrow.hidden) == (["2,4"], 2)
    assert (narrow.place(1), narrow.place(2)) == (None, 0)
    assert narrow.card(1) is not None
    late = Ask(5, by(300, Kind.EXEC, "make install").action, DEFAULT, 0.0, "kernel")
    assert (seen(narrow.plus(late)), narrow.plus(late).hidden) == (["2,4"], 3)
    assert (seen(narrow.narrow(Filter("!registry"))), narrow.narrow(Filter("!registry")).hidden) == (
        ["1", "3"],
        2,
    )
    assert seen(narrow.narrow(Filter())) == seen(made)
    none = made.narrow(Filter("nothing-like-it"))
    assert (seen(none), none.hidden, none.at(0), none.moved(1, 1)) == ([], 4, None, None)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", [1, 2, 3]),
        ("  ", [1, 2, 3]),
        ("!", [1, 2, 3]),
        ("CHALK", [1]),
        ("kind:net", [2]),
        ("kind:write", [3]),
        ("kind:fs_", [3]),
        ("!kind:exec", [2, 3]),
        ("program:cur", [2]),
        ("prog:url", []),
        ("every install", [1]),
        ("claude", []),
        ("kind:exec !chalk", []),
        ("!kind:exec !program:curl", [3]),
        ("shell-startup", [3]),
    ],
)
def test_filters_by_text_kind_and_program(text: str, passes: list[int]) -> None:
    asks = [
        Ask(1, install("chalk"), INSTALL, 0.0, "kernel"),
        Ask(2, connect("api.example:443"), DEFAULT, 0.0, "kernel"),
        Ask(3, write("/home/me/.bashrc"), GUARD, 0.0, "kernel"),
    ]
    assert [ask.number for ask in asks if Filter(text).test()(ask)] == passes


# Whatever happens


@dataclass
class Model:
    """The same, done plainly: a list of questions, and the places that commands and cards once got."""

    asks: list[Ask] = field(default_factory=list)
    trees: dict[object, int] = field(default_factory=dict)
    cards: dict[object, tuple[int, object]] = field(default_factory=dict)
    folded: set[object] = field(default_factory=set)
    filter: Filter = field(default_factory=Filter)

    def plus(self, ask: Ask) -> None:
        self.asks.append(ask)
        if card_key(ask) not in self.cards:
            self.trees.setdefault(tree_key(ask), ask.number)
            self.cards[card_key(ask)] = (ask.number, tree_key(ask))

    def minus(self, number: int) -> None:
        self.asks = [ask for ask in self.asks if ask.number != number]
        cards = {card_key(ask) for ask in self.asks}
        self.cards = {key: card for key, card in self.cards.items() if key in cards}
        trees = {tree for _, tree in self.cards.values()}
        self.trees = {key: tag for key, tag in self.trees.items() if key in trees}
        self.folded &= trees

    def hidden(self) -> int:
        return len(self.asks) - sum(len(asks) for asks in self.cards_of())

    def cards_of(self, tree: object = None) -> list[list[Ask]]:
        """The questions of the cards that pass, card by card in order: of ``tree``, or of all."""
        test = self.filter.test()
        keys = sorted(self.cards, key=lambda key: self.cards[key][0])
        cards = [
            [ask for ask in self.asks if card_key(ask) == key]
            for key in keys
            if tree in (None, self.cards[key][1])
        ]
        return [asks for asks in cards if test(asks[0])]

    def rows(self) -> list[str]:
        rows = []
        for tree, tag in sorted(self.trees.items(), key=lambda item: item[1]):
            cards, folded = self.cards_of(tree), tree in self.folded
            if len(cards) > 1:
                rows.append(f"{'+' if folded else '-'}{tag}")
            if len(cards) == 1 or not folded:
                rows += [",".join(str(ask.number) for ask in asks) for asks in cards]
        return rows


_CHANGES = st.one_of(
    st.tuples(st.just("ask"), st.integers(1, 4), st.integers(1, 3)),
    st.tuples(st.just("end"), st.integers(1, 40), st.just(0)),
    st.tuples(st.just("fold"), st.integers(1, 40), st.integers(0, 1)),
    st.tuples(st.just("filter"), st.integers(0, 3), st.integers(0, 1)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_CHANGES, max_size=60), st.booleans())
def test_the_board_is_what_a_plain_list_would_be(
    changes: list[tuple[str, int, int]], look_back: bool
) -> None:
    model, made, number = Model(), Board(), 0
    olds: list[tuple[Board, list[Ask], int]] = []
    for what, one, two in changes:
        if look_back:
            olds.append((made, list(model.asks), made.hidden))
        if what == "ask":
            number += 1
            asking = by(one * 100, Kind.NET_EGRESS, f"host{two}:443", number + 5000, number=number)
            made = made.plus(asking)
            model.plus(asking)
        elif what == "end":
            made = made.minus(one)
            model.minus(one)
        elif what == "fold":
            known = made.asks.get(one)
            made = made.fold(one, bool(two))
            if known:
                (model.folded.add if two else model.folded.discard)(model.cards[card_key(known)][1])
        else:
            model.filter = Filter(f"{'!' * two}host{one}" if one else "")
            made = made.narrow(model.filter)
        assert seen(made) == model.rows()
        assert list(made.asks) == model.asks
        assert made.hidden == model.hidden()
        for place, row in enumerate(made.rows):
            cards = [row] if isinstance(row, Card) else list(row.passing)
            if isinstance(row, Tree):
                assert row.shown == len(cards) == sum(row.kinds.values())
            if isinstance(row, Card):
                assert {made.place(ask.number) for ask in row.asks} == {place}
                assert made.at(place) == row.asks[0].number
    for old, asks, hidden in olds[-3:]:
        assert (list(old.asks), old.hidden) == (asks, hidden)
        assert {ask.number for card in map(old.card, range(1, number + 1)) if card for ask in card.asks} == {
            ask.number for ask in asks
        }


@pytest.mark.parametrize(
    ("sort", "many"), [("alone", 30_000), ("one command", 100_000), ("identical", 30_000)]
)
def test_very_many_cost_a_few_seconds_and_a_change_among_them_a_moment(sort: str, many: int) -> None:
    begun = time.process_time()
    made = Board()
    for n in range(1, many + 1):
        tool = n + 1000 if sort == "alone" else 500
        target = "host:443" if sort == "identical" else f"host{n}:443"
        made = made.plus(by(tool, Kind.NET_EGRESS, target, n + 200_000, number=n))
    assert time.process_time() - begun < 20
    begun = time.process_time()
    for n in (1, many // 2, many, 2, 3):
        made = made.minus(n)
        assert made.place(n + 1 if n < many else n - 1) is not None
        made.moved(many // 3, 1)
    assert time.process_time() - begun < 0.5
    begun = time.process_time()
    made = made.narrow(Filter("host99")).fold(many // 3, True).narrow(Filter())
    assert time.process_time() - begun < 5
