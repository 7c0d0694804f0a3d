"""What is said of a session at its end: the summary of its own records, out of the log."""

from __future__ import annotations

from pathlib import Path

from agentgate.audit.query import Field, Filter, Want
from agentgate.audit.search import Search
from agentgate.audit.summary import summarise
from agentgate.audit.telling import brief

__all__ = ["MOST", "at_the_end"]

MOST = 200_000
"""Records that are read for it; a person who leaves does not wait longer than a second or two."""


def at_the_end(
    log: Path,
    session: str,
    begin: int,
    records: int,
    project: Path,
    cells: int,
    *,
    only_notable: bool = False,
) -> list[str]:
    """The lines of `telling.brief` on ``session``, whose ``records`` stand behind byte ``begin`` of ``log``;
    a pointer to the command when they are too many, nothing when the log cannot be read any more."""
    if records > MOST:
        return [f"agentgate audit --summary --session {session} says what happened"]
    try:
        search = Search(log, Filter((Want(Field.SESSION, session),)), begin)
        try:
            told = summarise(search.rows())
        finally:
            search.close()
    except OSError:
        return []
    return brief(told, str(project), cells, only_notable=only_notable)
