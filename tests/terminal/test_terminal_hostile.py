"""Whatever the child writes: no crash, no control characters out, and rows of exactly the right width."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from agentgate.tui.terminal.cells import fit_cell
from agentgate.tui.terminal.keys import Mods, key_press
from agentgate.tui.terminal.vt import Vt

pytestmark = pytest.mark.timeout(100)

numbers = st.lists(st.integers(0, 70_000) | st.sampled_from([0, 1, 2, 5, 38, 48]), max_size=5)
csi = st.builds(
    lambda prefix, args, sep, mid, final: f"\x1b[{prefix}{sep.join(map(str, args))}{mid}{final}".encode(),
    st.sampled_from(["", "?", ">", "<", "="]),
    numbers,
    st.sampled_from([";", ":"]),
    st.sampled_from(["", "", "", "$", " ", "!", '"']),
    st.characters(min_codepoint=0x40, max_codepoint=0x7E),
)
modes = st.builds(
    lambda mode, onoff: f"\x1b[?{mode}{onoff}".encode(),
    st.sampled_from(
        [1, 3, 5, 6, 7, 9, 25, 47, 69, 1000, 1002, 1003, 1004, 1006, 1016, 1049, 2004, 2026, 2027, 2048]
    ),
    st.sampled_from("hl"),
)
strings = st.builds(
    lambda kind, body, end: kind + body + end,
    st.sampled_from(
        [b"\x1b]", b"\x1b]2;", b"\x1b]8;;", b"\x1b]52;c;", b"\x1bP", b"\x1b_G", b"\x1b^", b"\x1bX"]
    ),
    st.binary(max_size=40),
    st.sampled_from([b"\x07", b"\x1b\\", b""]),
)
unicode_text = st.text(
    st.characters(exclude_categories=["Cs"])
    | st.sampled_from("\u200d\ufe0f\u202e\u0301\u20e3👩🇩🏽你\u200b\u2066é"),
    max_size=30,
).map(str.encode)
piece = (
    csi
    | modes
    | strings
    | unicode_text
    | st.binary(max_size=60)
    | st.sampled_from([b"\x1bc", b"\x1bM", b"\r\n", b"\t"])
)
size = st.tuples(st.integers(1, 30), st.integers(1, 60))


def check_frame(vt: Vt) -> None:
    rows, cols = vt.size
    frame = vt.frame()
    assert 0 <= frame.cursor.row < rows
    assert 0 <= frame.cursor.col < cols
    for y, runs in frame.rows.items():
        assert 0 <= y < rows
        assert sum(cell_len(text) for text, _ in runs) == cols, runs
        for text, style in runs:
            assert all(0 <= part <= 255 for part in (*style.fg, *style.bg))
            for char in text:
                assert char == "\u200d" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}, (
                    text
                )


@settings(max_examples=150, deadline=None)
@given(size, st.lists(piece | size, max_size=40))
@example((1, 1), ["你👩‍💻".encode(), (1, 2), b"\x1b[?2027l", "a\u202eb\u200b".encode()])
def test_anything(start: tuple[int, int], pieces: list[bytes | tuple[int, int]]) -> None:
    vt = Vt(*start, scrollback=50)
    for step in pieces:
        if isinstance(step, tuple):
            vt.resize(*step)
        else:
            vt.feed(step)
        check_frame(vt)
    vt.scroll(-7)
    check_frame(vt)
    assert vt.title == "" or vt.title.isprintable()
    for name in ("a", "ctrl+c", "up", "enter", "f5"):
        press = key_press(name)
        assert press is not None
        vt.encode_key(press)
    vt.encode_mouse("press", "left", 400, -3, Mods.CTRL)
    vt.encode_paste("x\x1b[201~\x03")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=8), st.sampled_from([1, 2]))
def test_a_cell_is_as_wide_as_it_says(text: str, width: int) -> None:
    assert cell_len(fit_cell(text, width)) == width


def test_reordering_characters_do_not_reach_the_screen() -> None:
    vt = Vt(2, 40)
    for clusters in ("h", "l"):
        vt.feed(f"\x1bc\x1b[?2027{clusters}rm \u202etxt.exe\u202c \u2066x\u2069 a\u200bb \u061c|".encode())
        text = "".join(run for run, _ in vt.frame().rows[0])
        assert not set(text) & set("\u202e\u202c\u2066\u2069\u200b\u061c")
        assert text.startswith("rm ")
        assert "txt.exe" in text


def test_a_tower_of_marks_stays_one_cell() -> None:
    vt = Vt(2, 10)
    vt.feed(("e" + "\u0301" * 5000 + "x").encode())
    (text, _), *_ = vt.frame().rows[0]
    assert len(text) < 60
    assert cell_len(text) == 10
