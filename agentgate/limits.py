"""How many files the gate may have open: as many as the system lets it, while the agent keeps its own limit.

Every tunnel of the proxy and every held call needs descriptors of ours, and the usual soft limit of 1,024
(getrlimit(2)) is there for programs that use select(2), which this one does not.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator

__all__ = ["inherited", "raise_open_files"]

_started_with = resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_open_files() -> None:
    """Raise this process' soft limit to its hard limit."""
    hard = _started_with[1]
    with contextlib.suppress(ValueError, OSError):  # macOS has a lower ceiling than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def inherited() -> Iterator[None]:
    """Within this, children get the limit that this process was started with."""
    now = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, _started_with)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, now)
