"""A session that outlives its agent, where that is asked for (``--keep``): it goes on, gated as before, until
the last process that the agent started has ended. The exit status stays the agent's.

The agent's own process is reaped at its end, so its number may be given to another process; who asks for
the first process of the session must not be given that number any more.
"""

from __future__ import annotations

import os
from collections.abc import Set

from agentgate.intercept.kernel.ending import reap
from agentgate.intercept.kernel.procs import descendants

__all__ = ["Kept"]


class Kept:
    """``outside``: the warden's children that are not of the agent's tree. ``status``: the agent's, once it
    has ended and others go on."""

    def __init__(self, wanted: bool, outside: Set[int]) -> None:
        self._wanted = wanted
        self._outside = outside
        self.status: int | None = None

    def begin(self, root: int) -> int:
        """The agent, ``root``, has ended: how many go on. 0: the session ends with it, nothing was done."""
        left = self._left() if self._wanted else 0
        if left:
            self.status = reap(root)
        return left

    @property
    def over(self) -> bool:
        """Whether the last of those has ended too."""
        return self.status is not None and not self._left()

    def _left(self) -> int:
        return len(descendants(os.getpid()) - self._outside)
