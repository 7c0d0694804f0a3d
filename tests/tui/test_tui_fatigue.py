"""How often and how fast is decided, and what could be a rule."""

from __future__ import annotations

from dataclasses import replace

from room_kit import DEFAULT, GUARD, INSTALL, install, write

from agentgate.actions import Action, Answer, Kind, Source, Verdict
from agentgate.gate.events import Ask, Asked, Settled
from agentgate.tui import bars
from agentgate.tui.ink import plain, width
from agentgate.tui.inputs import Drawn
from agentgate.tui.modes import Mode
from agentgate.tui.queue.fatigue import OFTEN, Pace, offer
from agentgate.tui.state import State
from agentgate.tui.step import step

ALLOW = Answer(Verdict.ALLOW, Source.OPERATOR)
DENY = Answer(Verdict.DENY, Source.OPERATOR)


def question(number: int = 1, name: str = "chalk") -> Ask:
    return Ask(number, install(name), INSTALL, 0.0, "kernel")


def run_test(number: int = 1) -> Ask:
    return Ask(number, Action(Kind.EXEC, "npm run test", ("npm", "run", "test")), INSTALL, 0.0, "kernel")


def test_decisions_of_the_last_hour_are_counted_and_the_quick_ones() -> None:
    pace = Pace()
    assert pace.said(0) == ""
    for now, shown in ((0.0, 5.0), (10.0, 0.6), (20.0, 0.9), (30.0, 1.0)):
        pace = pace.noted(question(), DENY, shown, now)
    assert pace.said(30) == "4/h, 2 under 1 s"
    assert pace.said(3605) == "3/h, 2 under 1 s"
    assert pace.said(3625) == "1/h"
    assert pace.said(9999) == ""


def test_what_the_operator_did_not_decide_does_not_count() -> None:
    pace = Pace().noted(question(), Answer(Verdict.DENY, Source.TIMEOUT), 9.0, 1.0)
    pace = pace.noted(question(), ALLOW, None, 2.0)  # along with another one
    assert pace.said(2) == ""


def test_what_was_allowed_five_times_is_offered_as_a_rule() -> None:
    pace = Pace()
    for number in range(OFTEN):
        assert not offer(pace, run_test(), "A")
        pace = pace.noted(run_test(number), ALLOW, 3.0, float(number))
    assert offer(pace, run_test(9), "A") == "npm run test allowed 5 times: A writes a rule"
    assert not offer(pace, question(), "A")  # another sort of thing
    assert not offer(pace.noted(run_test(6), ALLOW, 3.0, 6.0), run_test(9), "A")  # once is enough


def test_what_can_be_no_rule_and_what_was_denied_is_not_offered() -> None:
    guarded = Ask(1, write("/home/me/.bashrc"), GUARD, 0.0, "kernel")
    pace = Pace()
    for number in range(OFTEN):
        pace = pace.noted(guarded, ALLOW, 3.0, 0.0).noted(run_test(number), DENY, 3.0, 0.0)
    assert not offer(pace, guarded, "A")
    assert not offer(pace, run_test(), "A")


def test_a_flood_of_sorts_is_bounded() -> None:
    pace = Pace()
    for number in range(2000):
        pace = pace.noted(Ask(number, write(f"/x/{number}"), DEFAULT, 0.0, "kernel"), ALLOW, None, 0.0)
    assert len(pace.allowed) <= 500


def test_the_room_notes_what_was_shown_and_offers_when_the_next_one_is() -> None:
    state = State(width=120, height=36)
    now = 100.0
    for number in range(1, OFTEN + 2):
        state = step(state, Asked(run_test(number)), now).state
        assert state.subject is not None
        state = step(state, Drawn(state.subject), now).state
        if number <= OFTEN:
            assert state.hint is None
            state = step(state, Settled(run_test(number), ALLOW), now + 0.7).state
            now += 10
    assert state.hint is not None
    assert state.hint.text == "npm run test allowed 5 times: ctrl+] tab A writes a rule"
    assert state.pace.said(now) == "5/h, 5 under 1 s"
    wide = plain(bars.header(state, bars.Facts("claude", "kernel", "policy.yaml", "abc"), 120, now))
    assert "5/h, 5 under 1 s" in wide
    for cells in range(60, 130):
        line = bars.header(state, bars.Facts("claude", "kernel", "policy.yaml", "abc"), cells, now)
        assert width(line) <= cells
        assert "1 waiting" in plain(line)
        assert "abc" in plain(line)
    control = replace(state, mode=Mode.CONTROL, selected=6, hint=None, drawn_at=None)
    assert control.subject is not None
    again = step(control, Drawn(control.subject), now).state
    assert again.hint is not None
    assert "times: A writes a rule" in again.hint.text
