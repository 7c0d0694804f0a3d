"""What a policy that is not in force yet would change: recorded actions decided otherwise, failing tests,
rules without a say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agentgate.audit.past import Difference
from agentgate.escape import printable
from agentgate.gate import build
from agentgate.gate.decide import Decider
from agentgate.policy.errors import PolicyError
from agentgate.policy.findings import Findings, examine
from agentgate.policy.lint import lint
from agentgate.policy.load import load_text
from agentgate.policy.model import Policy
from agentgate.policy.suggest import Draft
from agentgate.session import Session
from agentgate.tui import words
from agentgate.tui.ink import Ink, Line, fold, outside

__all__ = ["Outcome", "WhatIf", "outcome_lines"]

_SHOWN = 20
"""Differences that are told one by one."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``error`` says why the policy cannot be used, with ``line`` where it is known; else ``differences``
    are those of ``recorded`` actions, and ``remarks`` what is probably a mistake."""

    error: str = ""
    line: int | None = None
    column: int | None = None
    policy: Policy | None = None
    recorded: int = 0
    differences: tuple[Difference, ...] = ()
    findings: Findings = field(default_factory=Findings)
    past_error: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """``4 of 50 recorded actions are decided otherwise``; empty when none is."""
        count = sum(difference.times for difference in self.differences)
        are = "action is" if self.recorded == 1 else f"actions {'is' if count == 1 else 'are'}"
        return f"{count:,} of {self.recorded:,} recorded {are} decided otherwise" if count else ""


class WhatIf:
    """Compares with the policy in force. Its methods take up to seconds the first time and block: they
    belong into a thread, one call at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._old: tuple[Policy, Decider] | None = None

    def text(self, text: str) -> Outcome:
        """What would follow if ``text`` stood in the file."""
        label = self._session.policy_file.label
        try:
            outcome = self.between(self._session.policy, load_text(text, label))
            if outcome.error:
                return outcome
            remarks = lint(text, self._session.context(), label=label)
        except PolicyError as error:
            return Outcome(str(error), error.line, error.column)
        return replace(outcome, remarks=tuple(remark.to_text(label) for remark in remarks))

    def rule(self, policy: Policy, number: int) -> Outcome:
        """What would follow if ``policy`` were in force, of which rule ``number`` is the one that is new."""
        outcome = self.between(self._session.policy, policy)
        lines = Draft.of(replace(policy.rules[number - 1], disabled=False)).to_yaml()
        text = "\n".join(["default: ask", "rules:", *lines, ""])
        try:
            remarks = lint(text, self._session.context())
        except PolicyError:  # ``outcome`` says why
            return outcome
        return replace(outcome, remarks=tuple(f"{remark.what}; {remark.fix}" for remark in remarks))

    def between(self, old: Policy, policy: Policy) -> Outcome:
        """What follows when ``policy`` takes the place of ``old``."""
        try:
            new = self._decider(policy)
            findings = examine(policy, self._session.context())
        except PolicyError as error:
            return Outcome(str(error), error.line, error.column)
        if self._old is None or self._old[0] is not old:
            self._old = (old, self._decider(old))
        past = self._session.recorded.read()
        differences = tuple(past.differences(self._old[1], new))
        return Outcome("", None, None, policy, len(past), differences, findings, past.error)

    def _decider(self, policy: Policy) -> Decider:
        """Guards and secrets decide too; answers that were remembered do not."""
        session = self._session
        return build.decider(session.settings, policy, session.policy_file.path)


def outcome_lines(outcome: Outcome | None, cells: int, number: int | None = None) -> list[Line]:
    """The regression and the tests, in lines of ``cells`` cells; ``number`` is the rule that is edited."""
    if outcome is None:
        return [(("looking at the recorded past …", Ink.DIM),)]
    if outcome.error:
        return fold((("✗ ", Ink.DENY), (outcome.error, Ink.DENY)), cells, indent=2)
    lines: list[Line] = []
    findings = outcome.findings
    by = findings.shadowed.get(number or 0)
    if by is not None:
        text = f"≡ rule {by} covers it: it will never have a say"
        lines += fold(((text, Ink.WAIT),), cells, indent=2)
    for remark in outcome.remarks[:_SHOWN]:
        lines += fold((("! ", Ink.WAIT), (outside(remark, 400), Ink.WAIT)), cells, indent=2)
    total = len(outcome.policy.tests) if outcome.policy else 0
    for failure in findings.failures[:_SHOWN]:
        lines += fold((("✗ ", Ink.DENY), (str(failure), Ink.DENY)), cells, indent=2)
    if total and not findings.failures:
        lines.append(((f"✓ {total} test{'s' if total > 1 else ''} of the file hold", Ink.ALLOW),))
    return lines + _past_lines(outcome, cells)


def _past_lines(outcome: Outcome, cells: int) -> list[Line]:
    if outcome.past_error:
        return fold(((f"the record cannot be read: {outcome.past_error}", Ink.DENY),), cells)
    of = f"of {outcome.recorded:,} recorded action{'' if outcome.recorded == 1 else 's'}"
    if not outcome.differences:
        return [((f"✓ none {of} would be decided otherwise", Ink.DIM),)]
    count = sum(difference.times for difference in outcome.differences)
    lines: list[Line] = [((f"~ {count:,} {of} would be decided otherwise", Ink.WAIT),)]
    lines += [_difference(difference, cells) for difference in outcome.differences[:_SHOWN]]
    rest = len(outcome.differences) - _SHOWN
    if rest > 0:
        lines.append(((f"  and {rest:,} more", Ink.DIM),))
    return lines


def _difference(difference: Difference, cells: int) -> Line:
    """``ask → allow exec npm install chalk ×3``."""
    action = difference.record.action
    before, _ = words.decision_mark(difference.before.decision)
    after, ink = words.decision_mark(difference.after.decision)
    head: Line = (
        (f"  {before[2:]:>5} → ", Ink.DIM),
        (f"{after:<7} ", ink),
        (f"{action.kind.value} ", Ink.DIM),
    )
    times = f" ×{difference.times:,}" if difference.times > 1 else ""
    room = cells - sum(len(text) for text, _ in head) - len(times)
    target = words.middle(outside(printable(action.target), 500), max(room, 8))
    return (*head, (target, Ink.PLAIN), (times, Ink.DIM))
