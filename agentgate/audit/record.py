"""One decision as it stands in the audit log."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict

__all__ = ["VERSION", "Record"]

VERSION = 2  # of the line's form; a reader refuses none, a writer always says it. From 2 on lines are chained


@dataclass(frozen=True, slots=True)
class Record:
    """``time`` is Unix time in seconds; ``waited_ms`` how long the action was held for its answer;
    ``gate`` who caught it: kernel, shim or proxy; ``agent`` the name of the one that acted, empty for the
    agent that the session is named after."""

    time: float
    action: Action
    ruling: Ruling
    answer: Answer
    waited_ms: int
    gate: str
    agent: str = ""

    def to_json(self, *, session: str, agent: str, number: int) -> dict[str, Any]:
        """The object that is written, one a line. Empty optional fields are left out.

        ``decision`` and ``asked_by`` are the ruling's (what guards and policy said), ``verdict`` and
        ``source`` the answer's (how it ended). ``number`` counts the session's decisions from 1.
        """
        action, ruling, answer = self.action, self.ruling, self.answer
        line: dict[str, Any] = {
            "v": VERSION,
            "time": round(self.time, 3),
            "id": number,
            "session": session,
            "agent": self.agent or agent,
            "action": action.kind.value,
            "target": action.target,
            "argv": list(action.argv),
            "cwd": action.cwd,
            "chain": [
                {"pid": process.pid, "start": process.start, "exe": process.exe, "argv": list(process.argv)}
                for process in action.chain
            ],
            "intent": action.intent,
            "decision": ruling.decision.value,
            "asked_by": ruling.source.value,
            "verdict": answer.verdict.value,
            "source": answer.source.value,
            "rule": ruling.rule,
            "waited_ms": self.waited_ms,
            "gate": self.gate,
            "syscall": action.syscall,
            "reason": ruling.reason,
        }
        optional = (
            ("origin", action.origin),
            ("guard", ruling.guard),
            ("rule_line", ruling.line),
            ("note", answer.note),
        )
        line.update((key, value) for key, value in optional if value)
        return line

    def to_line(self, *, session: str, agent: str, number: int) -> bytes:
        """``to_json`` as one line of ASCII: escaped, so that a path that is not UTF-8 (kept as lone
        surrogates) comes back the same, and nothing in it can break the line."""
        data = self.to_json(session=session, agent=agent, number=number)
        return json.dumps(data, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Record:
        """The record of one parsed line, equal to the one that was written (but for the answer's own
        ruling, which is the record's). Raises KeyError, TypeError or ValueError on a foreign object."""
        ruling = Ruling(
            Decision(line["decision"]),
            Source(line.get("asked_by", line["source"])),
            _number(line.get("rule")),
            _number(line.get("rule_line")),
            _text(line.get("reason", "")),
            _text(line.get("guard", "")),
        )
        action = Action(
            Kind(line["action"]),
            _text(line["target"]),
            _texts(line.get("argv", [])),
            _text(line.get("cwd", "")),
            tuple(_process(entry) for entry in _list(line.get("chain", []))),
            _text(line.get("syscall", "")),
            _text(line.get("origin", "")),
            _text(line.get("intent", "")),
        )
        answer = Answer(Verdict(line["verdict"]), Source(line["source"]), ruling, _text(line.get("note", "")))
        time = float(line["time"])
        if not math.isfinite(time) or not 0 <= time < _LATEST:
            raise ValueError(f"not a time: {time}")
        agent = _text(line.get("agent", ""))
        return cls(time, action, ruling, answer, int(line["waited_ms"]), _text(line["gate"]), agent)


_LATEST = 253402300800.0  # the year 10000: later times cannot be shown


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {value!r}")
    return value


def _number(value: object) -> int | None:
    if value is not None and not isinstance(value, int):
        raise TypeError(f"not a number: {value!r}")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"not a list: {value!r}")
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, _list(value)))


def _process(entry: dict[str, Any]) -> Process:
    return Process(
        int(entry["pid"]),
        _texts(entry.get("argv", [])),
        _text(entry.get("exe", "")),
        _number(entry.get("start")) or 0,
    )
