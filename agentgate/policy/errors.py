"""The one error that a policy's author sees: where, and what, in one line."""

from __future__ import annotations

from agentgate.escape import printable

__all__ = ["PolicyError"]


class PolicyError(ValueError):
    """Something is wrong with a policy file.

    ``where`` is the file's label; ``line`` and ``column`` count from 1 and are None when the error has
    no place in the text. ``str()`` is ``policy.yaml:12:9: unknown decision 'alow' (allow, deny or ask)``:
    always one line, safe to show.
    """

    def __init__(self, message: str, where: str, line: int | None = None, column: int | None = None) -> None:
        self.message = message
        self.where = where
        self.line = line
        self.column = column
        place = ":".join(str(part) for part in (where, line, column) if part is not None)
        super().__init__(printable(f"{place}: {message}", 1000))
