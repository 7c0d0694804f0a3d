"""The room's state machine, as playbooks: what happens at which second, and what must follow."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from room_kit import INSTALL, install

from agentgate.actions import Answer, Decision, Ruling, Source, Verdict
from agentgate.audit.record import Record
from agentgate.gate.events import (
    AgentEnded,
    AgentLeft,
    AgentStarted,
    Ask,
    Asked,
    Decided,
    GateLost,
    Notice,
    PolicyChanged,
    Settled,
    Withdrawn,
)
from agentgate.policy.scopes import Scope
from agentgate.tui.answers.sheet import Sheet
from agentgate.tui.answers.verbs import ForProcess, ForSession
from agentgate.tui.inputs import (
    AlwaysRefused,
    AskAlways,
    Clicked,
    Drawn,
    Effect,
    Give,
    Happening,
    HintOver,
    Leave,
    Move,
    Pressed,
    Quit,
    Resized,
    SendLeader,
    SheetReady,
    Subject,
    WriteFailed,
    WriteRule,
)
from agentgate.tui.keys.commands import LEADER
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.queue.asks import Asks
from agentgate.tui.state import ARM_SECONDS, State
from agentgate.tui.step import step

ALLOW = Answer(Verdict.ALLOW, Source.OPERATOR)


def question(number: int) -> Ask:
    return Ask(number, install(f"p{number}", 4000 + number), INSTALL, 0.0, "kernel")


def sheet(number: int) -> Sheet:
    scopes = (Scope("this", ("npm ci",)), Scope("not this", (), "too wide"), Scope("all", ("npm", "npm *")))
    return Sheet(number, Decision.ALLOW, scopes, 0)


@dataclass
class Play:
    """Runs a playbook: ``at`` moves the clock, ``do`` lets things happen and draws the screen, as the app
    does, right after each."""

    state: State = field(default_factory=lambda: State(width=120, height=36))
    now: float = 100.0
    effects: list[Effect] = field(default_factory=list)
    draws: bool = True

    def at(self, now: float) -> Play:
        self.now = 100.0 + now
        return self

    def do(self, *happenings: Happening) -> Play:
        self.effects = []
        for happening in happenings:
            result = step(self.state, happening, self.now)
            self.state = result.state
            self.effects += result.effects
            if self.draws and self.state.subject and self.state.drawn_at is None:
                self.state = step(self.state, Drawn(self.state.subject), self.now).state
        return self

    def keys(self, *keys: str) -> Play:
        return self.do(*map(Pressed, keys))

    def ask(self, *numbers: int) -> Play:
        return self.do(*(Asked(question(number)) for number in numbers))

    def settle(self, *numbers: int) -> Play:
        return self.do(*(Settled(question(number), ALLOW) for number in numbers))


@pytest.fixture
def play() -> Play:
    return Play()


# AGENT mode


def test_every_key_but_the_leader_is_the_agents(play: Play) -> None:
    play.ask(1).at(9)
    for key in ("a", "d", "q", "escape", "tab", "enter", "ctrl+q", "ctrl+p", "ctrl+c", "question_mark"):
        assert play.state.agent_has_keys_for(key)
        assert play.keys(key).effects == []
    assert not play.state.agent_has_keys_for(LEADER)


@pytest.mark.parametrize(("key", "verdict"), [("a", Verdict.ALLOW), ("d", Verdict.DENY)])
def test_leader_and_a_verdict_key_decide_the_oldest(play: Play, key: str, verdict: Verdict) -> None:
    play.ask(1, 2).at(1).keys(LEADER, key)
    assert play.effects == [Give(1, verdict)]
    assert play.state.mode is Mode.AGENT
    assert play.state.agent_has_keys


@pytest.mark.parametrize(
    ("key", "effects"),
    [(LEADER, [SendLeader(LEADER)]), ("escape", []), ("x", []), ("A", [])],
)
def test_the_key_after_the_leader_ends_it(play: Play, key: str, effects: list[Effect]) -> None:
    play.keys(LEADER)
    assert not play.state.agent_has_keys
    play.keys(key)
    assert play.effects == effects
    assert play.state.agent_has_keys


def test_an_unknown_key_after_the_leader_is_not_sent_and_says_so(play: Play) -> None:
    play.keys(LEADER, "x")
    assert play.state.hint is not None
    assert "ctrl+] x" in play.state.hint.text


def test_leader_tab_goes_to_control_and_back(play: Play) -> None:
    assert play.keys(LEADER, "tab").state.mode is Mode.CONTROL
    assert play.keys("escape").state.mode is Mode.AGENT
    play.keys(LEADER, "tab")
    assert play.keys(LEADER).state.mode is Mode.AGENT
    assert play.state.agent_has_keys  # the leader that left CONTROL does not wait for another key


# The arming delay


def test_a_verdict_key_counts_half_a_second_after_the_question_was_drawn(play: Play) -> None:
    play.ask(1).at(ARM_SECONDS - 0.01).keys(LEADER, "a")
    assert play.effects == []
    assert play.state.hint is not None
    assert "0.5" in play.state.hint.text
    assert play.at(ARM_SECONDS).keys(LEADER, "a").effects == [Give(1, Verdict.ALLOW)]


def test_a_question_that_is_not_drawn_cannot_be_answered(play: Play) -> None:
    play.draws = False
    play.ask(1)
    assert play.at(60).keys(LEADER, "a").effects == []
    play.do(Drawn(Subject(1)))
    assert play.at(60.4).keys(LEADER, "a").effects == []
    assert play.at(60.5).keys(LEADER, "a").effects == [Give(1, Verdict.ALLOW)]


def test_a_late_drawing_of_another_question_does_not_arm(play: Play) -> None:
    play.draws = False
    play.ask(1).do(Drawn(Subject(2)), Drawn(Subject(1, sheet=True)))
    assert play.state.drawn_at is None


def test_a_key_pressed_before_the_question_was_shown_never_counts(play: Play) -> None:
    """The key was pressed for question 1; that was settled while the key was on its way."""
    play.ask(1, 2).at(5).settle(1)
    pressed_at = 100.0 + 4.9
    play.do(Pressed(LEADER))
    assert step(play.state, Pressed("a"), pressed_at).effects == ()


def test_the_next_question_must_arm_again(play: Play) -> None:
    play.ask(1, 2).at(1).keys(LEADER, "a")
    play.settle(1)
    assert play.at(1.1).keys(LEADER, "a").effects == []
    assert play.at(1.6).keys(LEADER, "a").effects == [Give(2, Verdict.ALLOW)]


def test_arrivals_change_neither_the_question_nor_its_time(play: Play) -> None:
    play.ask(1).at(0.4).ask(2, 3)
    assert play.at(0.5).keys(LEADER, "d").effects == [Give(1, Verdict.DENY)]


def test_going_to_control_keeps_the_question_and_its_time(play: Play) -> None:
    play.ask(1, 2).at(0.6).keys(LEADER, "tab", "a")
    assert play.effects == [Give(1, Verdict.ALLOW)]


def test_a_verdict_with_nothing_waiting_says_so(play: Play) -> None:
    assert play.keys(LEADER, "a").effects == []
    assert play.state.hint is not None
    assert play.state.hint.text == "nothing waits"


# CONTROL mode: selection


@pytest.mark.parametrize(("down", "up"), [("j", "k"), ("down", "up")])
def test_moving_selects_and_arms_anew(play: Play, down: str, up: str) -> None:
    play.ask(1, 2, 3).at(1).keys(LEADER, "tab", down)
    assert play.state.selected == 2
    assert play.keys("a").effects == []
    assert play.at(1.5).keys("a").effects == [Give(2, Verdict.ALLOW)]
    assert play.keys(up).state.selected == 1
    assert play.keys(up).state.selected == 1
    assert play.keys("G").state.selected == 3
    assert play.keys(down).state.selected == 3
    assert play.keys("g").state.selected == 1


def test_the_selection_follows_its_question(play: Play) -> None:
    play.ask(1, 2, 3).keys(LEADER, "tab", "j").at(2)
    play.ask(4).settle(1, 3)
    assert play.state.selected == 2
    assert play.keys("d").effects == [Give(2, Verdict.DENY)]


@pytest.mark.parametrize(("settled", "then"), [((2,), 3), ((3, 2), 1)])
def test_a_settled_selection_goes_to_its_neighbour_and_arms_anew(
    play: Play, settled: tuple[int, ...], then: int
) -> None:
    play.ask(1, 2, 3).keys(LEADER, "tab", "j").at(2).settle(*settled)
    assert play.state.selected == then
    assert play.keys("a").effects == []
    assert play.at(2.5).keys("a").effects == [Give(then, Verdict.ALLOW)]


def test_the_first_arrival_in_control_is_selected_and_must_arm(play: Play) -> None:
    play.keys(LEADER, "tab").at(3).ask(7)
    assert play.state.selected == 7
    assert play.keys("a").effects == []
    assert play.at(3.5).keys("a").effects == [Give(7, Verdict.ALLOW)]


def test_a_withdrawn_question_is_gone_and_says_so(play: Play) -> None:
    play.ask(1).do(Withdrawn(question(1)))
    assert play.state.asks == Asks()
    assert play.state.subject is None
    assert play.state.hint is not None
    assert "gone" in play.state.hint.text


# Panels


def test_tab_and_digits_go_round_the_panels(play: Play) -> None:
    play.keys(LEADER, "tab")
    seen = [play.keys("tab").state.panel for _ in range(5)]
    assert seen == [Panel.DETAIL, Panel.AUDIT, Panel.POLICY, Panel.FILES, Panel.QUEUE]
    assert play.keys("shift+tab").state.panel is Panel.FILES
    assert [play.keys(str(n)).state.panel for n in (3, 5, 1, 4, 2)] == [
        Panel.AUDIT,
        Panel.FILES,
        Panel.QUEUE,
        Panel.POLICY,
        Panel.DETAIL,
    ]
    assert play.keys("j").effects == [Move(Panel.DETAIL, "next")]
    assert play.keys("3", "pagedown").effects == [Move(Panel.AUDIT, "page-down")]


def test_on_a_narrow_screen_nothing_is_decided_that_is_not_seen(play: Play) -> None:
    play.do(Resized(80, 24)).ask(1).at(1).keys(LEADER, "tab", "3")
    assert play.state.subject is None
    assert play.at(9).keys("a").effects == []
    assert play.state.hint is not None
    assert "1 shows it" in play.state.hint.text
    play.keys("1")
    assert play.keys("a").effects == []
    assert play.at(9.5).keys("a").effects == [Give(1, Verdict.ALLOW)]


def test_clicks_change_mode_and_select(play: Play) -> None:
    play.ask(1, 2).do(Clicked(Panel.QUEUE, 2))
    assert (play.state.mode, play.state.selected) == (Mode.CONTROL, 2)
    assert play.keys("a").effects == []  # just shown
    assert play.do(Clicked(None)).state.mode is Mode.AGENT
    play.do(Clicked(Panel.AUDIT))
    assert (play.state.mode, play.state.panel) == (Mode.CONTROL, Panel.AUDIT)


# Always


def test_always_shows_a_sheet_and_enter_writes_once_it_was_read(play: Play) -> None:
    play.ask(1).at(1).keys(LEADER, "tab", "A")
    assert play.effects == [AskAlways(1)]
    play.do(SheetReady(sheet(1)))
    assert play.state.cover is Cover.SHEET
    assert play.keys("enter").effects == []
    assert play.at(1.5).keys("enter").effects == [WriteRule(1)]
    play.do(WriteFailed("policy.yaml: cannot be written"))
    assert play.state.sheet and play.state.sheet.error == "policy.yaml: cannot be written"
    assert play.state.ask(1)
    assert play.keys("escape").state.cover is Cover.NONE
    assert play.keys("a").effects == []  # what was covered must be seen again first


def test_always_needs_an_armed_question(play: Play) -> None:
    assert play.ask(1).keys(LEADER, "tab", "A").effects == []


def test_a_refused_always_says_why(play: Play) -> None:
    play.ask(1).keys(LEADER, "tab").do(AlwaysRefused("guard ssh: it opens or trusts logins"))
    assert play.state.cover is Cover.NONE
    assert play.state.hint is not None
    assert "guard ssh" in play.state.hint.text


def test_the_sheet_closes_when_its_question_ends(play: Play) -> None:
    play.ask(1, 2).at(1).keys(LEADER, "tab", "A").do(SheetReady(sheet(1))).settle(1)
    assert play.state.cover is Cover.NONE
    assert play.at(9).keys("enter").effects == []


def test_a_sheet_for_a_question_that_is_gone_never_opens(play: Play) -> None:
    assert play.ask(1).do(SheetReady(sheet(5))).state.cover is Cover.NONE


def test_verdict_keys_do_nothing_below_a_cover(play: Play) -> None:
    play.ask(1).at(1).keys(LEADER, "tab", "question_mark").at(5)
    assert play.keys("a", "d", "A").effects == []
    assert play.keys("j").effects == [Move(None, "next")]
    assert play.keys("question_mark").state.cover is Cover.NONE


# The end


def test_quitting_asks_while_the_agent_lives(play: Play) -> None:
    play.do(AgentStarted(7)).keys(LEADER, "q")
    assert (play.state.cover, play.effects) == (Cover.QUIT, [])
    assert play.keys("enter", "q", "a").effects == []
    assert play.keys("escape").state.cover is Cover.NONE
    assert play.keys(LEADER, "q", "y").effects == [Quit()]


def test_the_end_of_the_agent_leaves_when_nothing_waits(play: Play) -> None:
    assert play.do(AgentStarted(7), AgentEnded(3)).effects == [Leave()]
    assert play.state.status == 3


def test_the_end_of_the_agent_waits_for_the_last_question(play: Play) -> None:
    play.ask(1, 2).do(AgentEnded(0))
    assert play.effects == []
    assert play.settle(1).effects == []
    assert play.settle(2).effects == [Leave()]


def test_the_room_stays_for_what_the_agent_left(play: Play) -> None:
    play.do(AgentStarted(7), AgentLeft(3, 2))
    assert play.effects == [] and play.state.status is None
    assert play.state.hint and play.state.hint.urgent
    assert "ended with status 3; 2 processes that it started go on" in play.state.hint.text
    assert play.ask(1).settle(1).effects == []
    assert play.do(AgentEnded(3)).effects == [Leave()]


def test_a_lost_gate_stays_until_q(play: Play) -> None:
    play.ask(1).do(GateLost("the warden ended"))
    play.settle(1).do(AgentEnded(137))
    assert play.effects == []
    assert play.state.lost == "the warden ended"
    assert play.keys(LEADER, "a").effects == []
    assert play.keys(LEADER, "q").effects == [Quit()]


# What is said


def test_hints_go_away_and_only_the_one_meant(play: Play) -> None:
    play.at(1).do(Notice("first")).at(2).do(Notice("second"))
    assert play.do(HintOver(101.0)).state.hint is not None
    assert play.do(HintOver(102.0)).state.hint is None


def test_a_refused_policy_is_kept_until_a_good_one_comes(play: Play) -> None:
    play.do(PolicyChanged("policy.yaml", "policy.yaml:3:5: unknown key 'x'"))
    assert play.state.policy_error == "policy.yaml:3:5: unknown key 'x'"
    assert play.do(PolicyChanged("policy.yaml")).state.policy_error == ""


def test_decisions_are_counted(play: Play) -> None:
    answers = [Answer(verdict, Source.DEFAULT) for verdict in (Verdict.ALLOW, Verdict.DENY, Verdict.DENY)]
    ruling = Ruling(Decision.ALLOW, Source.DEFAULT)
    records = tuple(Record(0.0, install("x"), ruling, answer, 0, "kernel") for answer in answers)
    play.do(Decided(records), Decided(records[:1]))
    assert (play.state.decided, play.state.denied) == (4, 2)


# Whatever happens

_HAPPENINGS = st.one_of(
    st.builds(lambda n: Asked(question(n)), st.integers(1, 5)),
    st.builds(lambda n: Settled(question(n), ALLOW), st.integers(1, 5)),
    st.builds(lambda n: Withdrawn(question(n)), st.integers(1, 5)),
    st.builds(lambda n: SheetReady(sheet(n)), st.integers(1, 5)),
    st.builds(Clicked, st.sampled_from([None, *Panel]), st.integers(1, 5)),
    st.builds(Resized, st.sampled_from([10, 80, 120, 200]), st.sampled_from([4, 24, 60])),
    st.sampled_from([LEADER, *"adstADujkeqy31", "tab", "escape", "enter", "left"]).map(Pressed),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(_HAPPENINGS, st.floats(0, 1)), max_size=60))
def test_a_verdict_only_ever_goes_to_what_was_shown_for_long_enough(
    happenings: list[tuple[Happening, float]],
) -> None:
    play = Play()
    shown: tuple[Subject | None, float] = (None, 0.0)
    known: set[int] = set()
    for happening, wait in happenings:
        if isinstance(happening, Asked):
            if happening.ask.number in known:  # numbers are never used twice
                continue
            known.add(happening.ask.number)
        play.now += wait
        before = play.state
        play.do(happening)
        for effect in play.effects:
            if isinstance(effect, Give | WriteRule | AskAlways | ForSession | ForProcess):
                subject, since = shown
                choice = before.sheet.choice if before.sheet and isinstance(effect, WriteRule) else ""
                assert subject == Subject(effect.number, isinstance(effect, WriteRule), choice)
                assert play.now - since >= ARM_SECONDS
                assert before.ask(effect.number)
        if play.state.subject != shown[0]:
            shown = (play.state.subject, play.now)
        if play.state.selected is not None:
            assert play.state.ask(play.state.selected)
        assert play.state.plan.agent.width >= 1


# Zoom, and F12


def test_f12_is_a_leader_like_the_other_and_doubled_passes_through(play: Play) -> None:
    assert not play.state.agent_has_keys_for("f12")
    play.ask(1).at(1).keys("f12", "a")
    assert play.effects == [Give(1, Verdict.ALLOW)]
    assert play.keys("f12", "f12").effects == [SendLeader("f12")]
    assert play.keys("f12", "tab").state.mode is Mode.CONTROL
    assert play.keys("f12").state.mode is Mode.AGENT


def test_z_zooms_what_has_the_keys_and_back(play: Play) -> None:
    play.ask(1)
    agent = play.state.plan.agent
    assert play.keys(LEADER, "z").state.plan.agent.width == 120
    assert play.keys(LEADER, "z").state.plan.agent == agent
    play.keys(LEADER, "tab", "3", "z")
    assert list(play.state.plan.panels) == [Panel.AUDIT]
    assert play.state.plan.agent == agent
    assert play.keys("4").state.plan.panels.keys() == {Panel.POLICY}
    assert play.keys("z").state.plan.panels.keys() == {Panel.QUEUE, Panel.DETAIL, Panel.POLICY}
    play.keys("z", "escape")
    assert not play.state.zoom  # the next time in CONTROL begins with everything


def test_a_verdict_in_a_zoomed_log_is_about_the_action_in_the_alert_line(play: Play) -> None:
    play.ask(1, 2).keys(LEADER, "tab", "j", "3", "z").at(1)
    assert play.keys("d").effects == [Give(2, Verdict.DENY)]
