"""One decision as it stands in the audit log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from agentgate.actions import Action, Answer, Decision, Kind, Process, Ruling, Source, Verdict

__all__ = ["Record"]


@dataclass(frozen=True, slots=True)
class Record:
    """``time`` is Unix time in seconds; ``waited_ms`` how long the action was held for its answer;
    ``gate`` who caught it: kernel, shim or proxy."""

    time: float
    action: Action
    ruling: Ruling
    answer: Answer
    waited_ms: int
    gate: str

    def to_json(self, *, session: str, agent: str, number: int) -> dict[str, Any]:
        """The object that is written, one a line. Empty optional fields are left out."""
        action, ruling, answer = self.action, self.ruling, self.answer
        line: dict[str, Any] = {
            "time": round(self.time, 3),
            "id": number,
            "session": session,
            "agent": agent,
            "action": action.kind.value,
            "target": action.target,
            "argv": list(action.argv),
            "cwd": action.cwd,
            "chain": [
                {"pid": process.pid, "exe": process.exe, "argv": list(process.argv)}
                for process in action.chain
            ],
            "intent": action.intent,
            "decision": ruling.decision.value,
            "verdict": answer.verdict.value,
            "source": answer.source.value,
            "rule": ruling.rule,
            "waited_ms": self.waited_ms,
            "gate": self.gate,
            "syscall": action.syscall,
            "reason": ruling.reason,
        }
        for key, value in (("origin", action.origin), ("guard", ruling.guard), ("note", answer.note)):
            if value:
                line[key] = value
        return line

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Record:
        """The record of one parsed line. Raises KeyError, TypeError or ValueError on a foreign object."""
        ruling = Ruling(
            Decision(line["decision"]),
            Source(line.get("ruled_by", line["source"])),
            line.get("rule"),
            None,
            line.get("reason", ""),
            line.get("guard", ""),
        )
        action = Action(
            Kind(line["action"]),
            line["target"],
            tuple(line.get("argv", ())),
            line.get("cwd", ""),
            tuple(
                Process(entry["pid"], tuple(entry.get("argv", ())), entry.get("exe", ""))
                for entry in line.get("chain", ())
            ),
            line.get("syscall", ""),
            line.get("origin", ""),
            line.get("intent", ""),
        )
        answer = Answer(Verdict(line["verdict"]), Source(line["source"]), ruling, line.get("note", ""))
        return cls(float(line["time"]), action, ruling, answer, int(line["waited_ms"]), line["gate"])

    @classmethod
    def from_text(cls, text: str) -> Record:
        return cls.from_json(json.loads(text))
