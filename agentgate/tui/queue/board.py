"""The questions as they stand in the queue: cards, the commands they belong to, what is folded or filtered.

A `Board` is a value like `Asks`: adding to it gives another one. What it knows of cards and rows stands in a
`_Index` that the newest board and the ones before it share, and that only the newest may change: a board
whose index went on makes itself a new one from its questions. So the usual case, one board after the other,
costs a few list operations at a hundred thousand questions, and an older board still tells what waited.

Rows are in the order in which commands and, within them, cards first came; nothing that waits changes its
place (but on an older board, that has forgotten what came before). A command of two cards or more has a row
of its own above them, the header; a folded one only that.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Hashable, Iterator

from agentgate.actions import Kind
from agentgate.gate.events import Ask
from agentgate.tui.queue.asks import Asks
from agentgate.tui.queue.filters import Filter
from agentgate.tui.queue.grouping import card_key, tree_key

__all__ = ["Board", "Card", "Row", "Tree"]


class Card:
    """Questions that share an answer, oldest first. ``tag`` is the number of the first that it ever had:
    its name, which no other card ever has."""

    __slots__ = ("asks", "key", "kind", "order", "passes", "tag", "tree")

    def __init__(self, key: Hashable, ask: Ask, tree: Tree, passes: bool) -> None:
        self.key, self.tree, self.passes = key, tree, passes
        self.asks = Asks((ask,))
        self.kind = ask.action.kind
        self.tag = ask.number
        self.order = (tree.tag, ask.number)

    @property
    def first(self) -> Ask:
        """The oldest of them: the one that stands for the card."""
        return self.asks[0]

    @property
    def newest(self) -> int:
        return self.asks[-1].number

    def upto(self, number: int) -> list[Ask]:
        """Its questions up to ``number``: those that were there when that was the newest."""
        return [ask for ask in self.asks if ask.number <= number]


class Tree:
    """The cards that one command of the agent was the first to have, in order. ``shown`` counts those that
    pass the filter, ``kinds`` the same by kind; ``newest`` is the highest number that any of its questions
    had."""

    __slots__ = ("cards", "folded", "key", "kinds", "newest", "order", "shown", "tag")

    def __init__(self, key: Hashable, tag: int, folded: bool) -> None:
        self.key, self.tag, self.folded = key, tag, folded
        self.newest = tag
        self.order = (tag, 0)
        self.cards: list[Card] = []
        self.shown = 0
        self.kinds: Counter[Kind] = Counter()

    def count(self, card: Card, by: int) -> None:
        """``card``, which passes the filter, came (1) or went (-1)."""
        self.shown += by
        self.kinds[card.kind] += by

    @property
    def passing(self) -> Iterator[Card]:
        return (card for card in self.cards if card.passes)

    @property
    def first(self) -> Ask:
        """The question that a folded header stands on: the oldest card's that passes the filter."""
        return next(self.passing).first

    def upto(self, number: int) -> list[Ask]:
        """The questions up to ``number`` of the cards that pass the filter."""
        return [ask for card in self.passing for ask in card.upto(number)]


Row = Card | Tree
"""A row of the queue: a card, or the header of a command."""


def _order(row: Row) -> tuple[int, int]:
    return row.order


class _Index:
    """Cards and rows of one board at a time: of the one that has its ``version``."""

    def __init__(self, asks: Asks, folded: frozenset[Hashable], filter: Filter) -> None:
        self.version = 0
        self.rows: list[Row] = []
        self.by_tag: dict[int, Card] = {}
        self.hidden = 0  # questions that do not pass the filter
        self._cards: dict[Hashable, Card] = {}
        self._trees: dict[Hashable, Tree] = {}
        self._folded = folded
        self._passes: Callable[[Ask], bool] | None = filter.test() if filter else None
        for ask in asks:
            self.add(ask)

    def card(self, ask: Ask) -> Card:
        return self._cards[card_key(ask)]

    def add(self, ask: Ask) -> None:
        key = card_key(ask)
        card = self._cards.get(key)
        if card is None:
            card = self._open(key, ask)
        else:
            card.asks = card.asks.plus(ask)
        card.tree.newest = max(card.tree.newest, ask.number)
        self.hidden += not card.passes

    def _open(self, key: Hashable, ask: Ask) -> Card:
        name = tree_key(ask)
        tree = self._trees.get(name)
        if tree is None:
            tree = self._trees[name] = Tree(name, ask.number, name in self._folded)
        card = Card(key, ask, tree, self._passes is None or self._passes(ask))
        self._cards[key] = self.by_tag[card.tag] = card
        insort(tree.cards, card, key=_order)
        if card.passes:
            tree.count(card, 1)
            if tree.shown == 2:
                self._put(tree)
                if tree.folded:
                    self._drop(next(tree.passing))
            if not tree.folded or tree.shown == 1:
                self._put(card)
        return card

    def remove(self, ask: Ask) -> Hashable | None:
        """Take ``ask`` out; the key of its tree when that is gone now."""
        card = self._cards[card_key(ask)]
        tree = card.tree
        self.hidden -= not card.passes
        card.asks = card.asks.minus(ask.number)
        if card.asks:
            return None
        del self._cards[card.key], self.by_tag[card.tag]
        if card.passes:
            if not tree.folded or tree.shown == 1:
                self._drop(card)
            tree.count(card, -1)
            if tree.shown == 1:
                self._drop(tree)
        del tree.cards[bisect_left(tree.cards, card.order, key=_order)]
        if tree.shown == 1 and card.passes and tree.folded:
            self._put(next(tree.passing))
        if tree.cards:
            return None
        del self._trees[tree.key]
        return tree.key

    def fold(self, tree: Tree, folded: bool) -> None:
        """Show only the header of ``tree``, or all of it."""
        if tree.folded is folded:
            return
        tree.folded = folded
        if tree.shown < 2:
            return
        start = self.place(tree) + 1
        if folded:
            self.rows[start : start + tree.shown] = []
        else:
            self.rows[start:start] = tree.passing

    def narrow(self, filter: Filter) -> None:
        """Show what passes ``filter``; everything keeps its place."""
        self._passes = filter.test() if filter else None
        self.hidden, self.rows = 0, []
        for tree in sorted(self._trees.values(), key=_order):
            tree.shown, tree.kinds = 0, Counter()
            for card in tree.cards:
                card.passes = self._passes is None or self._passes(card.first)
                if card.passes:
                    tree.count(card, 1)
                else:
                    self.hidden += len(card.asks)
            if tree.shown > 1:
                self.rows.append(tree)
            if not tree.folded or tree.shown == 1:
                self.rows += tree.passing

    def place(self, row: Row) -> int:
        return bisect_left(self.rows, row.order, key=_order)

    def _put(self, row: Row) -> None:
        if not self.rows or self.rows[-1].order < row.order:
            self.rows.append(row)
        else:
            insort(self.rows, row, key=_order)

    def _drop(self, row: Row) -> None:
        del self.rows[self.place(row)]


_NONE, _ALL = Asks(), Filter()


class Board:
    """Immutable. Reads of ``rows``, ``card`` and the like are true of this board, whatever came after."""

    __slots__ = ("_at", "_folded", "_index", "_version", "asks", "filter")

    def __init__(
        self, asks: Asks = _NONE, folded: frozenset[Hashable] = frozenset(), filter: Filter = _ALL
    ) -> None:
        self.asks = asks
        self.filter = filter
        self._folded = folded
        self._index: _Index | None = None
        self._version = 0

    def _after(self, asks: Asks, folded: frozenset[Hashable], index: _Index) -> Board:
        """The board that ``index`` belongs to from now on."""
        made = Board(asks, folded, self.filter)
        index.version += 1
        made._index, made._version = index, index.version
        return made

    @property
    def _own(self) -> _Index:
        if self._index is None or self._index.version != self._version:
            self._index, self._version = _Index(self.asks, self._folded, self.filter), 0
        return self._index

    # How it changes

    def plus(self, ask: Ask) -> Board:
        index = self._own
        index.add(ask)
        return self._after(self.asks.plus(ask), self._folded, index)

    def minus(self, number: int) -> Board:
        """Without question ``number``; itself when that is not here."""
        ask = self.asks.get(number)
        if ask is None:
            return self
        index = self._own
        gone = index.remove(ask)
        folded = self._folded - {gone} if gone in self._folded else self._folded
        return self._after(self.asks.minus(number), folded, index)

    def fold(self, number: int, folded: bool) -> Board:
        """With the command that question ``number`` belongs to folded, or not."""
        card = self.card(number)
        if card is None or card.tree.folded is folded:
            return self
        tree, index = card.tree, self._own
        index.fold(tree, folded)
        names = self._folded | {tree.key} if folded else self._folded - {tree.key}
        return self._after(self.asks, names, index)

    def of(self, asks: Asks) -> Board:
        """These questions instead, folded and filtered alike."""
        return Board(asks, self._folded, self.filter)

    def narrow(self, filter: Filter) -> Board:
        """With another filter."""
        if filter == self.filter:
            return self
        index = self._own
        index.narrow(filter)
        made = self._after(self.asks, self._folded, index)
        made.filter = filter
        return made

    # What it says

    @property
    def rows(self) -> list[Row]:
        """To be read only, and only while this is the newest board."""
        return self._own.rows

    @property
    def hidden(self) -> int:
        """How many questions do not pass the filter."""
        return self._own.hidden

    def card(self, number: int | None) -> Card | None:
        """The card of question ``number``, filtered out or not."""
        ask = self.asks.get(number)
        return self._own.card(ask) if ask else None

    def card_of(self, tag: int) -> Card | None:
        """The card of this name."""
        return self._own.by_tag.get(tag)

    def tag(self, number: int) -> int | None:
        """The name of the card of question ``number``."""
        card = self.card(number)
        return card.tag if card else None

    def sees(self, tag: int) -> bool:
        """Whether there is a card of this name that passes the filter."""
        card = self.card_of(tag)
        return card is not None and card.passes

    def row_of(self, number: int | None) -> Row | None:
        """The row that question ``number`` is seen on: its card, or the header that it is folded into."""
        card = self.card(number)
        if card is None or not card.passes:
            return None
        return card.tree if card.tree.folded and card.tree.shown > 1 else card

    def place(self, number: int | None) -> int | None:
        """Where that row is."""
        row = self.row_of(number)
        return None if row is None else self._own.place(row)

    def at(self, place: int) -> int | None:
        """The number of the question that row ``place`` is about, or of the nearest row that can be stood
        on (a header only when folded); None when nothing is to be seen."""
        rows = self._own.rows
        if not rows:
            return None
        place = min(max(place, 0), len(rows) - 1)
        row = rows[place]
        if isinstance(row, Tree) and not row.folded:
            row = rows[place + 1]
        return row.first.number

    def moved(self, number: int | None, by: int) -> int | None:
        """The number of the question that is ``by`` rows further down."""
        place = self.place(number)
        if place is None:
            return self.at(0)
        rows = self._own.rows
        to = min(max(place + by, 0), len(rows) - 1)
        row = rows[to]
        if isinstance(row, Tree) and not row.folded:  # a header is passed over
            to += 1 if by > 0 else -1
            if to < 0:
                return rows[place].first.number
        return self.at(to)
