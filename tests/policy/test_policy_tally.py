"""Hits stay with their rule through every edit."""

from agentgate.actions import Decision, Ruling, Source
from agentgate.policy.edit import delete_rule, insert_rule, move_rule, set_disabled
from agentgate.policy.load import load_text
from agentgate.policy.suggest import Draft
from agentgate.policy.tally import Tally

TEXT = """\
rules:
  - match: {target_glob: a}
    decision: allow
  - match: {target_glob: b}
    decision: ask
    reason: x
  - match: {target_glob: c}
    decision: deny
"""


def ruling(number: int, line: int) -> Ruling:
    return Ruling(Decision.ASK, Source.RULE, number, line)


def hits(tally: Tally, text: str) -> dict[str, int]:
    return {",".join(rule.targets): tally.hits(rule) for rule in load_text(text, "p").rules}


def test_hits_stay_with_their_rule_through_every_edit() -> None:
    tally = Tally()
    tally.use(load_text(TEXT, "p"))
    tally.add([ruling(2, 4), ruling(2, 4), ruling(3, 7), Ruling(Decision.ASK, Source.DEFAULT)])
    tally.add([Ruling(Decision.ASK, Source.GUARD, 3, 7, "", "ssh"), Ruling(Decision.ASK, Source.GATE)])
    assert hits(tally, TEXT) == {"a": 0, "b": 2, "c": 2} and tally.default == 1
    moved = move_rule(TEXT, 3, 1)
    assert hits(tally, moved) == {"c": 2, "a": 0, "b": 2}
    assert hits(tally, set_disabled(moved, 3, True)) == {"c": 2, "a": 0, "b": 2}
    assert hits(tally, delete_rule(moved, 2)) == {"c": 2, "b": 2}
    more = insert_rule(TEXT, Draft(None, ("d",), Decision.ASK), 1)
    assert hits(tally, more) == {"d": 0, "a": 0, "b": 2, "c": 2}


def test_a_decision_of_the_policy_before_counts_for_its_rule() -> None:
    tally = Tally()
    tally.use(load_text(TEXT, "p"))
    tally.use(load_text(delete_rule(TEXT, 1), "p"))
    tally.add([ruling(3, 7), ruling(1, 2), ruling(2, 5)])  # the first is the old policy's
    assert hits(tally, TEXT) == {"a": 0, "b": 1, "c": 2}
    tally.add([ruling(9, 1)])  # of no policy that is known
    assert hits(tally, TEXT) == {"a": 0, "b": 1, "c": 2}
