"""What the gate's tests share: real policies, actions in the words of a warden, and a playbook of what the
gate tells the house."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from agentgate.actions import Action, Answer, Decision, GuardName, Kind, Process, Ruling, Source
from agentgate.gate.decide import Decider, Grants
from agentgate.gate.events import Asked, Decided, Event, Hub, Settled, Withdrawn
from agentgate.gate.gate import Gate
from agentgate.gate.guards import Guards
from agentgate.gate.remembered import Answers
from agentgate.gate.secrets import Secrets
from agentgate.policy.load import load_text
from agentgate.policy.match import Context, Matcher

HOME = "/home/me"
PROJECT = "/home/me/project"
OWN = ("/opt/agentgate", f"{PROJECT}/.agentgate", f"{PROJECT}/policy.yaml")

ASKED = Ruling(Decision.ASK, Source.DEFAULT)


def guards(
    home: str = HOME, project: str = PROJECT, own: Iterable[str] = OWN, lifted: Iterable[GuardName] = ()
) -> Guards:
    return Guards(home=home, project=project, own=own, lifted=lifted)


def decider(
    policy: str = "default: ask\n",
    *,
    enforce: bool = False,
    grants: Grants | None = None,
    answers: Answers | None = None,
) -> Decider:
    """What a session in PROJECT decides by."""
    loaded = load_text(policy, "policy.yaml")
    matcher = Matcher(loaded, Context(PROJECT, HOME, {}))
    return Decider(
        matcher,
        guards(lifted=loaded.lifted),
        Secrets(home=HOME, lifted=loaded.lifted),
        enforce=enforce,
        grants=grants,
        answers=answers if answers is not None else Answers(Context(PROJECT, HOME, {})),
    )


def process(pid: int = 100, *argv: str, start: int = 7) -> Process:
    return Process(pid, argv or ("python3", "x.py"), "/usr/bin/python3", start)


def command(text: str, pid: int = 100) -> Action:
    return Action(Kind.EXEC, text, tuple(text.split()), PROJECT, (process(pid),), "execve")


def write(path: str, syscall: str = "open", *, who: Process | None = None, origin: str = "") -> Action:
    return Action(Kind.FS_WRITE, path, (), PROJECT, (who or process(),), syscall, origin)


def connect(target: str, *, who: Process | None = None) -> Action:
    return Action(Kind.NET_EGRESS, target, (), PROJECT, (who or process(),), "connect")


class Play:
    """A gate with everything it says. ``lines`` are its words since they were last looked at."""

    def __init__(self, policy: str = "default: ask\n", **options: bool) -> None:
        self.hub = Hub()
        self._queue = self.hub.subscribe()
        self.gate = Gate(decider(policy, **options), self.hub)

    def ask(self, action: Action, ruling: Ruling = ASKED, gate: str = "kernel") -> asyncio.Task[Answer]:
        return asyncio.create_task(self.gate.ask(action, ruling, gate))

    def events(self) -> list[Event]:
        out = []
        while not self._queue.empty():
            out.append(self._queue.get_nowait())
        return out

    async def lines(self) -> list[str]:
        """What was said, once everybody had a turn."""
        for _ in range(5):
            await asyncio.sleep(0)
        return [_line(event) for event in self.events()]


def _line(event: Event) -> str:
    match event:
        case Asked(ask):
            return f"asked {ask.number} {ask.action.target}"
        case Settled(ask, answer):
            return f"settled {ask.number} {answer.verdict} by {answer.source}"
        case Withdrawn(ask):
            return f"withdrawn {ask.number}"
        case Decided(records):
            return "record " + ", ".join(
                f"{one.action.target}: {one.ruling.decision} -> {one.answer.verdict} by {one.answer.source}"
                for one in records
            )
    return str(event)
