"""Opening a link: which ones, and with what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentgate.tui.terminal import links
from agentgate.tui.terminal.grid import Point
from agentgate.tui.terminal.vt import Vt

pytestmark = pytest.mark.timeout(30)


@pytest.mark.parametrize(
    "address", ["https://example.org", "HTTP://EXAMPLE.org:8080/a?b=c#d", "http://[::1]/", "https://a.b/%20"]
)
def test_the_web_may_be_opened(address: str) -> None:
    assert links.refusal(address) == ""


@pytest.mark.parametrize(
    "address",
    [
        "",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "ssh://host",
        "vscode://x/y",
        "//example.org",
        "example.org",
        "https:///path",
        "http://",
        "https://[::1",
        "--version",
        "-a https://example.org",
        "https://example.org/a b",
        "https://example.org/\n--evil",
        "https://exаmple.org/",
        "https://example.org/\u202e",
        "https://example.org/\x00",
        "https://example.org/" + "a" * 5000,
    ],
)
def test_nothing_else_is(address: str) -> None:
    assert links.refusal(address)


def test_the_address_is_the_one_behind_the_text() -> None:
    vt = Vt(3, 20)
    vt.feed(b"\x1b]8;id=1;https://evil.example/\x1b\\https://good.example\x1b]8;;\x1b\\ no")
    assert vt.grid.link(Point(0, 3)) == "https://evil.example/"
    assert vt.grid.link(Point(1, 1)) == ""


@pytest.mark.parametrize(
    ("text", "col", "address"),
    [
        ("see https://a.example/x?y=1#z. Then", 4, "https://a.example/x?y=1#z"),
        ("see https://a.example/x?y=1#z. Then", 28, "https://a.example/x?y=1#z"),
        ("see https://a.example/x?y=1#z. Then", 29, ""),
        ("see https://a.example/x?y=1#z. Then", 3, ""),
        ("see https://a.example/x?y=1#z. Then", 60, ""),
        ("你好 (HTTP://a.example/b_c), https://d.example!", 8, "HTTP://a.example/b_c"),
        ("你好 (HTTP://a.example/b_c), https://d.example!", 35, "https://d.example"),
        ("ftp://a.example http:// x", 5, ""),
    ],
)
def test_an_address_that_is_written_out(text: str, col: int, address: str) -> None:
    vt = Vt(3, 70)
    vt.feed(text.encode())
    assert vt.grid.address(Point(0, col)) == address


def test_an_address_is_whole_again_over_the_rows_it_was_wrapped_to() -> None:
    vt = Vt(5, 20)
    vt.feed(b"go to https://a.example/a/long/way?with=words and")
    for place in (Point(0, 8), Point(1, 3), Point(2, 4)):
        assert vt.grid.address(place) == "https://a.example/a/long/way?with=words"


async def test_the_opener_gets_one_argument_and_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "_SECONDS", 0.5)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    opener = tmp_path / "xdg-open"
    opener.write_text(
        f'#!/bin/sh\necho "$#" "$1" > {tmp_path}/got\necho $$ > {tmp_path}/pid\nexec sleep 60\n'
    )
    opener.chmod(0o755)
    assert await links.show("https://example.org/?a=b&c=$(id)") == ""
    assert (tmp_path / "got").read_text() == "1 https://example.org/?a=b&c=$(id)\n"
    os.kill(int((tmp_path / "pid").read_text()), 9)
    opener.write_text("#!/bin/sh\nexit 4\n")
    assert await links.show("https://example.org/") == "there is no program for it here"
