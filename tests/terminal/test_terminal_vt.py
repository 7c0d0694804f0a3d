"""What the emulator must do, whichever core is under it: the everyday sequences, modes and replies."""

from __future__ import annotations

import weakref

import pytest
from rich.cells import cell_len

from agentgate.tui.terminal.cells import CellStyle
from agentgate.tui.terminal.vt import Vt

pytestmark = pytest.mark.timeout(30)

ESC, CSI = "\x1b", "\x1b["


class Screen:
    """A terminal whose frames are put together to a whole screen, as the pane does."""

    def __init__(self, rows: int = 5, cols: int = 10, scrollback: int = 1000) -> None:
        self.vt = Vt(rows, cols, scrollback)
        self.runs: dict[int, list[tuple[str, CellStyle]]] = {}

    def feed(self, *data: str | bytes) -> bytes:
        reply = b""
        for piece in data:
            reply += self.vt.feed(piece.encode() if isinstance(piece, str) else piece)
        return reply

    def update(self) -> None:
        frame = self.vt.frame()
        self.runs |= frame.rows
        self.cursor = frame.cursor

    @property
    def lines(self) -> list[str]:
        self.update()
        return ["".join(text for text, _ in self.runs[y]).rstrip() for y in range(self.vt.size[0])]

    @property
    def at(self) -> tuple[int, int]:
        self.update()
        return self.cursor.row, self.cursor.col

    def style(self, row: int, col: int) -> CellStyle:
        self.update()
        x = 0
        for text, style in self.runs[row]:
            x += cell_len(text)
            if col < x:
                return style
        raise IndexError(col)


@pytest.fixture
def screen() -> Screen:
    return Screen()


def rows(*lines: str, count: int = 5) -> list[str]:
    return [*lines, *[""] * (count - len(lines))]


FILL = "11111\r\n22222\r\n33333\r\n44444\r\n55555"

DRAWING = {
    # name: (what the child writes, the screen after it)
    "text wraps at the margin": ("abcdefghijkl", rows("abcdefghij", "kl")),
    "the wrap waits for the next character": ("abcdefghij\rX", rows("Xbcdefghij")),
    "without DECAWM the last column is overwritten": (f"{CSI}?7labcdefghijkl", rows("abcdefghil")),
    "backspace, carriage return, line feed": ("abc\b\bX\r\nd\rY", rows("aXc", "Y")),
    "tabs": ("a\tb", rows("a       b")),
    "a tab stop of one's own": (f"{CSI}3g{CSI}1;4H{ESC}H\ra\tb", rows("a  b")),
    "CUP": (f"{CSI}3;4Hx{CSI}Hy", rows("y", "", "   x")),
    "CUU CUD CUF CUB": (f"{CSI}3;3H{CSI}2Aa{CSI}2Bb{CSI}2Cc{CSI}5Dd", rows("  a", "", "  db  c")),
    "CHA, VPA": (f"{CSI}5Ga{CSI}3db", rows("    a", "", "     b")),
    "CUP beyond the margin is clamped": (f"{CSI}99;99Hx", ["", "", "", "", "         x"]),
    "DECSC, DECRC": (f"{CSI}2;2H{ESC}7{CSI}5;5Hx{ESC}8y", ["", " y", "", "", "    x"]),
    "EL right, left, all": (
        f"abcdef{CSI}4D{CSI}K\r\nabcdef{CSI}4D{CSI}1K\r\nabcdef{CSI}2Kx",
        rows("ab", "   def", "      x"),
    ),
    "ED below": (f"{FILL}{CSI}3;3H{CSI}J", rows("11111", "22222", "33")),
    "ED above": (f"{FILL}{CSI}3;3H{CSI}1J", ["", "", "   33", "44444", "55555"]),
    "ED all keeps the cursor": (f"{FILL}{CSI}3;3H{CSI}2Jx", rows("", "", "  x")),
    "IL": (f"{FILL}{CSI}2;1H{CSI}2L", ["11111", "", "", "22222", "33333"]),
    "DL": (f"{FILL}{CSI}2;1H{CSI}2M", rows("11111", "44444", "55555")),
    "ICH": (f"abcdef{CSI}1;3H{CSI}2@", rows("ab  cdef")),
    "DCH": (f"abcdef{CSI}1;3H{CSI}2P", rows("abef")),
    "ECH": (f"abcdef{CSI}1;3H{CSI}2X", rows("ab  ef")),
    "REP": (f"a{CSI}3b", rows("aaaa")),
    "insert mode": (f"abc\r{CSI}4hX{CSI}4l", rows("Xabc")),
    "scroll region": (f"{FILL}{CSI}2;4r{CSI}4;1H\nnew", ["11111", "33333", "44444", "new", "55555"]),
    "reverse index at the top of the region": (
        f"{FILL}{CSI}2;4r{CSI}2;1H{ESC}Mnew",
        ["11111", "new", "22222", "33333", "55555"],
    ),
    "SU, SD": (f"{FILL}{CSI}2S{CSI}1T", ["", "33333", "44444", "55555", ""]),
    "origin mode": (f"{CSI}2;4r{CSI}?6h{CSI}1;1Hx", rows("", "x")),
    "DECALN and RIS": (f"{ESC}#8{ESC}cx", rows("x")),
    "line drawing": (f"{ESC}(0lqk{ESC}(B", rows("┌─┐")),
    "the alternate screen gives the first one back": (
        f"shell{CSI}?1049h{CSI}2J{CSI}Hvim{CSI}?1049l",
        rows("shell"),
    ),
    "wide characters": ("你好a", rows("你好a")),
    "a wide character does not fit in the last cell": ("abcdefghi你", rows("abcdefghi", "你")),
    "half a wide character is wiped": (f"你{CSI}1;2Hx", rows(" x")),
    "combining": ("e\u0301x", rows("e\u0301x")),
    "a family is one character": ("👨‍👩‍👧x", rows("👨‍👩‍👧x")),
    "OSC 8 leaves only its text": (f"{ESC}]8;;http://x/{ESC}\\link{ESC}]8;;{ESC}\\!", rows("link!")),
    "strings that nobody knows are swallowed": (
        f"{ESC}_Gx{ESC}\\{ESC}^pm{ESC}\\{ESC}P1$x{ESC}\\ok",
        rows("ok"),
    ),
    "CNL, CPL": (f"{CSI}3;5H{CSI}2Ea{CSI}3Fb", rows("", "b", "", "", "a")),
    "HPA, HPR, VPR, HVP": (f"{CSI}3`a{CSI}2ab{CSI}2ec{CSI}2;2fd", rows("  a  b", " d", "      c")),
    "CHT, CBT": (f"{CSI}Ia{CSI}Zb", rows("        b")),
    "IND, NEL": (f"ab{ESC}Dc{ESC}Ed", rows("ab", "  c", "d")),
    "SCOSC, SCORC": (f"{CSI}2;3H{CSI}s{CSI}Hx{CSI}uy", rows("x", "  y")),
    "modes 1047 and 1048": (f"ab{CSI}?1048h{CSI}?1047hcd{CSI}?1047l{CSI}?1048lx", rows("abx")),
    "mode 47": (f"ab{CSI}?47h{CSI}2J{CSI}?47l{CSI}1;3Hx", rows("abx")),
    "margins left and right": (
        f"{CSI}?69h{CSI}3;5s{CSI}1;3Habcdefg{CSI}?69l",
        rows("  abc", "  def", "  g"),
    ),
    "IL only within the region": (
        f"{FILL}{CSI}2;4r{CSI}5;1H{CSI}L{CSI}3;1H{CSI}L",
        ["11111", "22222", "", "33333", "55555"],
    ),
    "LF below the region does not scroll": (
        f"{FILL}{CSI}1;3r{CSI}5;1H\nx",
        [*FILL.split("\r\n")[:4], "x5555"],
    ),
    "CAN and SUB end a sequence": (f"a{CSI}3\x18b{CSI}3\x1ac", rows("abc")),
    "ESC begins another sequence": (f"a{CSI}3{CSI}Cb", rows("a b")),
    "a control inside a sequence acts": (f"ab{CSI}\r2Cx", rows("abx")),
    "a sequence that nobody knows is swallowed": (f"a{CSI}?12;99;5%vb{CSI}<1;2;3Mc{ESC}%Gd", rows("abcd")),
    "numbers beyond all bounds": (
        f"{CSI}99999999999999999999Ca{CSI}65536;65536Hb{CSI}0;0Hc",
        [
            "c        a",
            "",
            "",
            "",
            "         b",
        ],
    ),
    "a wide character in the last cell of a line without wrapping": (
        f"{CSI}?7labcdefghi你x",
        rows("abcdefghix"),
    ),
    "erasing the left half takes the right one": (f"a你b{CSI}1;2H{CSI}Xc", rows("ac b")),
    "overwriting the right half takes the left one": (f"a你b{CSI}1;3Hc", rows("a cb")),
    "a mark on nothing": ("\u0301a", rows("a")),
    "SO, SI": (f"{ESC})0a\x0eqx\x0fb", rows("a─│b")),
    "REP of a wide character": (f"你{CSI}2b", rows("你你你")),
    "SL and SR are not here, and swallowed": (f"abc{CSI}1 @d", rows("abcd")),
    "insert mode pushes off the margin": (f"abcdefghij\r{CSI}4hXY", rows("XYabcdefgh")),
    "bytes that are not UTF-8": (b"a\xff\xc3(b", rows("a\ufffd\ufffd(b")),
}


@pytest.mark.parametrize("name", DRAWING)
def test_drawing(screen: Screen, name: str) -> None:
    written, expected = DRAWING[name]
    screen.feed(written)
    assert screen.lines == expected


@pytest.mark.parametrize("name", DRAWING)
def test_drawing_bytewise_is_the_same(screen: Screen, name: str) -> None:
    written, expected = DRAWING[name]
    data = written if isinstance(written, bytes) else written.encode()
    for n in range(len(data)):
        screen.feed(data[n : n + 1])
        screen.update()
    assert screen.lines == expected


def test_only_changed_rows_come(screen: Screen) -> None:
    screen.feed(FILL)
    assert sorted(screen.vt.frame().rows) == [0, 1, 2, 3, 4]
    assert screen.vt.frame().rows == {}
    screen.feed(f"{CSI}2;1HX")
    frame = screen.vt.frame()
    assert 1 in frame.rows
    assert not {0, 2, 3} & set(frame.rows)


@pytest.mark.parametrize("text", ["你", "👩‍💻", "❤️", "👍🏽", "🇩🇪", "1️⃣"])
def test_wide_clusters_take_two_cells(screen: Screen, text: str) -> None:
    screen.feed(text)
    assert screen.at == (0, 2)
    screen.update()
    assert [sum(cell_len(t) for t, _ in screen.runs[y]) for y in range(5)] == [10] * 5


def test_clusters_stay_on_after_a_reset(screen: Screen) -> None:
    screen.feed(f"{ESC}c👩‍💻")
    assert screen.at == (0, 2)
    assert screen.feed(f"{CSI}?2027$p") == b"\x1b[?2027;1$y"


# Styles


@pytest.mark.parametrize(
    ("sgr", "fg"),
    [
        ("38;2;1;2;3", (1, 2, 3)),
        ("38:2:1:2:3", (1, 2, 3)),
        ("38:2::1:2:3", (1, 2, 3)),
        ("38;5;196", (255, 0, 0)),
        ("38:5:21", (0, 0, 255)),
        ("31", (9, 0, 0)),
        ("91", (9, 9, 9)),
    ],
)
def test_colours(screen: Screen, sgr: str, fg: tuple[int, int, int]) -> None:
    palette = [(0, 0, 0), (9, 0, 0), *[(0, 0, 0)] * 7, (9, 9, 9)]
    screen.vt.set_colors((200, 200, 200), (10, 10, 10), palette)
    screen.feed(f"{CSI}{sgr}mx{CSI}39my{CSI}0m")
    assert screen.style(0, 0).fg == fg
    assert screen.style(0, 0).bg == (10, 10, 10)
    assert screen.style(0, 1).fg == (200, 200, 200)


@pytest.mark.parametrize(
    ("sgr", "what", "value"),
    [
        ("1", "bold", True),
        ("2", "dim", True),
        ("3", "italic", True),
        ("4", "underline", 1),
        ("4:2", "underline", 2),
        ("21", "underline", 2),
        ("4:3", "underline", 3),
        ("4:3;58:2::9:8:7", "underline", 3),
        ("5", "blink", True),
        ("7", "reverse", True),
        ("8", "hidden", True),
        ("9", "strike", True),
        ("53", "overline", True),
    ],
)
def test_attributes(screen: Screen, sgr: str, what: str, value: object) -> None:
    screen.feed(f"{CSI}{sgr}mx{CSI}0my")
    assert getattr(screen.style(0, 0), what) == value
    assert not getattr(screen.style(0, 1), what)


@pytest.mark.parametrize("sgr", ["48;2;1;2;3", "48;5;16"])
def test_erasing_leaves_the_background(screen: Screen, sgr: str) -> None:
    screen.feed(f"{CSI}{sgr}m{CSI}K{CSI}0m")
    assert screen.style(0, 9).bg == ((1, 2, 3) if "2;1" in sgr else (0, 0, 0))
    assert screen.style(1, 0).bg == (0x12, 0x12, 0x12)


def test_colours_of_a_theme_repaint_everything(screen: Screen) -> None:
    screen.feed(f"a{CSI}31mb")
    screen.update()
    screen.vt.set_colors((1, 1, 1), (2, 2, 2), [(0, 0, 0), (3, 3, 3)])
    assert sorted(screen.vt.frame().rows) == [0, 1, 2, 3, 4]
    screen.feed(f"{CSI}H{CSI}0ma{CSI}31mb")
    assert screen.style(0, 0).fg == (1, 1, 1)
    assert screen.style(0, 1).fg == (3, 3, 3)


def test_modify_other_keys_is_no_underline(screen: Screen) -> None:
    screen.feed(f"{CSI}>4;2m{CSI}?4mx")
    assert screen.style(0, 0).underline == 0
    assert screen.lines == rows("x")


def test_cursor(screen: Screen) -> None:
    assert screen.vt.frame().cursor.visible
    screen.feed(f"{CSI}?25l")
    assert not screen.vt.frame().cursor.visible
    screen.feed(f"{CSI}?25h{CSI}6 q")
    assert screen.vt.frame().cursor.shape == "bar"
    screen.feed(f"{CSI}4 q")
    assert screen.vt.frame().cursor.shape == "underline"
    screen.feed(f"{CSI}2 q你{CSI}D")
    assert screen.vt.frame().cursor.shape == "block"
    assert screen.at == (0, 0)


# Modes and size


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        (1, "app_cursor"),
        (1000, "mouse_tracking"),
        (1002, "mouse_tracking"),
        (1003, "mouse_tracking"),
        (1004, "focus_events"),
        (1007, "alternate_scroll"),
        (1049, "alternate_screen"),
        (2004, "bracketed_paste"),
        (2026, "synchronized"),
    ],
)
def test_modes(screen: Screen, mode: int, name: str) -> None:
    screen.feed(f"{CSI}?{mode}h")
    assert getattr(screen.vt, name) is True
    screen.feed(f"{CSI}?{mode}l")
    assert getattr(screen.vt, name) is False


def test_resize_reflows_and_back(screen: Screen) -> None:
    screen.feed("abcdefghijklmno\r\n$ ")
    screen.vt.resize(5, 20)
    assert screen.lines == rows("abcdefghijklmno", "$")
    screen.vt.resize(5, 5)
    assert screen.lines == rows("abcde", "fghij", "klmno", "$")
    screen.vt.resize(5, 10)
    assert screen.lines == rows("abcdefghij", "klmno", "$")
    assert screen.vt.size == (5, 10)


def test_in_band_size_report(screen: Screen) -> None:
    assert screen.feed(f"{CSI}?2048h").startswith(b"\x1b[48;5;10;")
    assert screen.vt.resize(7, 30).startswith(b"\x1b[48;7;30;")


def test_history(screen: Screen) -> None:
    screen.feed("\r\n".join(str(n) for n in range(100)))
    assert screen.lines[-1] == "99"
    assert not screen.vt.scrolled
    screen.vt.scroll(-20)
    assert screen.vt.scrolled
    assert screen.lines[-1] == "79"
    assert not screen.vt.frame().cursor.visible
    screen.feed("\r\nmore")
    assert screen.lines[-1] == "79", "what is read stays in place while output goes on"
    bar = screen.vt.scrollbar
    assert (bar.total, bar.offset, bar.length) == (101, 75, 5)
    screen.vt.scroll_to_bottom()
    assert screen.lines[-1] == "more"
    screen.vt.scroll(-1000)
    assert screen.lines[0] == "0"


def test_history_is_kept_in_lines_not_bytes() -> None:
    screen = Screen(24, 80, scrollback=10_000)
    screen.feed("".join(f"{n:078}\r\n" for n in range(12_000)))
    assert 10_000 <= screen.vt.scrollbar.total <= 10_600


# Replies


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        (f"{CSI}c", b"\x1b[?62;22c"),
        (f"{CSI}>c", b"\x1b[>1;0;0c"),
        (f"{CSI}5n", b"\x1b[0n"),
        (f"{CSI}3;4H{CSI}6n", b"\x1b[3;4R"),
        (f"{CSI}?2026$p", b"\x1b[?2026;2$y"),
        (f"{CSI}?2026h{CSI}?2026$p", b"\x1b[?2026;1$y"),
        (f"{CSI}?2004$p", b"\x1b[?2004;2$y"),
        (f"{CSI}?1006$p", b"\x1b[?1006;2$y"),
        (f"{CSI}?2031$p", b"\x1b[?2031;2$y"),
        (f"{CSI}?9999$p", b"\x1b[?9999;0$y"),
        (f"{CSI}>q", b"\x1bP>|libghostty\x1b\\"),
        (f"{CSI}?u", b"\x1b[?0u"),
        (f"{CSI}>5u{CSI}?u", b"\x1b[?5u"),
        (f"{ESC}]10;?{ESC}\\", b"\x1b]10;rgb:e0e0/e0e0/e0e0\x1b\\"),
        (f"{ESC}]11;?\a", b"\x1b]11;rgb:1212/1212/1212\x07"),
        (f"{ESC}]4;1;?\a", b"\x1b]4;1;rgb:cccc/6666/6666\x07"),
        (f"{CSI}18t", b"\x1b[8;5;10t"),
        (f"{CSI}14t", b"\x1b[4;80;80t"),
        (f"{CSI}?996n", b"\x1b[?997;1n"),
    ],
)
def test_replies(screen: Screen, query: str, reply: bytes) -> None:
    assert screen.feed(query) == reply
    assert screen.feed("x") == b""


@pytest.mark.parametrize(
    "query",
    [
        f"{ESC}]52;c;?\a",
        f"{ESC}]52;p;?{ESC}\\",
        f"{ESC}]52;c;aGVsbG8=\a",
        f"{ESC}]2;evil\a{CSI}21t",
        f"{ESC}]777;notify;a;b\a",
        "\x05",
        f"{ESC}_Gi=1,a=q,s=1,v=1;AAAA{ESC}\\",
        f"{ESC}_Gi=1,t=f,a=T;L2V0Yy9wYXNzd2Q={ESC}\\",
    ],
)
def test_what_the_child_may_not_have_is_silent(screen: Screen, query: str) -> None:
    assert screen.feed(query) == b""
    assert screen.lines == rows()


def test_title_is_made_safe(screen: Screen) -> None:
    screen.feed(f"{ESC}]2;a\u202eb\u200b\x07")
    assert screen.vt.title == "a\\u202eb\\u200b"
    screen.feed(f"{ESC}]0;{'x' * 500}{ESC}\\")
    assert len(screen.vt.title) < 300
    assert "more characters" in screen.vt.title


def test_bell_is_counted(screen: Screen) -> None:
    screen.feed("\a\a")
    assert screen.vt.bells == 2
    screen.feed(f"{ESC}]2;t\a")
    assert screen.vt.bells == 2


def test_nothing_keeps_a_terminal_alive() -> None:
    vt = Vt(5, 10)
    vt.feed(b"x\x07\x1b]2;t\x07\x1b[c")
    vt.frame()
    ref = weakref.ref(vt)
    del vt
    assert ref() is None


def test_a_child_that_wants_to_know_is_told_of_light_and_dark(screen: Screen) -> None:
    assert screen.vt.set_colors((0, 0, 0), (255, 255, 255)) == b""
    screen.feed(f"{CSI}?2031h")
    assert screen.vt.set_colors((255, 255, 255), (0, 0, 0)) == b"\x1b[?997;1n"
    assert screen.vt.set_colors((255, 255, 255), (9, 9, 9)) == b""
    assert screen.vt.set_colors((0, 0, 0), (255, 255, 255)) == b"\x1b[?997;2n"
    assert screen.feed(f"{CSI}?996n") == b"\x1b[?997;2n"
