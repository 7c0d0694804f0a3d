"""The sheet of an answer that holds longer: how far, how long, and the rule that comes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agentgate.actions import Decision
from agentgate.policy.scopes import Scope
from agentgate.policy.spans import Span

__all__ = ["TYPED", "Sheet"]

TYPED = "as you typed it"


@dataclass(frozen=True, slots=True)
class Sheet:
    """``number`` is the question that is answered with ``decision``. ``at`` is the chosen one of ``scopes``,
    which is always one that is offered. ``past`` says of targets what they would have matched, once that is
    counted. ``error`` is why the rule was not written."""

    number: int
    decision: Decision
    scopes: tuple[Scope, ...]
    at: int
    span: Span = Span.ALWAYS
    past: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    error: str = ""

    @property
    def targets(self) -> tuple[str, ...]:
        return self.scopes[self.at].targets

    @property
    def choice(self) -> str:
        """What a key that takes the sheet would be about, told apart from every other choice."""
        return f"{self.decision} {self.span} {self.targets}"

    def moved(self, by: int) -> Sheet:
        """With the next scope in that direction that is offered, if there is one."""
        places = range(self.at + by, len(self.scopes) if by > 0 else -1, by)
        at = next((place for place in places if not self.scopes[place].refused), self.at)
        return replace(self, at=at, error="")

    def lasting(self, span: Span) -> Sheet:
        return replace(self, span=span, error="")

    def with_typed(self, targets: tuple[str, ...]) -> Sheet:
        """With globs that were typed by hand, chosen; they take the place of those typed before."""
        scopes = tuple(scope for scope in self.scopes if scope.label != TYPED)
        known = next((at for at, scope in enumerate(scopes) if scope.targets == targets), None)
        if known is not None:
            return replace(self, scopes=scopes, at=known, error="")
        return replace(self, scopes=(*scopes, Scope(TYPED, targets)), at=len(scopes), error="")
