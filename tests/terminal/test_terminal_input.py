"""Keys, mouse, paste and focus, from Textual's names to the bytes a child gets."""

from __future__ import annotations

import pytest
from textual._xterm_parser import XTermParser
from textual.events import Key

from agentgate.tui.terminal.keys import KeyPress, Mods, key_press
from agentgate.tui.terminal.paste import concerns
from agentgate.tui.terminal.vt import Vt

pytestmark = pytest.mark.timeout(30)

LEGACY = {
    "a": "a",
    "A": "A",
    "é": "é",
    "你": "你",
    "space": " ",
    "exclamation_mark": "!",
    "slash": "/",
    "plus": "+",
    "minus": "-",
    "underscore": "_",
    "at": "@",
    "backslash": "\\",
    "circumflex_accent": "^",
    "left_square_bracket": "[",
    "enter": "\r",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "escape": "\x1b",
    "backspace": "\x7f",
    "ctrl+backspace": "\b",
    "alt+backspace": "\x1b\x7f",
    "delete": "\x1b[3~",
    "insert": "\x1b[2~",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "shift+up": "\x1b[1;2A",
    "alt+up": "\x1b[1;3A",
    "ctrl+left": "\x1b[1;5D",
    "ctrl+shift+right": "\x1b[1;6C",
    "shift+pageup": "\x1b[5;2~",
    "ctrl+home": "\x1b[1;5H",
    "ctrl+delete": "\x1b[3;5~",
    "f1": "\x1bOP",
    "f4": "\x1bOS",
    "f5": "\x1b[15~",
    "f12": "\x1b[24~",
    "ctrl+f5": "\x1b[15;5~",
    "shift+f1": "\x1b[1;2P",
    "alt+x": "\x1bx",
    "alt+shift+x": "\x1bX",
    "alt+enter": "\x1b\r",
    "ctrl+alt+a": "\x1b\x01",
    "ctrl+space": "\0",
    "ctrl+at": "\0",
    "ctrl+i": "\t",
    "ctrl+m": "\r",
    "ctrl+j": "\n",
    "ctrl+left_square_bracket": "\x1b",
    "ctrl+backslash": "\x1c",
    "ctrl+right_square_bracket": "\x1d",
    "ctrl+circumflex_accent": "\x1e",
    "ctrl+underscore": "\x1f",
    "ctrl+slash": "\x1f",
    "ctrl+minus": "\x1f",
    **{f"ctrl+{chr(c)}": chr(c - 96) for c in range(ord("a"), ord("z") + 1)},
}

KITTY = {
    "a": "a",
    "A": "A",
    "enter": "\r",
    "shift+enter": "\x1b[13;2u",
    "ctrl+enter": "\x1b[13;5u",
    "escape": "\x1b[27u",
    "ctrl+i": "\x1b[105;5u",
    "ctrl+a": "\x1b[97;5u",
    "ctrl+shift+a": "\x1b[97;6u",
    "alt+x": "\x1b[120;3u",
    "super+x": "\x1b[120;9u",
    "ctrl+space": "\x1b[32;5u",
    "shift+tab": "\x1b[9;2u",
    "up": "\x1b[A",
    "ctrl+backspace": "\x1b[127;5u",
    "ctrl+right_square_bracket": "\x1b[93;5u",
}


@pytest.fixture
def vt() -> Vt:
    return Vt(60, 300)


def encode(vt: Vt, name: str, character: str | None = None) -> str:
    press = key_press(name, character)
    assert press is not None, name
    return vt.encode_key(press).decode()


@pytest.mark.parametrize("name", LEGACY)
def test_legacy_keys(vt: Vt, name: str) -> None:
    assert encode(vt, name) == LEGACY[name]


@pytest.mark.parametrize("name", KITTY)
def test_kitty_keys(vt: Vt, name: str) -> None:
    vt.feed(b"\x1b[>1u")
    assert encode(vt, name) == KITTY[name]
    vt.feed(b"\x1b[<u")
    if name in LEGACY:
        assert encode(vt, name) == LEGACY[name]


def test_kitty_report_all_keys(vt: Vt) -> None:
    vt.feed(b"\x1b[>25u")
    assert encode(vt, "a") == "\x1b[97;;97u"
    assert encode(vt, "A") == "\x1b[97;2;65u"


@pytest.mark.parametrize("name", ["up", "down", "left", "right", "home", "end"])
def test_application_cursor_keys(vt: Vt, name: str) -> None:
    vt.feed(b"\x1b[?1h")
    assert encode(vt, name) == LEGACY[name].replace("\x1b[", "\x1bO")


def test_modify_other_keys_leaves_capitals_alone(vt: Vt) -> None:
    vt.feed(b"\x1b[>4;2m")
    assert encode(vt, "A") == "A"
    assert encode(vt, "shift+enter") == "\x1b[27;2;13~"
    assert encode(vt, "alt+x") == "\x1b[27;3;120~"


@pytest.mark.parametrize(
    "name", ["left_shift", "right_control", "caps_lock", "mute_volume", "hyper+a", "meta+x"]
)
def test_keys_no_terminal_passes_on(name: str) -> None:
    assert key_press(name) is None


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        # What the operator's terminal sends for a key, and what the child must get for it.
        (b"a", b"a"),
        ("ü".encode(), "ü".encode()),
        (b"\r", b"\r"),
        (b"\t", b"\t"),
        (b"\x7f", b"\x7f"),
        (b"\b", b"\x7f"),  # Textual takes both for backspace
        (b"\0", b"\0"),
        (b"\x03", b"\x03"),
        (b"\x1a", b"\x1a"),
        (b"\x1c", b"\x1c"),
        (b"\x1f", b"\x1f"),
        (b"\x1b[A", b"\x1b[A"),
        (b"\x1bOA", b"\x1b[A"),
        (b"\x1b[1;5C", b"\x1b[1;5C"),
        (b"\x1b[Z", b"\x1b[Z"),
        (b"\x1bOP", b"\x1bOP"),
        (b"\x1b[15~", b"\x1b[15~"),
        (b"\x1bx", b"\x1bx"),
        (b"\x1bX", b"\x1bX"),
        (b"\x1b[97;5u", b"\x01"),
        (b"\x1b[97;2;65u", b"A"),
        (b"\x1b[97;;97u", b"a"),
        (b"\x1b[49;2;33u", b"!"),
        (b"\x1b[93;5u", b"\x1d"),
        (b"\x1b[27u", b"\x1b"),
        (b"\x1b[9;2u", b"\x1b[Z"),
        (b"\x1b[32;5u", b"\0"),
        (b"\x1b[120;3u", b"\x1bx"),
        (b"\x1b[57399;;48u", b"0"),
        (b"\x1b[57414u", b"\r"),
    ],
)
def test_through_textual(vt: Vt, outer: bytes, inner: bytes) -> None:
    parser = XTermParser()
    tokens = [*parser.feed(outer.decode()), *parser.feed("")]
    events = [token for token in tokens if isinstance(token, Key)]
    sent = b""
    for event in events:
        press = key_press(event.key, event.character)
        assert press is not None, event
        sent += vt.encode_key(press)
    assert sent == inner


# Mouse


@pytest.mark.parametrize(
    ("modes", "event", "sent"),
    [
        ("", ("press", "left", 2, 4), b""),
        ("?1000", ("press", "left", 2, 4), b"\x1b[M %#"),
        ("?1000", ("release", "left", 2, 4), b"\x1b[M#%#"),
        ("?1000 ?1006", ("press", "left", 2, 4), b"\x1b[<0;5;3M"),
        ("?1000 ?1006", ("press", "middle", 2, 4), b"\x1b[<1;5;3M"),
        ("?1000 ?1006", ("press", "right", 2, 4), b"\x1b[<2;5;3M"),
        ("?1000 ?1006", ("release", "left", 2, 4), b"\x1b[<0;5;3m"),
        ("?1000 ?1006", ("press", "wheel_up", 0, 0), b"\x1b[<64;1;1M"),
        ("?1000 ?1006", ("press", "wheel_down", 0, 0), b"\x1b[<65;1;1M"),
        ("?1000 ?1006", ("motion", "left", 2, 4), b""),
        ("?1000 ?1006", ("press", "left", 999, 999), b"\x1b[<0;300;60M"),
        ("?1000 ?1006", ("press", "left", -5, -5), b"\x1b[<0;1;1M"),
        ("?1002 ?1006", ("motion", "left", 2, 4), b"\x1b[<32;5;3M"),
        ("?1002 ?1006", ("motion", None, 2, 4), b""),
        ("?1003 ?1006", ("motion", None, 2, 4), b"\x1b[<35;5;3M"),
        ("?1000 ?1015", ("press", "left", 2, 4), b"\x1b[32;5;3M"),
        ("?1000 ?1016", ("press", "left", 0, 0), b"\x1b[<0;4;8M"),
    ],
)
def test_mouse(vt: Vt, modes: str, event: tuple, sent: bytes) -> None:
    for mode in modes.split():
        vt.feed(f"\x1b[{mode}h".encode())
    assert vt.encode_mouse(*event) == sent


def test_mouse_with_modifiers(vt: Vt) -> None:
    vt.feed(b"\x1b[?1000h\x1b[?1006h")
    assert vt.encode_mouse("press", "left", 0, 0, Mods.CTRL) == b"\x1b[<16;1;1M"
    assert vt.encode_mouse("press", "left", 0, 0, Mods.ALT) == b"\x1b[<8;1;1M"


# Paste and focus


def test_paste(vt: Vt) -> None:
    assert vt.encode_paste("a\nb\r\nc\td") == b"a\rb\rc\td"
    vt.feed(b"\x1b[?2004h")
    assert vt.encode_paste("héllo\nx") == "\x1b[200~héllo\nx\x1b[201~".encode()


@pytest.mark.parametrize("bracketed", [True, False])
def test_paste_can_neither_leave_the_bracket_nor_press_keys(vt: Vt, bracketed: bool) -> None:
    if bracketed:
        vt.feed(b"\x1b[?2004h")
    sent = vt.encode_paste("x\x1b[201~\x03rm -rf ~\x00\x7f")
    body = sent.removeprefix(b"\x1b[200~").removesuffix(b"\x1b[201~")
    assert not set(body) & {0x1B, 0x03, 0x00, 0x7F}
    assert b"rm -rf ~" in body


@pytest.mark.parametrize(
    ("text", "bracketed", "why"),
    [
        ("", False, ()),
        ("ls -l\t你", False, ()),
        ("one\ntwo\r\nthree\n", True, ()),
        ("a\u200db", True, ()),
        ("a\x1b[201~", True, ("it contains a control character, pasted as spaces",)),
        ("\x00\x7f\x9b", True, ("it contains 3 control characters, pasted as spaces",)),
        ("rm \u202etxt\u202c", True, ("it contains 2 characters that cannot be seen",)),
        (
            "one\ntwo\r\nthree\n",
            False,
            ("its 3 lines may be run one by one: the program does not tell a paste from typing",),
        ),
        (
            "ls\n",
            False,
            ("its line may be run at once: the program does not tell a paste from typing",),
        ),
    ],
)
def test_what_a_paste_is_asked_about_for(text: str, bracketed: bool, why: tuple[str, ...]) -> None:
    assert concerns(text, bracketed) == why


def test_paste_is_not_shortened(vt: Vt) -> None:
    text = "0123456789 你好 " * 5000
    assert vt.encode_paste(text).decode() == text


def test_focus_only_when_asked(vt: Vt) -> None:
    assert vt.encode_focus(True) == b""
    vt.feed(b"\x1b[?1004h")
    assert vt.encode_focus(True) == b"\x1b[I"
    assert vt.encode_focus(False) == b"\x1b[O"


def test_arrow_press_by_hand(vt: Vt) -> None:
    assert vt.encode_key(KeyPress("ARROW_UP")) == b"\x1b[A"
