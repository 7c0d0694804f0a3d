"""The journal's lines, and the picture that they make: pure."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentgate.changes.entries import Entry, Item, Move, Note, Stamp, Was, absent, line, parse
from agentgate.changes.look import Change, Sort
from agentgate.changes.picture import Picture
from agentgate.changes.tree import counts, said, size, summary, tree

names = st.text("ab\x1b\udc80é ", min_size=1, max_size=4)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
items = st.one_of(
    st.builds(Entry, paths, st.sampled_from(Was), st.sampled_from(["", "7"]), st.text(max_size=5),
              st.integers(0, 0o177777)),
    st.builds(Move, paths, paths, st.booleans()),
    st.builds(Stamp, paths, st.integers(0, 2**63), st.integers(0, 9)),
    st.builds(Note, st.sampled_from(["back", "full", "sealed"]), paths | st.just("")),
)  # fmt: skip


@given(items)
def test_what_is_written_is_read(item: Item) -> None:
    assert list(parse([line(item)])) == [item]


def test_the_short_line_says_the_same() -> None:
    assert list(parse([absent("/a/\udc80\n")])) == [Entry("/a/\udc80\n", Was.NONE)]


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"\n", b"{", b"[]", b"7", b'{"k":"was"}', b'{"k":"else","path":"/a"}',
        b'{"k":"was","path":"a","was":"none"}', b'{"k":"was","path":"/a/../b","was":"none"}',
        b'{"k":"was","path":"/a//b","was":"none"}', b'{"k":"was","path":"/a\\u0000","was":"none"}',
        b'{"k":"was","path":"/a","was":"what"}', b'{"k":"was","path":"/a","was":"file","kept":"../x"}',
        b'{"k":"moved","before":"/a","after":"b"}', b'{"k":"left","path":""}',
        b'{"k":"was","path":"/a","was":"none","more":1}', b'{"k":"was","path":7,"was":"none"}',
        b'{"k":"was","path":"/a","was":"file","mode":"x"}',
    ],
)  # fmt: skip
def test_what_is_no_item_is_left_out(bad: bytes) -> None:
    assert [*parse([bad, absent("/good")])] == [Entry("/good", Was.NONE)]


def entry(path: str, was: Was = Was.FILE) -> Entry:
    return Entry(path, was, kept="1" if was is Was.FILE else "")


def test_a_directory_takes_along_what_is_known_of_its_contents() -> None:
    picture = Picture([
        entry("/p/d/x"), entry("/p/e", Was.NONE), Move("/p/d", "/p/e"),
        entry("/p/e/x"), entry("/p/d", Was.NONE),
    ])  # fmt: skip
    assert {path: [number for number, _ in known] for path, known in picture.places.items()} == {
        "/p/e/x": [0, 3], "/p/d": [4],
    }  # fmt: skip
    assert {path: renamed.origin for path, renamed in picture.renamed.items()} == {"/p/e": "/p/d"}
    assert picture.created("/p/d/y") and not picture.created("/p/e/y")


def test_moved_back_it_is_as_if_it_had_never_been_moved() -> None:
    picture = Picture([entry("/p/e", Was.DIR), Move("/p/d", "/p/e"), Move("/p/e", "/p/d")])
    assert list(picture.places) == ["/p/e"] and picture.renamed == {}


def test_moved_on_it_still_comes_from_where_it_was() -> None:
    picture = Picture([Move("/p/a", "/p/b"), Move("/p/b", "/p/c"), Move("/p/x", "/p/c/x")])
    assert {path: each.origin for path, each in picture.renamed.items()} == {
        "/p/c": "/p/a", "/p/c/x": "/p/x",
    }  # fmt: skip
    picture.add(Move("/p/c", "/p/a"))
    assert {path: each.origin for path, each in picture.renamed.items()} == {"/p/a/x": "/p/x"}


def test_two_that_were_swapped() -> None:
    picture = Picture([Move("/p/a", "/p/b", swapped=True)])
    assert {path: each.origin for path, each in picture.renamed.items()} == {"/p/a": "/p/b", "/p/b": "/p/a"}
    picture.add(Move("/p/a", "/p/b", swapped=True))
    assert picture.renamed == {}


def change(path: str, sort: Sort = Sort.CHANGED, **given: object) -> Change:
    return Change(path, sort, 0, **given)  # type: ignore[arg-type]


def test_the_tree_has_the_project_first_and_no_directory_for_one_thing() -> None:
    found = [
        change("/home/me/.npmrc"), change("/p/a/b/c/one"), change("/p/a/b/c/two"), change("/p/z"),
        change("/p/new", Sort.CREATED, folder=True), change("/p", Sort.MODE, folder=True),
    ]  # fmt: skip
    assert [(row.depth, row.name) for row in tree(found, "/p")] == [
        (0, "./"), (0, "a/b/c/"), (1, "one"), (1, "two"), (0, "new/"), (0, "z"), (0, "/home/me/.npmrc"),
    ]  # fmt: skip
    assert [row.path for row in tree(found, "/p")][1:3] == ["/p/a/b/c", "/p/a/b/c/one"]


def test_words() -> None:
    assert [size(n) for n in (0, 999, 1000, 10_240, 5 << 20, 3 << 40)] == [
        "0 B", "999 B", "1.0 KiB", "10 KiB", "5.0 MiB", "3072 GiB",
    ]  # fmt: skip
    assert said(change("/p/a", before=1, after=2)) == "1 B → 2 B"
    assert said(change("/p/a", Sort.RENAMED, origin="/p/x/b"), "/p") == "was x/b"
    assert said(change("/p/a", Sort.REMOVED, before=9, why="too large")) == "9 B, not kept: too large"
    found = [change("/p/a"), change("/p/b"), change("/p/c", Sort.MODE)]
    assert summary(found) == "2 changed, 1 with another mode" and counts(found) == "~2 ·1"
    assert json.loads(line(Move("/a", "/b"))) == {"k": "moved", "before": "/a", "after": "/b"}
