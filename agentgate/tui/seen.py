"""Since when something has been under the keys: the arming rule for what is no question. Pure."""

from __future__ import annotations

__all__ = ["Seen"]


class Seen:
    """A key counts for a thing that had been drawn for some time when the key was pressed."""

    def __init__(self) -> None:
        self._thing: object = None
        self._since: float | None = None

    def look(self, thing: object) -> bool:
        """``thing`` is under the keys now; True when it was not so before and has yet to be ``drawn``."""
        if thing == self._thing:
            return False
        self._thing, self._since = thing, None
        return True

    def drawn(self, thing: object, now: float) -> None:
        """``thing`` is on the screen since ``now`` (``time.monotonic``)."""
        if thing == self._thing and self._since is None:
            self._since = now

    def armed(self, at: float, seconds: float) -> bool:
        """Whether a key pressed at ``at`` counts, when it takes ``seconds`` (``State.arm``)."""
        return self._since is not None and at - self._since >= seconds
