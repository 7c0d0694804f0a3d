"""The queue's keys as a state machine: which questions a verdict goes to, marks, notes, ends, the filter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_tui_board import by
from test_tui_step import Play

from agentgate.actions import Answer, Kind, Source, Verdict
from agentgate.audit.record import Record
from agentgate.gate.events import Ask, Asked, Decided, Settled, Withdrawn
from agentgate.gate.risk import Level, Scene, risk
from agentgate.tui.inputs import Clicked, Drawn, Effect, Give, Happening, Pressed
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.queue.verbs import EndProcesses, Fold, Met
from agentgate.tui.state import ARM_SECONDS, State
from agentgate.tui.step import step

LEADER = "ctrl+right_square_bracket"
ALLOW = Answer(Verdict.ALLOW, Source.OPERATOR)


class Queue(Play):
    """A playbook in CONTROL, with questions that differ in what is said of them."""

    def do(self, *happenings: Happening) -> Queue:
        """As ever; and what joined a card is drawn too, as the app does."""
        effects: list[Effect] = []
        for happening in happenings:
            super().do(happening)
            effects += self.effects
            joined = self.state.joined
            if self.draws and joined and joined.drawn_at is None and self.state.subject:
                self.state = step(self.state, Drawn(self.state.subject, joined.upto), self.now).state
        self.effects = effects
        return self

    def come(self, *asks: Ask) -> Queue:
        return self.do(*map(Asked, asks))

    def go(self, *numbers: int) -> Queue:
        return self.do(*(Withdrawn(self.state.asks.get(n) or asking(n)) for n in numbers))

    def given(self) -> list[tuple[int, str]]:
        return [(effect.number, effect.verdict.value) for effect in self.effects if isinstance(effect, Give)]

    def hint(self) -> str:
        return self.state.hint.text if self.state.hint else ""


def asking(number: int, tool: int = 0, target: str = "", kind: Kind = Kind.EXEC) -> Ask:
    """A question of its own command (or of ``tool``'s), of low risk if nothing else is said."""
    return by(tool or 1000 + number, kind, target or f"ls {number}", 5000 + number, number=number)


def same(number: int) -> Ask:
    return asking(number, 1000 + number, "ls same")


@pytest.fixture
def play() -> Queue:
    made = Queue()
    made.state = State(width=120, height=36, scene=Scene("/home/me/project"))
    made.keys(LEADER, "tab")
    return made


# One card, one answer


def test_one_answer_goes_to_all_that_ask_the_same(play: Queue) -> None:
    play.come(same(1), same(2), asking(3)).at(1).keys("a")
    assert play.given() == [(1, "allow"), (2, "allow")]


@pytest.mark.parametrize("key", ["a", "d"])
def test_one_that_joins_late_is_not_answered_and_does_not_put_off_the_answer(play: Queue, key: str) -> None:
    play.come(same(1), same(2)).at(0.4).come(same(3))
    play.at(0.6).keys(key)
    verdict = "allow" if key == "a" else "deny"
    assert play.given() == [(1, verdict), (2, verdict)]


def test_one_that_joined_is_answered_once_it_was_seen_for_long_enough(play: Queue) -> None:
    play.come(same(1)).at(3).come(same(2)).at(3.2).come(same(3)).at(3.4).keys("d")
    assert play.given() == [(1, "deny")]
    assert play.at(3.5).keys("d").given() == [(1, "deny"), (2, "deny")]
    assert play.at(4).keys("d").given() == [(1, "deny"), (2, "deny"), (3, "deny")]


def test_one_that_joined_but_was_not_drawn_is_not_answered(play: Queue) -> None:
    play.come(same(1)).at(3)
    play.state = step(play.state, Asked(same(2)), play.now).state  # no Drawn follows
    assert play.at(9).keys("d").effects == [Give(1, Verdict.DENY)]
    assert play.state.subject is not None
    play.do(Drawn(play.state.subject, 2))
    assert play.at(9.4).keys("d").effects == [Give(1, Verdict.DENY)]
    assert play.at(9.5).keys("d").effects == [Give(1, Verdict.DENY), Give(2, Verdict.DENY)]


def test_a_steady_stream_of_the_same_neither_blocks_the_key_nor_slips_in(play: Queue) -> None:
    play.come(same(1))
    came = {1: 0.0}
    for n in range(2, 40):
        play.at(n * 0.1).come(same(n))
        came[n] = n * 0.1
        play.keys("d")
        for number, _ in play.given():
            assert n * 0.1 - came[number] >= ARM_SECONDS - 1e-9
        assert bool(play.given()) == (n * 0.1 >= ARM_SECONDS)
    assert len(play.given()) > 20


def test_when_the_oldest_of_a_card_goes_the_next_is_shown_and_must_be_read(play: Queue) -> None:
    play.come(same(1), same(2), asking(3)).at(2).go(1)
    assert play.state.selected == 2
    assert play.keys("a").effects == []
    assert play.at(2.5).keys("a").effects == [Give(2, Verdict.ALLOW)]


def test_the_leader_answers_the_whole_card_too() -> None:
    play = Queue()
    play.come(same(1), same(2)).at(1).keys(LEADER, "d")
    assert play.given() == [(1, "deny"), (2, "deny")]


# Commands


def test_j_and_k_go_through_the_members_of_a_command(play: Queue) -> None:
    play.come(asking(1, 500), asking(2), asking(3, 500))
    seen = [play.state.selected, *(play.keys("j").state.selected for _ in range(3))]
    assert seen == [1, 3, 2, 2]
    assert [play.keys("k").state.selected for _ in range(3)] == [3, 1, 1]


def test_a_folded_command_is_denied_as_a_whole_and_never_allowed(play: Queue) -> None:
    play.come(asking(1, 500), asking(2, 500), asking(3)).at(1).keys("left")
    assert play.state.whole is not None
    assert play.keys("d").effects == []  # it is another thing: read it first
    play.at(1.4).come(asking(4, 500))
    assert play.at(1.5).keys("a").effects == [] and "never" not in play.hint()
    assert "not allowed as a whole" in play.hint()
    assert play.keys("A").effects == [] and "folded" in play.hint()
    assert play.keys("x").effects == [] and play.keys("space").state.marks == frozenset()
    assert play.keys("d").given() == [(1, "deny"), (2, "deny")]
    assert play.at(2).keys("j").state.selected == 3
    assert play.keys("k", "right").state.whole is None
    assert play.keys("j").state.selected == 2


def test_a_click_on_a_header_folds(play: Queue) -> None:
    play.come(asking(1, 500), asking(2, 500)).do(Fold(1))
    assert play.state.whole is not None
    play.do(Fold(1))
    assert play.state.whole is None
    play.keys("escape").do(Fold(1))
    assert not play.state.board.card(1).tree.folded  # type: ignore[union-attr]


def test_in_agent_mode_a_folded_command_is_decided_by_its_first_action() -> None:
    play = Queue()
    play.keys(LEADER, "tab")
    play.come(asking(1, 500), asking(2, 500)).keys("left", "escape").at(1).keys(LEADER, "a")
    assert play.effects == [Give(1, Verdict.ALLOW)]


# Marks


def test_marked_ones_are_denied_together_once_the_last_mark_was_seen(play: Queue) -> None:
    play.come(*map(asking, range(1, 5))).at(1).keys("space", "j", "j", "space")
    assert play.keys("d").effects == []
    assert play.at(1.5).keys("d").given() == [(1, "deny"), (3, "deny")]
    assert play.state.marks == frozenset()


def test_space_takes_a_mark_back(play: Queue) -> None:
    play.come(asking(1), asking(2)).keys("space", "space").at(1).keys("d")
    assert play.given() == [(1, "deny")]


def test_only_low_risks_are_allowed_together_and_the_others_are_named(play: Queue) -> None:
    play.come(
        asking(1),
        asking(2, target="npm install chalk"),
        asking(3),
        asking(4, target="/etc/x", kind=Kind.FS_WRITE),
    )
    play.keys("space", "j", "space", "j", "space", "j", "space").at(1).keys("a")
    assert play.given() == [(1, "allow"), (3, "allow")]
    assert "allowed 2 of low risk; still to be looked at: npm install chalk (an install" in play.hint()
    assert play.hint().endswith("and 1 more")
    play.do(Settled(asking(1), ALLOW), Settled(asking(3), ALLOW)).at(2)
    assert play.keys("d").given() == [(2, "deny"), (4, "deny")]


def test_a_mark_covers_what_was_there_when_it_was_made(play: Queue) -> None:
    play.come(same(1), same(2), asking(3)).keys("space").at(0.4).come(same(4)).at(9).keys("d")
    assert play.given() == [(1, "deny"), (2, "deny")]


def test_a_marked_one_that_goes_takes_its_mark_along_and_the_rest_must_be_seen(play: Queue) -> None:
    play.come(asking(1), asking(2), asking(3)).keys("space", "j", "space").at(2).go(1)
    assert play.keys("d").effects == []
    assert play.at(2.5).keys("d").given() == [(2, "deny")]


def test_marks_do_not_count_in_agent_mode(play: Queue) -> None:
    play.come(asking(1), asking(2), asking(3)).keys("j", "space", LEADER).at(1).keys(LEADER, "d")
    assert play.given() == [(1, "deny")]


# The filter


def test_the_filter_narrows_while_it_is_typed_and_escape_clears_it(play: Queue) -> None:
    play.come(asking(1, target="npm install chalk"), asking(2, target="make"), asking(3, target="make all"))
    play.keys("slash", "m", "a")
    assert (play.state.selected, play.state.board.hidden) == (2, 1)
    play.keys("k", "e").keys("enter")
    assert play.state.board.filter.text == "make"
    assert play.keys("j").state.selected == 3
    play.keys("escape")
    assert (play.state.board.filter.text, play.state.mode) == ("", Mode.CONTROL)
    assert play.keys("escape").state.mode is Mode.AGENT


def test_an_inverted_filter(play: Queue) -> None:
    play.come(asking(1, target="npm install chalk"), asking(2, target="make"))
    play.keys("exclamation_mark", *"make", "enter")
    assert (play.state.board.filter.text, play.state.selected) == ("!make", 1)


def test_while_a_filter_is_typed_letters_decide_nothing(play: Queue) -> None:
    play.come(asking(1)).at(1).keys("slash", "a", "d", "x").at(3).keys("a")
    assert play.effects == []
    assert play.state.prompt is not None and play.state.prompt.text == "adxa"


@pytest.mark.parametrize("keys", [("a",), ("d",), ("n", "enter"), ("x",), ("A",)])
def test_what_is_filtered_out_is_never_decided(play: Queue, keys: tuple[str, ...]) -> None:
    play.come(asking(1), asking(2)).keys("space", "slash", *"nothing", "enter").at(5).keys(*keys)
    assert play.effects == [] and play.state.cover is Cover.NONE
    assert "the filter hides 2: esc clears it" in play.hint()
    play.do(Pressed(LEADER)).at(9).keys(LEADER, "a")
    assert play.effects == []


def test_marks_that_the_filter_hides_are_left_alone(play: Queue) -> None:
    play.come(asking(1, target="make"), asking(2, target="ls"), asking(3, target="ls b"))
    play.keys("space", "j", "space", "slash", *"ls", "enter").at(5).keys("d")
    assert play.given() == [(2, "deny")]
    assert len(play.state.marks) == 1


def test_an_arrival_that_the_filter_hides_changes_nothing(play: Queue) -> None:
    play.come(asking(1, target="make")).keys("slash", *"make", "enter").at(1)
    play.come(asking(2, target="ls"))
    assert play.keys("d").given() == [(1, "deny")]


# A note


def test_a_note_goes_with_the_deny_of_what_was_shown(play: Queue) -> None:
    play.come(asking(1), asking(2)).at(1).keys("n", *"no").do(Pressed("space", " "), *map(Pressed, "way"))
    assert play.effects == []
    play.at(9).keys("enter")
    assert play.effects == [Give(1, Verdict.DENY, "no way")]
    assert play.state.prompt is None


def test_a_note_needs_an_armed_question(play: Queue) -> None:
    play.come(asking(1)).keys("n")
    assert play.state.prompt is None and "read it first" in play.hint()


def test_a_note_for_a_question_that_goes_is_not_sent_to_the_next(play: Queue) -> None:
    play.come(asking(1), asking(2)).at(1).keys("n", "x").go(1)
    assert play.state.prompt is None and "not sent" in play.hint()
    assert play.at(9).keys("enter").given() == []


def test_a_note_goes_to_all_of_a_card_or_all_marked_and_not_to_newcomers(play: Queue) -> None:
    play.come(same(1), same(2)).at(1).keys("n").come(same(3)).at(9).keys("x", "enter")
    assert play.effects == [Give(1, Verdict.DENY, "x"), Give(2, Verdict.DENY, "x")]
    play.go(1, 2, 3).come(asking(4), asking(5)).keys("space", "j", "space").at(20).keys("n", "y", "enter")
    assert play.effects == [Give(4, Verdict.DENY, "y"), Give(5, Verdict.DENY, "y")]


def test_escape_sends_no_note(play: Queue) -> None:
    play.come(asking(1)).at(1).keys("n", "x", "escape")
    assert play.effects == [] and play.state.targets == ()


# The end of a process


def test_x_denies_and_ends_what_is_shown(play: Queue) -> None:
    play.come(same(1), same(2), asking(3)).keys("x")
    assert play.effects == []
    assert play.at(1).keys("x").effects == [EndProcesses((1, 2))]


def test_x_on_the_agent_itself_asks_first_and_y_must_be_armed(play: Queue) -> None:
    itself = asking(1)
    itself = Ask(1, itself.action._replace(chain=itself.action.chain[-1:]), itself.ruling, 0.0, "kernel")
    play.come(itself).at(1).keys("x")
    assert (play.effects, play.state.cover) == ([], Cover.END)
    assert play.keys("y").effects == []
    assert play.keys("escape").state.cover is Cover.NONE
    play.at(2).keys("x").at(2.5).keys("y")
    assert play.effects == [EndProcesses((1,))]
    assert play.state.cover is Cover.NONE


def test_the_question_about_the_agent_closes_when_it_waits_no_more(play: Queue) -> None:
    itself = asking(1)
    itself = Ask(1, itself.action._replace(chain=itself.action.chain[-1:]), itself.ruling, 0.0, "kernel")
    play.come(itself).at(1).keys("x").go(1)
    assert play.state.cover is Cover.NONE and "nothing was ended" in play.hint()
    assert play.at(9).keys("y").effects == []


# What risks are told by


def test_a_host_that_was_reached_is_new_no_more(play: Queue) -> None:
    target = asking(1, kind=Kind.NET_EGRESS, target="api.example:443")

    def level() -> Level:
        return risk(target.action, target.ruling, play.state.scene).level

    assert level() is Level.MEDIUM
    play.do(Decided((Record(0.0, target.action, target.ruling, ALLOW, 0, "kernel"),)))
    assert level() is Level.LOW
    other = asking(2, kind=Kind.NET_EGRESS, target="old.example:443")
    play.do(Met(frozenset({"old.example"})))
    assert risk(other.action, other.ruling, play.state.scene).level is Level.LOW


def test_a_click_on_what_the_filter_hides_selects_nothing(play: Queue) -> None:
    play.come(asking(1, target="make"), asking(2, target="ls")).keys("slash", *"ls", "enter")
    assert play.do(Clicked(Panel.QUEUE, 1)).state.selected == 2


# Whatever happens

_KEYS = (
    LEADER, "tab", "escape", "j", "k", "a", "d", "n", "x", "y", "space", "left", "right", "slash", "enter",
)  # fmt: skip
_HAPPENINGS = st.one_of(
    st.tuples(st.just("come"), st.integers(0, 5)),
    st.tuples(st.just("go"), st.integers(1, 12)),
    st.tuples(st.just("key"), st.sampled_from(_KEYS)),
)
_SORTS = (
    lambda n: same(n),
    lambda n: asking(n, 500, f"ls {n}"),
    lambda n: asking(n, 500, f"npm install p{n}"),
    lambda n: asking(n, target=f"make {n}"),
    lambda n: asking(n, 600, "/etc/x", Kind.FS_WRITE),
    lambda n: asking(n, 600, "api.example:443", Kind.NET_EGRESS),
)


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(_HAPPENINGS, st.floats(0, 0.9)), max_size=50))
def test_no_key_ever_answers_what_was_not_there_to_be_seen(
    happenings: list[tuple[tuple[str, int | str], float]],
) -> None:
    play = Queue()
    play.state = State(width=120, height=36, scene=Scene("/home/me/project"))
    play.keys(LEADER, "tab")
    came: dict[int, float] = {}
    for (what, which), wait in happenings:
        play.now += wait
        before = play.state
        if what == "come":
            number = len(came) + 1
            came[number] = play.now
            play.come(_SORTS[int(which)](number))
        elif what == "go":
            play.go(int(which))
        else:
            play.keys(str(which))
        answered = {effect.number for effect in play.effects if isinstance(effect, Give)}
        for effect in play.effects:
            if isinstance(effect, EndProcesses):
                answered.update(effect.numbers)
        assert all(before.ask(n) and play.now - came[n] >= ARM_SECONDS - 1e-9 for n in answered)
        noted = before.prompt is not None
        assert noted or all(before.board.row_of(n) is not None for n in answered)
        allowed = [before.ask(n) for n, verdict in play.given() if verdict == "allow"]
        if len({before.board.tag(ask.number) for ask in allowed if ask}) > 1:
            assert all(
                risk(ask.action, ask.ruling, before.scene).level is Level.LOW for ask in allowed if ask
            )
        for n in before.targets if before.cover is Cover.END else ():
            assert answered <= set(before.targets), n
        if play.state.selected is not None:
            assert play.state.board.row_of(play.state.selected) is not None
