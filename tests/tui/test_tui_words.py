"""Lines and words: cells, folding, escaping, marks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from room_kit import DEFAULT, GUARD, INSTALL, connect, install, row_of, write

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict
from agentgate.audit.record import Record
from agentgate.audit.row import Row
from agentgate.gate.events import Ask, GateLost
from agentgate.gate.risk import Scene
from agentgate.tui import bars, words
from agentgate.tui.agents.roster import Agent
from agentgate.tui.bars import PORTABLE, Facts
from agentgate.tui.ink import Ink, Line, clip, fit, fold, plain, spread, width
from agentgate.tui.keys import commands
from agentgate.tui.keys.commands import Context
from agentgate.tui.keys.keymap import DEFAULT_KEYS
from agentgate.tui.modes import Mode, Panel
from agentgate.tui.queue.asks import Asks
from agentgate.tui.queue.board import Board, Card
from agentgate.tui.queue.filters import Filter
from agentgate.tui.state import State
from agentgate.tui.step import step
from agentgate.tui.widgets.covers import help_lines, quit_lines
from agentgate.tui.widgets.detail import describe
from agentgate.tui.widgets.queue import Stand, card
from agentgate.tui.widgets.record import row_line

HOSTILE = "npm\x1b[2J install\u202e klahc\n[bold red]x[/]\udcff"
TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cf", "Cs", "Mn", "Me", "Zl", "Zp", "Cn"]), max_size=60
)


def said(lines: list[Line]) -> str:
    return "\n".join(plain(line) for line in lines)


# Cells


@given(TEXT, st.integers(1, 40))
def test_clip_and_fit_never_exceed_their_cells(text: str, cells: int) -> None:
    assert cell_len(clip(text, cells)) <= cells
    line: Line = ((text, Ink.DIM), ("tail", Ink.STRONG))
    assert width(fit(line, cells)) <= cells
    if width(line) <= cells:
        assert fit(line, cells) == line
    elif cells > 1:
        assert plain(fit(line, cells)).endswith("…")


@given(TEXT, st.integers(8, 40), st.integers(0, 4))
def test_fold_keeps_every_character_and_every_width(text: str, cells: int, indent: int) -> None:
    lines = fold(((text, Ink.PLAIN), (" end", Ink.DIM)), cells, indent)
    assert all(width(line) <= cells for line in lines)
    rest = "".join(plain(line)[indent:] for line in lines[1:])
    assert plain(lines[0]) + rest == text + " end"


def test_fold_breaks_at_spaces_where_it_can() -> None:
    assert said(fold((("every install is looked at", Ink.PLAIN),), 16, 2)) == "every install \n  is looked at"


def test_spread_gives_way_at_the_left() -> None:
    line = spread((("a very long left side", Ink.PLAIN),), (("12s", Ink.DIM),), 14)
    assert plain(line) == "a very lo… 12s"


@given(TEXT, st.integers(1, 40))
def test_middle_keeps_both_ends(text: str, cells: int) -> None:
    short = words.middle(text, cells)
    assert cell_len(short) <= cells
    if cell_len(text) > cells > 8 and all(cell_len(char) == 1 for char in text):
        assert short.endswith(text[-(cells // 2 - 1) :])


# What is said of an action


def shown_on(*asks: Ask) -> Card:
    """The card of the first."""
    found = Board(Asks(asks)).card(asks[0].number)
    assert found
    return found


def test_nothing_from_outside_reaches_the_screen_raw() -> None:
    chain = (Process(1, (HOSTILE,), HOSTILE), Process(2, ("\x1b]0;x\x07",)))
    action = Action(Kind.EXEC, HOSTILE, (HOSTILE, "b"), HOSTILE, chain, HOSTILE, HOSTILE, HOSTILE)
    ask = Ask(1, action, INSTALL, 0.0, "kernel")
    state = State(asks=Asks((ask,)))
    facts = Facts(HOSTILE, "kernel", HOSTILE, "ab12")
    row = recorded(Kind.EXEC, Verdict.DENY, HOSTILE, HOSTILE)
    lines = [
        *describe(ask, HOSTILE, 3.0, "", True, 60),
        *card(shown_on(ask), 3.0, Stand(here=True), Scene(), 60),
        row_line(row, 100),
        row_line(row, 40),
        bars.alert(state, "abcd", 80),
        bars.header(state, facts, 120),
        *bars.banner(step(state, GateLost(HOSTILE), 0.0).state, 80, 3),
    ]
    for line in lines:
        for char in plain(line):
            assert char.isprintable(), repr(plain(line))
    assert "[bold red]x[/]" in said(describe(ask, "", 3.0, "", True, 200))


def test_the_detail_says_everything() -> None:
    action = write("/home/me/dist/b.js", origin="/home/me/project/a.js", intent="move the result")
    text = said(describe(Ask(5, action, DEFAULT, 10.0, "kernel"), "", 75.0, "", True, 60))
    for part in (
        "/home/me/dist/b.js",
        "from     /home/me/project/a.js",
        "fs_write by openat, held for 1m",
        "asked by default",
        "claimed: move the result",
        "cwd      /home/me/project",
        "3200 claude --autonomous",
        "└ 4100 python3 build.py",
        "gate     kernel",
        "A always",
    ):
        assert part in text


def test_the_detail_of_a_guard_says_why_never_always() -> None:
    refusal = "guard shell-startup: allowed only once at a time"
    lines = describe(Ask(5, write("/home/me/.bashrc"), GUARD, 10.0, "kernel"), refusal, 75.0, "", True, 60)
    assert "guard shell-startup: runs at every login" in said(lines)
    assert "A always" not in said(lines)
    assert "allowed only once" in said(lines)


def test_the_keys_are_dim_until_they_count() -> None:
    def ink(armed: bool) -> Ink:
        lines = describe(Ask(1, install("x"), INSTALL, 0.0, "kernel"), "", 1.0, "", armed, 60)
        return next(ink for line in lines for text, ink in line if text == "a")

    assert (ink(False), ink(True)) == (Ink.IDLE, Ink.KEY)


def test_a_long_target_keeps_both_ends_in_the_queue() -> None:
    ask = Ask(
        1, write("/home/me/project/a/deep/place/with/a/long/name/of/a/file.txt"), DEFAULT, 0.0, "kernel"
    )
    first, second = card(shown_on(ask), 130.0, Stand(), Scene(), 39)
    assert width(first) <= 39
    assert plain(first).startswith(" ? WAIT fs_write /home/me")
    assert plain(first).endswith("file.txt")
    assert plain(second).rstrip().endswith("2m")
    assert "claude › python3" in plain(second)


def recorded(kind: Kind, verdict: Verdict, target: str, reason: str) -> Row:
    ruling = Ruling(Decision.ASK, Source.RULE, 2, None, reason)
    answer = Answer(verdict, Source.OPERATOR, ruling)
    return row_of(Record(0.0, Action(kind, target), ruling, answer, 0, "shim"))


def test_an_audit_line_reads_as_the_command_lines_does() -> None:
    row = recorded(Kind.EXEC, Verdict.ALLOW, "npm install chalk", "every install")
    assert plain(row_line(row, 60)) == f"✓ {words.clock(0.0)} exec allow npm install chalk"
    assert "operator; asked by rule 2: every install" in plain(row_line(row, 120))
    denied = recorded(Kind.NET_EGRESS, Verdict.DENY, "evil.example:443", "")
    assert plain(row_line(denied, 60)) == f"✗ {words.clock(0.0)} net_egress deny evil.example:443"


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (0.9, "0s"), (59, "59s"), (61, "1m"), (7300, "2h")]
)
def test_ages(seconds: float, text: str) -> None:
    assert words.age(seconds) == text


def test_who_names_the_nearest_processes_actor_last() -> None:
    chain = tuple(Process(n, (name,)) for n, name in enumerate(("/usr/bin/node", "-bash", "npm", "claude")))
    assert words.who(Action(Kind.EXEC, "x", chain=chain)) == "npm › bash › node"
    assert words.who(Action(Kind.EXEC, "x")) == "unknown process"


# Bars

FACTS = Facts("claude", "kernel", "built-in default", "3f9a")


@pytest.mark.parametrize("cells", [80, 100, 120, 200])
@pytest.mark.parametrize("gate", ["kernel", "shim", "none"])
@pytest.mark.parametrize("mode", Mode)
def test_the_header_never_gives_up_what_matters(cells: int, gate: str, mode: Mode) -> None:
    state = State(mode=mode, asks=Asks((Ask(1, connect("a.example:443"), DEFAULT, 0.0, gate),)))
    line = bars.header(state, Facts("claude", gate, "built-in default", "3f9a"), cells)
    text = plain(line)
    assert width(line) <= cells
    for part in ("claude", f" {mode.value.upper()} ", "1 waiting", "3f9a"):
        assert part in text
    assert (PORTABLE if gate == "shim" else f"gate {gate}") in text
    if gate != "shim" or cells > 80:
        assert "built-in default" in text


def test_the_header_says_how_the_agent_ended_and_that_the_gate_is_lost() -> None:
    assert "ended, status 3" in plain(bars.header(State(agents=(Agent("x", status=3),)), FACTS, 120))
    assert "gate LOST" in plain(bars.header(State(agents=(Agent("x", lost="x"),)), FACTS, 120))


def test_hints_name_the_keys_of_where_one_is() -> None:
    asks = Asks((Ask(1, install("x"), INSTALL, 0.0, "kernel"),))
    agent = plain(bars.hints(State(asks=asks), True, True, 80))
    assert agent.startswith(" ctrl+] then  a allow")
    assert "allow" not in plain(bars.hints(State(), True, True, 80))
    assert "esc cancel" in plain(bars.hints(State(asks=asks, leader=True), True, True, 80))
    control = plain(bars.hints(State(asks=asks, mode=Mode.CONTROL), True, True, 80))
    for part in ("a allow", "d deny", "A always", "j/k move", "tab panel", "esc agent", "? help", "q quit"):
        assert part in control
    assert "A always" not in plain(bars.hints(State(asks=asks, mode=Mode.CONTROL), True, False, 80))


def test_the_alert_line_counts_the_others() -> None:
    asks = Asks(Ask(n, install(f"p{n}", 4000 + n), INSTALL, 0.0, "kernel") for n in (1, 2, 3))
    text = plain(bars.alert(State(asks=asks), "abcd", 80))
    assert text.startswith(" ? WAIT exec npm install p1")
    assert text.rstrip().endswith("+2 more abcd")
    asks = Asks(Ask(n, install("chalk", 4000 + n), INSTALL, 0.0, "kernel") for n in (1, 2, 3))
    text = plain(bars.alert(State(asks=asks), "abcd", 80))
    assert text.rstrip().endswith("×3 abcd") and "more" not in text
    narrow = State(asks=asks).board.narrow(Filter("left-pad"))
    text = plain(bars.alert(State(asks=asks, board=narrow), "abcd", 80))
    assert text.startswith(" nothing passes the filter left-pad") and text.rstrip().endswith("3 hidden abcd")
    assert plain(bars.alert(State(), "abcd", 80)).split() == ["nothing", "waits", "abcd"]


def test_a_tab_is_where_its_word_is() -> None:
    text = plain(bars.tabs(State(mode=Mode.CONTROL), 80))
    for panel in Panel:
        assert bars.tab_at(text.index(panel.title)) is panel


def test_help_has_every_command_of_the_table() -> None:
    text = said(help_lines(DEFAULT_KEYS, 100))
    for command in commands.COMMANDS:
        assert command.help in text
    assert len({(c.context, key) for c in commands.COMMANDS for key in c.keys}) == sum(
        len(command.keys) for command in commands.COMMANDS
    ), "one key, two meanings in one context"
    assert all((context.value in text) == bool(commands.of(context)) for context in Context)


def test_quitting_says_what_it_will_do() -> None:
    text = said(quit_lines(True, 2, 200))
    assert "ends the agent" in text
    assert "denies 2 waiting actions" in text
