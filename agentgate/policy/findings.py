"""What a reader of a policy should know beside its rules: which can never hold, and which tests fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentgate.policy.explain import Failure, run_tests
from agentgate.policy.match import Context
from agentgate.policy.model import Policy
from agentgate.policy.shadow import shadows

__all__ = ["Findings", "examine"]


@dataclass(frozen=True, slots=True)
class Findings:
    """``shadowed`` gives the number of the earlier rule that covers a rule; ``failures`` are the tests of
    the file that come out otherwise than they say."""

    shadowed: Mapping[int, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()

    def failing(self, number: int | None) -> tuple[Failure, ...]:
        """The failing tests that rule ``number`` decides (None: the default)."""
        return tuple(
            failure for failure in self.failures if failure.got is not None and failure.got.rule == number
        )


def examine(policy: Policy, context: Context) -> Findings:
    """Pure but slow (tens of milliseconds for a hundred rules): belongs into a thread. Raises PolicyError
    for a policy that cannot be compiled."""
    return Findings(shadows(policy, context), tuple(run_tests(policy, context)))
