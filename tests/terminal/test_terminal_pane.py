"""The pane in a running app, with real programs in it and real keys pressed."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from pathlib import Path

import pytest
from pane_kit import SIZE, Got, listener, pane, program, shows, text
from rich.cells import cell_len
from rich.color import ColorTriplet
from terminal_kit import PaneApp, child, until
from textual import events

from agentgate.pty import QUEUE_LIMIT, Pty
from agentgate.tui.terminal import pace
from agentgate.tui.terminal.pane import TerminalPane

pytestmark = pytest.mark.timeout(60)


def rendered(app: PaneApp, row: int) -> list[tuple[str, object]]:
    return [(s.text, s.style) for s in app.pane.render_line(row)]


# Real programs


async def test_bash_runs_what_is_typed() -> None:
    async with pane(program("bash"), "--norc") as (app, pilot, _):
        await pilot.press(*"echo $((6*7))", "enter")
        await shows(app, "\n42\n")
        await pilot.press(*"sleep 50", "enter")
        await pilot.press("ctrl+c", *"echo st$((0))opped", "enter")
        await shows(app, "st0opped")


async def test_vim_writes_a_file(tmp_path: Path) -> None:
    async with pane(program("vim"), "-u", "NONE", "-i", "NONE", "note", cwd=tmp_path) as (app, pilot, _):
        await shows(app, "~\n~")
        await pilot.press("i", *"first line", "enter", *"second 你", "escape")
        await shows(app, "second 你")
        await pilot.press(":", "w", "q", "enter")
        await until(lambda: app.count(TerminalPane.Closed))
    assert (tmp_path / "note").read_text() == "first line\nsecond 你\n"


async def test_less_scrolls_by_key_and_wheel(tmp_path: Path) -> None:
    (tmp_path / "long").write_text("".join(f"line {n}\n" for n in range(500)))
    async with pane(program("less"), "long", cwd=tmp_path) as (app, pilot, _):
        await shows(app, "line 22")
        await pilot.press("pagedown")
        await shows(app, "line 40")
        await pilot.press("G")
        await shows(app, "line 499")
        await pilot.press("g")
        await shows(app, "line 0\n")
        await pilot._post_mouse_events([events.MouseScrollDown], app.pane, offset=(5, 5))
        await until(lambda: text(app).startswith("line 3\n"), lambda: text(app))
        await pilot.press("q")
        await until(lambda: app.count(TerminalPane.Closed))


async def test_htop_draws_and_quits() -> None:
    async with pane(program("htop")) as (app, pilot, _):
        await shows(app, "PID")
        await pilot.press("f10")
        await until(lambda: app.count(TerminalPane.Closed))


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A git repository with more commits than the pane has rows, the latest being c79."""
    git = program("git")
    commits = "".join(
        f"commit refs/heads/main\ncommitter a <a@b> 0 +0000\ndata 3\nc{n}\n" for n in range(10, 80)
    )
    subprocess.run([git, "init", "-q", "-b", "main", tmp_path], check=True)
    subprocess.run([git, "fast-import", "--quiet"], input=commits.encode(), cwd=tmp_path, check=True)
    return tmp_path


async def test_git_pager_leaves_the_screen_as_it_was(history: Path) -> None:
    async with pane(program("bash"), "--norc", cwd=history, PAGER=program("less"), LESS="R") as (
        app,
        pilot,
        _,
    ):
        await pilot.press(*"echo r$((0))ady", "enter")
        await shows(app, "r0ady")
        await pilot.press(*"git log --oneline", "enter")
        await shows(app, "c79")
        await until(lambda: "r0ady" not in text(app), lambda: text(app))
        await pilot.press("q")
        await shows(app, "r0ady")
        assert "c79" not in text(app)


# Drawing


async def test_styles_reach_the_strips() -> None:
    script = (
        r"printf '\033[38;2;1;2;3;48;2;4;5;6;1mbold\033[0m \033[3;4;9mx\033[0m \033[7mrev\033[0m'; sleep 60"
    )
    async with pane("sh", "-c", script) as (app, _, _):
        await shows(app, "rev")
        styles = dict(rendered(app, 0))
        bold, x, rev = styles["bold"], styles["x"], styles["rev"]
        assert bold.color.triplet == ColorTriplet(1, 2, 3)
        assert bold.bgcolor.triplet == ColorTriplet(4, 5, 6)
        assert bold.bold and not x.bold
        assert x.italic and x.underline and x.strike
        assert rev.reverse


async def test_hidden_text_is_not_drawn() -> None:
    async with pane("sh", "-c", r"printf 'a\033[8msecret\033[0mb'; sleep 60") as (app, _, _):
        await shows(app, "a      b")


async def test_palette_is_the_themes() -> None:
    async with pane("sh", "-c", r"printf '\033[31mred\033[0m'; sleep 60") as (app, _, _):
        await shows(app, "red")
        assert dict(rendered(app, 0))["red"].color.triplet == app.ansi_theme.ansi_colors[1]
        background = dict(rendered(app, 5))[" " * 80].bgcolor.triplet
        app.theme = "textual-light"
        await until(lambda: dict(rendered(app, 5))[" " * 80].bgcolor.triplet != background)
        assert dict(rendered(app, 0))["red"].color.triplet == app.ansi_theme.ansi_colors[1]


async def test_wide_characters_keep_every_row_exact() -> None:
    script = r"printf '你好 👩‍💻 ❤️ 🇩🇪|\r\n%s|\r\n' ﷺé①; sleep 60"
    async with pane("sh", "-c", script) as (app, _, _):
        await shows(app, "①|")
        assert text(app).startswith("你好 👩‍💻 ❤️ 🇩🇪|")
        for row in range(24):
            strip = app.pane.render_line(row)
            assert strip.cell_length == 80
            assert sum(cell_len(segment.text) for segment in strip) == 80


async def test_cursor_is_drawn_where_it_is() -> None:
    async with pane("sh", "-c", r"printf '\033[3;5H你\033[3;5H'; sleep 60") as (app, _, _):
        await shows(app, "你")
        await until(
            lambda: ("你", True) in [(t, s.reverse) for t, s in rendered(app, 2)],
            lambda: str(rendered(app, 2)),
        )
        assert app.pane.render_line(2).cell_length == 80
        app.pane.input_enabled = False
        style = next(s for t, s in rendered(app, 2) if t == "你")
        assert not style.reverse
        assert style.bgcolor != next(s for t, s in rendered(app, 3)).bgcolor


async def test_hidden_cursor_is_not_drawn() -> None:
    async with pane("sh", "-c", r"printf 'x\033[?25l'; sleep 60") as (app, _, _):
        await shows(app, "x")
        await until(lambda: not any(s.reverse for _, s in rendered(app, 0)))


FRAMES = """
stty -echo; printf 'old'; read x
printf '\\033[?2026h\\r\\033[Khalf'; read x
printf '\\rnew \\033[?2026l'; sleep 60
"""


async def test_a_frame_under_way_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MAX_HOLD", 50)
    async with pane("sh", "-c", FRAMES) as (app, pilot, pty):
        await shows(app, "old")
        pty.write(b"\n")
        await until(lambda: app.pane._vt.synchronized)
        await pilot.pause(0.1)
        assert text(app).strip() == "old"
        pty.write(b"\n")
        await shows(app, "new")


async def test_a_frame_that_does_not_end_is_shown_all_the_same() -> None:
    async with pane("sh", "-c", FRAMES) as (app, _, pty):
        await shows(app, "old")
        pty.write(b"\n")
        await shows(app, "half")


async def test_pacer_draws_at_once_then_in_time_and_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[float] = []
    held = False
    now = asyncio.get_running_loop().time
    pacer = pace.Pacer(lambda: drawn.append(now()), lambda: held)
    pacer.soon()
    assert len(drawn) == 1
    pacer.soon()
    pacer.soon()
    assert len(drawn) == 1
    await until(lambda: len(drawn) == 2)
    assert drawn[1] - drawn[0] >= 1 / pace.MAX_RATE - 0.001
    await asyncio.sleep(0.05)
    assert len(drawn) == 2, "nothing is drawn when there is nothing new"
    held = True
    pacer.soon()
    assert len(drawn) == 2
    held = False
    pacer.soon()
    assert len(drawn) == 3
    held = True
    pacer.soon()
    await until(lambda: len(drawn) == 4)
    assert drawn[3] - drawn[2] >= pace.MAX_HOLD
    pacer.soon()
    pacer.cancel()
    await asyncio.sleep(0.15)
    assert len(drawn) == 4


# Size


async def test_resize_reaches_child_and_screen() -> None:
    async with pane(program("bash"), "--norc") as (app, pilot, _):
        assert app.pane.grid_size == (24, 80)
        await pilot.resize_terminal(100, 30)
        await until(lambda: app.pane.grid_size == (30, 100))
        await pilot.press(*"stty size", "enter")
        await shows(app, "30 100")


async def test_a_burst_of_sizes_is_one_for_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgate.tui.terminal.pane._RESIZE_DELAY", 2.0)
    script = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done"
    async with pane("sh", "-c", script) as (app, pilot, _):
        await shows(app, "ready")
        for width in range(60, 100, 4):
            await pilot.resize_terminal(width, 20)
        await shows(app, "20 96")
        assert text(app).count("20 ") == 1, text(app)


async def test_attach_gives_the_child_the_panes_size(tmp_path: Path) -> None:
    app = PaneApp()
    async with app.run_test(size=(61, 17)):
        pty = Pty.open(24, 80)
        with child(pty, "sh", "-c", "sleep 0.2; stty size; sleep 60"):
            app.pane.attach(pty)
            await shows(app, "17 61")
            with pytest.raises(RuntimeError, match="already"):
                app.pane.attach(pty)
        pty.close()


# Input


async def test_what_is_typed_before_there_is_a_child_waits_for_it(tmp_path: Path) -> None:
    app = PaneApp()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.press(*"early", "enter")
        pty = Pty.open(24, 80)
        with child(pty, "sh", "-c", "head -n 1 > got; sleep 60", cwd=tmp_path):
            app.pane.attach(pty)
            await until(lambda: (tmp_path / "got").exists() and (tmp_path / "got").read_text() == "early\n")
        pty.close()


async def test_every_key_but_the_leader_is_the_childs(tmp_path: Path) -> None:
    keys = {
        "ctrl+q": b"\x11",
        "ctrl+c": b"\x03",
        "ctrl+p": b"\x10",
        "ctrl+z": b"\x1a",
        "ctrl+backslash": b"\x1c",
        "escape": b"\x1b",
        "f1": b"\x1bOP",
        "tab": b"\t",
        "shift+tab": b"\x1b[Z",
        "ctrl+space": b"\0",
        "alt+x": b"\x1bx",
        "up": b"\x1b[A",
        "home": b"\x1b[H",
        "pageup": b"\x1b[5~",
        "enter": b"\r",
        "backspace": b"\x7f",
        "ctrl+backspace": b"\b",
        "~": b"~",
        "é": "é".encode(),
    }
    async with listener(tmp_path) as (app, pilot, got):
        await pilot.press(*keys)
        await got.until(b"".join(keys.values()))
        assert app.keys == []
        assert app.pane.has_focus


async def test_leader_is_the_control_rooms_and_so_is_the_next_key(tmp_path: Path) -> None:
    async with listener(tmp_path) as (app, pilot, got):
        await pilot.press("x", "ctrl+right_square_bracket", "a", "y")
        await got.until(b"xy")
        assert app.count(TerminalPane.Leader) == 1
        assert app.keys == ["a"]
        assert not app.pane.leader_pending
        await pilot.press("ctrl+right_square_bracket", "ctrl+right_square_bracket")
        assert app.keys == ["a", "ctrl+right_square_bracket"]
        app.pane.send_leader()
        await got.until(b"xy\x1d")


async def test_leader_can_be_another_key(tmp_path: Path) -> None:
    async with listener(tmp_path) as (app, pilot, got):
        app.pane.leader = "f12"
        await pilot.press("f12", "q", "ctrl+right_square_bracket")
        await got.until(b"\x1d")
        assert app.count(TerminalPane.Leader) == 1
        app.pane.send_leader()
        await got.until(b"\x1d\x1b[24~")


async def test_nothing_is_sent_while_input_is_disabled(tmp_path: Path) -> None:
    async with listener(tmp_path, r"\033[?1000h\033[?1006h") as (app, pilot, got):
        app.pane.input_enabled = False
        await pilot.press("a", "ctrl+right_square_bracket", "d")
        await pilot.click(app.pane, offset=(3, 3))
        app.pane.post_message(events.Paste("pasted"))
        await pilot.pause()
        assert app.keys == ["a", "ctrl+right_square_bracket", "d"]
        assert app.count(TerminalPane.Leader) == 0
        app.pane.input_enabled = True
        await pilot.press("z")
        await got.until(b"z")


async def test_paste_is_bracketed(tmp_path: Path) -> None:
    async with listener(tmp_path, r"\033[?2004h") as (app, _, got):
        app.post_message(events.Paste("one\ntwo"))
        await got.until(b"\x1b[200~one\ntwo\x1b[201~")


async def test_a_paste_with_something_to_it_is_held_and_can_never_end_the_bracket(tmp_path: Path) -> None:
    async with listener(tmp_path, r"\033[?2004h") as (app, _, got):
        app.post_message(events.Paste("rm -rf /\x1b[201~\nx\u009b201~"))
        await until(lambda: app.count(TerminalPane.PasteHeld))
        held = next(m for m in app.seen if isinstance(m, TerminalPane.PasteHeld))
        assert held.concerns == ("it contains 2 control characters, pasted as spaces",)
        assert got.bytes == b""
        app.pane.paste(held.text)
        await got.until(b"\x1b[200~rm -rf / [201~\nx 201~\x1b[201~")


async def test_a_child_that_tells_no_paste_from_typing_gets_lines_only_if_asked(tmp_path: Path) -> None:
    async with listener(tmp_path) as (app, _, got):
        app.post_message(events.Paste("one line"))
        await got.until(b"one line")
        app.post_message(events.Paste("two\nlines"))
        await until(lambda: app.count(TerminalPane.PasteHeld))
        await got.until(b"one line")


# Links and wishes

LINK = r"printf '\033]8;;https://example.org/?a=b\033\\the docs\033]8;;\033\\ plain'; sleep 60"


async def test_a_link_is_underlined_and_picked_only_with_ctrl() -> None:
    async with pane("sh", "-c", LINK) as (app, pilot, _):
        await shows(app, "the docs plain")
        styles = dict(rendered(app, 0))
        assert styles["the docs"].underline and not styles[" plain"].underline
        for control, at in ((False, 2), (True, 10), (True, 2)):
            await pilot._post_mouse_events(
                [events.MouseDown, events.MouseUp], app.pane, offset=(at, 0), button=1, control=control
            )
        await until(lambda: app.count(TerminalPane.LinkPicked))
        picked = [m.address for m in app.seen if isinstance(m, TerminalPane.LinkPicked)]
        assert picked == ["https://example.org/?a=b"]


async def test_a_link_is_not_the_childs_even_where_it_tracks_the_mouse(tmp_path: Path) -> None:
    modes = r"\033[?1000h\033[?1006h\033[5;1H\033]8;;https://e.x/\033\\link\033]8;;\033\\"
    async with listener(tmp_path, modes) as (app, pilot, got):
        await shows(app, "link")
        for at in ((1, 4), (9, 4)):
            await pilot._post_mouse_events(
                [events.MouseDown, events.MouseUp], app.pane, offset=at, button=1, control=True
            )
        await got.until(b"\x1b[<16;10;5M\x1b[<16;10;5m")
        assert app.count(TerminalPane.LinkPicked) == 1


async def test_what_the_child_wants_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentgate.tui.terminal.telling._WISH_SECONDS", 1.0)
    note = r"printf '\033]777;notify;Build;ok \342\200\256%s\007\033]52;c;aGVsbG8=\007' $n"
    script = f"for n in 1 2 3 4 5 6 7 8 9; do {note}; sleep 0.05; done; echo done; sleep 60"
    async with pane("sh", "-c", script) as (app, _, _):
        await until(lambda: app.count(TerminalPane.Noted) == 2)
        first, second = (m for m in app.seen if isinstance(m, TerminalPane.Noted))
        assert first.text == "Build: ok \\u202e1" and first.more == 0
        assert second.text == "Build: ok \\u202e9" and second.more == 7
        wanted = [m.text for m in app.seen if isinstance(m, TerminalPane.ClipboardWanted)]
        assert wanted == ["hello", "hello"]
        assert app.clipboard == ""


async def test_mouse_reaches_a_child_that_asked(tmp_path: Path) -> None:
    async with listener(tmp_path, r"\033[?1000h\033[?1006h") as (app, pilot, got):
        await pilot.mouse_down(app.pane, offset=(4, 2))
        await pilot.mouse_up(app.pane, offset=(6, 2))
        await got.until(b"\x1b[<0;5;3M\x1b[<0;7;3m")
        await pilot.mouse_down(app.pane, offset=(4, 2), shift=True)
        await pilot.mouse_up(app.pane, offset=(4, 2), shift=True)
        await pilot.mouse_down(app.pane, offset=(0, 0), button=3)
        await got.until(b"\x1b[<0;5;3M\x1b[<0;7;3m\x1b[<2;1;1M")
        await pilot._post_mouse_events([events.MouseUp], app.pane, offset=(0, 0), button=3)
        await pilot._post_mouse_events([events.MouseScrollUp], app.pane, offset=(4, 2))
        await until(lambda: got.bytes.endswith(b"\x1b[<2;1;1m\x1b[<64;5;3M"), lambda: repr(got.bytes))


async def test_mouse_is_kept_from_a_child_that_did_not_ask(tmp_path: Path) -> None:
    async with listener(tmp_path) as (app, pilot, got):
        await pilot.click(app.pane, offset=(3, 3))
        await pilot.hover(app.pane, offset=(5, 5))
        await pilot.press("x")
        await got.until(b"x")


async def test_wheel_scrolls_history_and_a_key_returns() -> None:
    async with pane(program("bash"), "--norc") as (app, pilot, _):
        await pilot.press(*"seq 200; echo e$((0))d", "enter")
        await shows(app, "e0d")
        for _ in range(20):
            await pilot._post_mouse_events([events.MouseScrollUp], app.pane, offset=(5, 5))
        await until(lambda: "e0d" not in text(app) and "130" in text(app), lambda: text(app))
        assert app.pane.scrolled
        await pilot._post_mouse_events([events.MouseScrollDown], app.pane, offset=(5, 5))
        await pilot.press("x")
        await shows(app, "e0d")
        assert not app.pane.scrolled


async def test_focus_is_reported_also_when_the_app_loses_it(tmp_path: Path) -> None:
    async with listener(tmp_path, r"\033[?1004h") as (app, _, got):
        app.screen.set_focus(None)
        await got.until(b"\x1b[O")
        app.pane.focus()
        await got.until(b"\x1b[O\x1b[I")
        app.post_message(events.AppBlur())
        await got.until(b"\x1b[O\x1b[I\x1b[O")
        app.post_message(events.AppFocus())
        await got.until(b"\x1b[O\x1b[I\x1b[O\x1b[I")


async def test_a_child_that_does_not_read_is_said_so() -> None:
    async with pane("sh", "-c", "stty raw -echo; echo ready; sleep 60") as (app, _, _):
        await shows(app, "ready")
        for _ in range(3):
            app.post_message(events.Paste("x" * (QUEUE_LIMIT // 2)))
        await until(lambda: app.count(TerminalPane.InputDropped))


# Replies, messages, life


async def test_a_child_that_asks_gets_its_answer(tmp_path: Path) -> None:
    script = "stty raw -echo; printf '\\033[2;3H\\033[6n'; head -c 6 > got; sleep 60"
    async with pane("sh", "-c", script, cwd=tmp_path):
        await Got(tmp_path / "got").until(b"\x1b[2;3R")


async def test_title_and_bell_are_messages() -> None:
    async with pane("sh", "-c", r"printf '\033]2;my \342\200\256title\007\007\007'; sleep 60") as (app, _, _):
        await until(lambda: app.count(TerminalPane.TitleChanged) and app.count(TerminalPane.Bell))
        title = next(m for m in app.seen if isinstance(m, TerminalPane.TitleChanged))
        assert title.title == app.pane.title == "my \\u202etitle"
        assert title.control is app.pane


async def test_the_last_screen_stays_when_the_child_ends() -> None:
    async with pane("sh", "-c", "printf 'last words'") as (app, pilot, _):
        await until(lambda: app.count(TerminalPane.Closed))
        assert "last words" in text(app)
        await pilot.press("x")
        await pilot.resize_terminal(70, 20)
        await until(lambda: app.pane.grid_size == (20, 70))
        assert "last words" in text(app)
        second = Pty.open(24, 80)
        with child(second, "sh", "-c", "printf '\\033[2J\\033[Hnext'; sleep 60"):
            app.pane.attach(second)
            await shows(app, "next")
            assert app.count(TerminalPane.Closed) == 1
            app.pane.detach()
        second.close()


def _readers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name == "agentgate-terminal"]


async def test_unmount_joins_the_reader_and_leaves_the_pty_open() -> None:
    async with pane("sh", "-c", "while :; do echo flood; done") as (app, _, pty):
        await shows(app, "flood")
        assert len(_readers()) == 1
        await app.pane.remove()
        assert _readers() == []
        assert pty.read()
        app.pane.scroll_history(-1)
        assert app.pane.scrolled, "what is left of the pane can still be asked"


async def test_leaving_the_app_in_a_flood_is_clean() -> None:
    async with pane("sh", "-c", "while :; do echo flood; done") as (app, pilot, _):
        await shows(app, "flood")
        await pilot.press("ctrl+right_square_bracket")
        await until(lambda: app.count(TerminalPane.Leader))
    assert _readers() == []
