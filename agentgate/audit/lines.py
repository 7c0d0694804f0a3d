"""Many records as lines: what one shares with others (who acts, with what call, what was said) is made once.

An install writes thousands of files by the same process under the same rule; only the time, the number
and the path differ. A line is what ``Record.to_line`` gives, at a sixth of its cost, with its secrets masked
and without the middle of what is too long to be read.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from agentgate.audit.bounds import shortened, shortened_words
from agentgate.audit.mask import mask, mask_words
from agentgate.audit.record import VERSION, Record

__all__ = ["Lines"]

_KEPT = 256
_AFTER = ("guard", "rule_line", "note")  # what stands behind the origin


class Lines:
    """The lines of one session's records."""

    def __init__(self, session: str, agent: str) -> None:
        self._session = session
        self._agent = agent
        # by the identities of what is shared; the record that is kept with it keeps them alive
        self._known: dict[tuple[Any, ...], tuple[str, str, str, Record]] = {}

    def line(self, record: Record, number: int) -> bytes:
        """The record as its line in the log; ``number`` counts the session's decisions from 1."""
        action = record.action
        key = (
            action.kind, id(action.chain), id(action.argv), action.cwd, action.syscall, action.intent,
            id(record.ruling), id(record.answer), record.waited_ms, record.gate, record.agent,
        )  # fmt: skip
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[key] = self._parts(record)
        before, after, end, _ = known
        origin = f',"origin":{quoted(_shown(action.origin))}' if action.origin else ""
        time = round(record.time, 3)
        return (
            f'{{"v":{VERSION},"time":{time!r},"id":{number},{before},"target":{quoted(_shown(action.target))},'
            f"{after}{origin}{end}}}\n"
        ).encode("ascii")

    def _parts(self, record: Record) -> tuple[str, str, str, Record]:
        data = record.to_json(session=self._session, agent=self._agent, number=0)
        data["argv"] = mask_words(shortened_words(data["argv"]))
        data["intent"] = _shown(data["intent"])
        masked: dict[int, list[str]] = {}
        for process, entry in zip(record.action.chain, data["chain"], strict=True):
            known = masked.get(id(process.argv))  # a fork has its parent's
            entry["argv"] = masked[id(process.argv)] = (
                mask_words(shortened_words(process.argv)) if known is None else known
            )
        keys = list(data)
        own = keys.index("target")
        before = {key: data[key] for key in keys[3:own]}
        end = {key: data[key] for key in _AFTER if key in data}
        after = {key: data[key] for key in keys[own + 1 :] if key not in end and key != "origin"}
        return _inner(before), _inner(after), "".join(f",{_inner({key: end[key]})}" for key in end), record


def _shown(text: str) -> str:
    return mask(shortened(text))


def _inner(data: dict[str, Any]) -> str:
    """A JSON object without its braces."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"))[1:-1]
