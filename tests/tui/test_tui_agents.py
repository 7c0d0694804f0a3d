"""Several agents in one room: each has a terminal, one is in view, one queue is for all."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from room_kit import INSTALL, armed, ask, install, make_session, room, text_of, until
from textual.pilot import Pilot

from agentgate.actions import Verdict
from agentgate.gate.events import AgentEnded, AgentLeft, Ask, Asked, GateLost
from agentgate.intercept.kernel.backend import missing
from agentgate.session import Session
from agentgate.settings import GateChoice
from agentgate.tui.agents import tabs as agent_tabs
from agentgate.tui.agents.roster import Agent
from agentgate.tui.agents.switching import AgentClosed, AgentFailed
from agentgate.tui.app import ControlRoom
from agentgate.tui.attention import Attention
from agentgate.tui.ink import plain, width
from agentgate.tui.inputs import Drawn, Effect, Give, Happening, Leave, Pressed, Subject
from agentgate.tui.keys.keymap import DEFAULT_KEYS
from agentgate.tui.modes import Mode
from agentgate.tui.state import State
from agentgate.tui.step import step
from agentgate.tui.widgets.covers import help_lines

LEADER = "ctrl+right_square_bracket"
SHELL = ("bash", "--norc", "--noprofile")
KERNEL = pytest.mark.skipif(bool(missing()), reason=f"kernel gate: {missing()}")


def shell(tmp_path: Path) -> Session:
    return make_session(tmp_path, *SHELL)


def screen(app: ControlRoom) -> str:
    return app._room.pane.screen_text()


async def ready(app: ControlRoom, pilot: Pilot[int]) -> None:
    await until(lambda: "$" in screen(app), pilot)


async def add(app: ControlRoom, pilot: Pilot[int], command: str = "") -> None:
    """One more agent by the keys for it, until its prompt is there."""
    await pilot.press(LEADER, "c")
    if command:
        await pilot.press("ctrl+u", *command)
    await pilot.press("enter")
    await until(lambda: app.state.agents[-1].pid, pilot)
    if not command:
        await ready(app, pilot)


async def test_a_second_agent_has_a_terminal_of_its_own(tmp_path: Path) -> None:
    """It is offered the first one's command; its pane is in view at once and takes what is typed ahead; the
    line with the names is there only while there are several."""
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(*"echo first", "enter")
        await until(lambda: "\nfirst" in screen(app), pilot)
        assert app._room.agent_tabs.display is False and app._room.pane.size.height == 34
        await pilot.press(LEADER, "c")
        assert "new agent  bash --norc --noprofile" in text_of(app)
        await pilot.press("enter", *"echo second; stty size", "enter")
        await until(lambda: "\nsecond\n33 80" in screen(app), pilot)
        assert "first" not in screen(app)
        assert [agent.name for agent in app.state.agents] == ["demo", "demo-2"]
        assert " 1 demo  ● runs [2 demo-2] ● runs" in text_of(app)
        assert text_of(app).splitlines()[0].split()[:2] == ["agentgate", "demo-2"]
        await pilot.press(LEADER, "1", *"echo more", "enter")
        await until(lambda: "\nfirst" in screen(app) and "\nmore" in screen(app), pilot)
        assert "second" not in text_of(app) and "[1 demo]" in text_of(app)
        assert app._room.pane.input_enabled and app.focused is app._room.pane


async def test_keys_and_clicks_go_from_one_terminal_to_the_next(tmp_path: Path) -> None:
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(LEADER, "n")
        assert "there is only one agent" in text_of(app)
        await add(app, pilot)
        await add(app, pilot, "cat" + " -u")
        assert app.state.shown == "cat"
        for keys, shown in (("n", "demo"), ("n", "demo-2"), ("p", "demo"), ("p", "cat"), ("2", "demo-2")):
            await pilot.press(LEADER, keys)
            assert (app.state.shown, app.state.mode) == (shown, Mode.AGENT)
            assert app.focused is app._room.panes[shown]
        await pilot.press(LEADER, "7")
        assert app.state.shown == "demo-2" and "there is no agent 7" in text_of(app)
        bar = text_of(app).splitlines()[1]
        await pilot.press(LEADER, "tab")
        await pilot.click("#agent-tabs", offset=(bar.index("3 cat"), 0))
        assert (app.state.shown, app.state.mode) == ("cat", Mode.AGENT)
        await pilot.press("z", "enter")
        await until(lambda: "z\nz" in screen(app), pilot)


async def test_the_palette_starts_one_too(tmp_path: Path) -> None:
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(LEADER, "tab", "colon", *"one more agent", "enter")
        assert "new agent  bash --norc --noprofile" in text_of(app)
        await pilot.press("ctrl+u", *"cat", "enter")
        await until(lambda: app.state.agents[-1].pid, pilot)
        assert (app.state.shown, app.state.mode) == ("cat", Mode.AGENT)


async def test_a_command_that_cannot_be_is_one_line_where_it_was_typed(tmp_path: Path) -> None:
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(LEADER, "c", "ctrl+u", "enter")
        assert "no command: type one, or esc" in text_of(app)
        await pilot.press(*'bash "-c', "enter")
        assert "no closing quotation: check its quotes" in text_of(app)
        await pilot.press("ctrl+u", *"nosuch -x", "enter")
        assert "nosuch: command not found" in text_of(app) and " nosuch -x" in text_of(app)
        await pilot.press("ctrl+u", *str(tmp_path), "enter")
        assert "not a program that can be run" in text_of(app)
        await pilot.press("escape", *"echo same", "enter")
        await until(lambda: "\nsame" in screen(app), pilot)
        assert len(app.state.agents) == 1 and len(app.session.agents) == 1


async def test_one_that_does_not_start_keeps_its_place_and_takes_no_key_from_another(tmp_path: Path) -> None:
    """The keys that were typed ahead for it reach nobody."""
    broken = tmp_path / "agent.sh"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(LEADER, "c", "ctrl+u", *"./agent.sh", "enter", *"echo secret", "enter")
        await until(lambda: app.state.agents[-1].failed, pilot)
        assert app.state.shown == "agent.sh" and "[2 agent.sh] ✗ not started" in text_of(app)
        assert "agent.sh was not started: " in text_of(app)
        await pilot.press(*"echo lost", "enter")
        await pilot.press(LEADER, "k")
        assert [agent.name for agent in app.state.agents] == ["demo"] and app.state.shown == "demo"
        await pilot.press(*"echo kept", "enter")
        await until(lambda: "\nkept" in screen(app), pilot)
        assert "secret" not in screen(app) and "lost" not in screen(app)
        assert [run.name for run in app.session.agents] == ["demo"]


async def test_an_ended_agent_stays_until_it_is_closed(tmp_path: Path) -> None:
    """And the room is left with the last one only, with the first one's status."""
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await add(app, pilot)
        await pilot.press(LEADER, "k")
        assert "demo-2 still runs" in text_of(app)
        await pilot.press(LEADER, "1", *"echo last words; exit 4", "enter")
        await until(lambda: app.state.agents[0].status == 4, pilot)
        assert app.state.shown == "demo" and app.return_value is None
        assert "[1 demo] ■ ended, status 4" in text_of(app) and "last words" in screen(app)
        waiting = ask_of(app, "chalk", "demo")
        await until(lambda: app.state.asks, pilot)
        await pilot.press(LEADER, "k")
        assert "demo still waits for 1 answer" in text_of(app)
        app.session.gate.answer(app.state.asks[0].number, Verdict.DENY)
        assert (await waiting).verdict is Verdict.DENY
        await until(lambda: not app.state.asks, pilot)
        assert app.return_value is None
        await pilot.press(LEADER, "k")
        assert [agent.name for agent in app.state.agents] == ["demo-2"] and app.state.shown == "demo-2"
        assert app._room.agent_tabs.display is False
        await until(lambda: list(app._room.panes) == ["demo-2"], pilot)
        await pilot.press(LEADER, "k")
        assert "this is the only agent" in text_of(app)
        await pilot.press(*"exit 9", "enter")
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value == 4


def ask_of(app: ControlRoom, package: str, agent: str):  # type: ignore[no-untyped-def]
    return ask(app.session, install(package, 4000 + len(package)), INSTALL, agent=agent)


async def test_one_queue_says_who_asks_and_its_head_is_decided_from_any_terminal(tmp_path: Path) -> None:
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await add(app, pilot)
        first, second = ask_of(app, "one", "demo"), ask_of(app, "three", "demo-2")
        await until(lambda: len(app.state.asks) == 2, pilot)
        await armed(app, pilot)
        assert " 1 demo  ● runs ? 1 waiting [2 demo-2] ● runs ? 1 waiting" in text_of(app)
        assert app.state.shown == "demo-2" and app.state.current == 1  # nothing turned to who asks
        assert "demo: claude › bash" in text_of(app) and "agent    demo " in text_of(app)
        await pilot.resize_terminal(80, 24)
        await until(lambda: "? WAIT exec demo: npm install one" in text_of(app), pilot)
        await pilot.press(LEADER, "a")
        assert (await first).verdict is Verdict.ALLOW and not second.done()
        await armed(app, pilot)
        await pilot.press(LEADER, "1")
        await pilot.press(LEADER, "d")
        assert (await second).verdict is Verdict.DENY
        await until(lambda: "waiting [" not in text_of(app).splitlines()[1], pilot)


async def test_a_terminal_out_of_view_has_the_size_that_it_will_be_shown_in(tmp_path: Path) -> None:
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await pilot.press(*"trap 'stty size' WINCH", "enter")
        await add(app, pilot)
        await pilot.resize_terminal(200, 60)
        hidden = app._room.panes["demo"]
        cells = app.state.plan.agent
        await until(lambda: hidden.grid_size == (cells.height, cells.width), pilot)
        await pilot.press(LEADER, "1")
        await pilot.press("enter")
        await until(lambda: f"{cells.height} {cells.width}" in screen(app), pilot)


async def test_leaving_ends_all_and_says_how_many(tmp_path: Path) -> None:
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await add(app, pilot)
        pids = [agent.pid for agent in app.state.agents]
        await pilot.press(LEADER, "q")
        await until(lambda: "ends 2 agents and everything they started" in text_of(app), pilot)
        await pilot.press("y")
        await until(lambda: app.return_value is not None, pilot)
    for pid in pids:
        assert pid and not Path(f"/proc/{pid}").exists()


@KERNEL
async def test_the_lost_gate_of_one_is_said_and_the_other_is_answered(tmp_path: Path) -> None:
    session = make_session(
        tmp_path,
        *SHELL,
        policy="default: allow\nrules:\n- {match: {target_glob: '**/held*'}, decision: ask}\n",
    )
    session.settings = replace(session.settings, gate=GateChoice.KERNEL)
    async with room(session) as (app, pilot):
        await ready(app, pilot)
        await add(app, pilot)
        await pilot.press(*"echo 2 > held2", "enter")
        await until(lambda: len(app.state.asks) == 1, pilot)
        await pilot.press(LEADER, "1", *"echo 1 > held1", "enter")
        await until(lambda: len(app.state.asks) == 2, pilot)
        os.kill(session.agents[1].backend._process.pid, signal.SIGKILL)  # type: ignore[union-attr]
        await until(lambda: "GATE LOST" in text_of(app), pilot)
        await until(lambda: len(app.state.asks) == 1, pilot)
        assert "demo-2: the warden ended" in text_of(app) and "the others go on" in text_of(app)
        await until(lambda: app.state.agents[1].status is not None, pilot)
        assert app.return_value is None and app.state.shown == "demo"
        await armed(app, pilot)
        await pilot.press(LEADER, "a")
        await until((tmp_path / "held1").exists, pilot)
        assert not (tmp_path / "held2").exists()
        await pilot.press(LEADER, "2", LEADER, "k")
        await until(lambda: "GATE LOST" not in text_of(app), pilot)
        await pilot.press(*"exit 3", "enter")
        await until(lambda: app.return_value is not None, pilot)
        assert app.return_value == 3


CROWD = (
    Agent("claude", 1, waiting=2),
    Agent("codex", 2, status=3),
    Agent("a-very-long-name-of-an-agent-that-somebody-chose", 3),
    Agent("opencode", 4, lost="the warden ended"),
    Agent("bash", None),
    *(Agent(f"claude-{number}", number, waiting=100) for number in range(2, 6)),
)


@pytest.mark.parametrize("cells", [20, 30, 50, 80, 108, 200, 400])
@pytest.mark.parametrize("shown", [0, 2, 4, 8])
def test_the_line_of_names_fits_and_shows_who_is_in_view(cells: int, shown: int) -> None:
    state = State(agents=CROWD, shown=CROWD[shown].name)
    line = agent_tabs.line(state, cells)
    assert width(line) <= cells
    assert f"[{shown + 1} " in plain(line)
    for x in range(cells):
        name = agent_tabs.at(state, cells, x)
        if x < width(line):
            assert name in {agent.name for agent in CROWD}
    here = plain(line).index("[")
    assert agent_tabs.at(state, cells, here) == CROWD[shown].name


def test_the_line_of_names_says_how_everybody_is() -> None:
    text = plain(agent_tabs.line(State(agents=CROWD, shown="claude"), 400))
    for word in ("[1 claude] ● runs ? 2 waiting", "2 codex  ■ ended, status 3", "✗ gate lost", "… starts"):
        assert word in text
    assert plain(agent_tabs.line(State(agents=(Agent("a\x1b[2Jb", 1),)), 80)).isprintable()


async def test_title_and_hints_name_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(Attention, "_write", staticmethod(lambda app, sequence: sent.append(sequence)))
    async with room(shell(tmp_path)) as (app, pilot):
        await ready(app, pilot)
        await add(app, pilot)
        waiting = ask_of(app, "chalk", "demo-2")
        await until(lambda: app.state.asks, pilot)
        assert sent[-1] == "\x1b]2;(1) waiting: demo-2 - agentgate\x07"
        waiting.cancel()
        await until(lambda: sent[-1] == "\x1b]2;demo - agentgate\x07", pilot)
        await pilot.press(*"sleep 0.3; printf '\\a'", "enter", LEADER, "1")
        await until(lambda: "demo-2 rang its bell" in text_of(app), pilot)
        assert app.state.shown == "demo"


def play(state: State, *happened: Happening) -> tuple[State, list[Effect]]:
    effects: list[Effect] = []
    for happening in happened:
        result = step(state, happening, 10.0)
        state, effects = result.state, [*effects, *result.effects]
    return state, effects


TWO = State(agents=(Agent("claude", 1), Agent("codex", 2)), shown="claude")


def test_the_room_is_left_with_the_last_agent_only() -> None:
    state, effects = play(TWO, AgentEnded(3, "claude"))
    assert state.status is None and effects == []
    state, effects = play(state, AgentEnded(5, "codex"))
    assert state.status == 3 and effects == [Leave()]
    state, effects = play(TWO, AgentEnded(3, "claude"), AgentFailed("codex", "no"))
    assert effects == []  # so that one can read why
    state, effects = play(state, AgentClosed("codex"))
    assert state.status == 3 and effects == [Leave()]


def test_news_of_one_agent_say_whose_they_are() -> None:
    hint = play(TWO, AgentEnded(3, "codex"))[0].hint
    assert hint and hint.text == "codex ended with status 3"
    hint = play(TWO, AgentLeft(0, 2, "codex"))[0].hint
    assert hint and hint.text.startswith("codex ended with status 0; 2 processes that it started go on")
    state, _ = play(TWO, GateLost("the warden ended", "codex"))
    assert state.lost == "codex: the warden ended" and not state.gone
    assert play(state, GateLost("so did this", "claude"))[0].gone
    assert play(state, AgentEnded(0, "claude"))[0].gone


def test_where_one_is_lost_only_the_others_questions_can_be_answered() -> None:
    ask = Ask(1, install("x"), INSTALL, 0.0, "kernel", "claude")
    state, _ = play(TWO, GateLost("the warden ended", "codex"), Asked(ask), Drawn(Subject(1)))
    result = step(state, Pressed(LEADER), 20.0)
    assert step(result.state, Pressed("a"), 20.0).effects == (Give(1, Verdict.ALLOW),)
    state, _ = play(state, GateLost("so did this", "claude"))
    result = step(state, Pressed(LEADER), 30.0)
    assert step(result.state, Pressed("a"), 30.0).effects == ()


def test_no_more_agents_than_keys_for_them() -> None:
    state = State(agents=tuple(Agent(str(number), number) for number in range(1, 10)), shown="1")
    state, _ = play(state, Pressed(LEADER), Pressed("c"))
    assert state.prompt is None and state.hint and "9 agents are as many" in state.hint.text


def test_the_help_names_the_nine_keys_in_one_word() -> None:
    lines = map(plain, help_lines(DEFAULT_KEYS, 80))
    assert any(line.split(maxsplit=1)[:1] == ["1-9"] and "with this number" in line for line in lines)
