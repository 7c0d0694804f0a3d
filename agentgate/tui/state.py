"""What the room knows, frozen: which questions wait, where the operator is, what is under the keys.

``step.py`` says how it changes; the widgets show it.
"""

from __future__ import annotations

from dataclasses import dataclass

from agentgate.gate.events import Ask
from agentgate.gate.remembered import Remembered
from agentgate.gate.risk import Scene
from agentgate.tui.agents.roster import Agent
from agentgate.tui.answers.sheet import Sheet
from agentgate.tui.inputs import Subject
from agentgate.tui.keys.commands import PANELS, Context
from agentgate.tui.keys.keymap import DEFAULT_KEYS, Keymap
from agentgate.tui.layout import Plan, plan
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.prompt import Prompt
from agentgate.tui.queue.asks import Asks
from agentgate.tui.queue.board import Board, Tree
from agentgate.tui.queue.fatigue import Pace
from agentgate.tui.queue.looking import Looked
from agentgate.tui.queue.waves import Joined
from agentgate.tui.record.look import Look
from agentgate.tui.terminal.view import View

__all__ = ["ARM_SECONDS", "HINT_SECONDS", "LIVE", "RECORDED", "Check", "Hint", "State"]

ARM_SECONDS = 0.5
"""How long a question must have been on the screen before a verdict key counts for it, unless configured."""

HINT_SECONDS = 4.0

NONE = Asks()
NO_PACE = Pace()
LIVE = View()
EMPTY = Board(NONE)
NOWHERE = Scene()
LOOK = Look()

RECORDED = 0
"""The number of a record that is looked at like a question; those of questions begin at 1."""

_COVERED = {
    Cover.SHEET: Context.SHEET,
    Cover.QUIT: Context.QUIT,
    Cover.END: Context.END,
    Cover.PASTE: Context.CHECK,
    Cover.LINK: Context.CHECK,
    Cover.BACK: Context.BACK,
    Cover.ANSWERS: Context.ANSWERS,
    Cover.RULE_FORM: Context.FORM,
    Cover.POLICY_TEXT: Context.FORM,
    Cover.PROGRAM: Context.PROGRAM,
}


@dataclass(frozen=True, slots=True)
class Hint:
    """One line for the operator, shown from ``at`` for `HINT_SECONDS` (urgent: until the next one)."""

    text: str
    at: float
    urgent: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """What is asked about, by its ``cover``: a paste or a link with its ``text`` or address, or taking
    changes of files back; ``why`` it is asked, and since when it has been on the screen."""

    cover: Cover
    text: str
    why: tuple[str, ...] = ()
    drawn_at: float | None = None


@dataclass(frozen=True, slots=True)
class State:
    """``asks`` oldest first, ``board`` the same as cards and rows. ``selected`` is CONTROL's question by
    number. ``subject`` and ``drawn_at``: what a verdict key is about, and since when it has been on the
    screen (None: not drawn yet); ``upto`` and ``joined``: which of a card's questions those were (`waves`).
    ``marks`` as in `Subject`. ``targets`` are the questions that an open note, or the question about ending
    a process, is for. ``scene`` is what risks are told by; ``looked`` what was found of the current one's
    files.
    ``agents`` in order of their start; the terminal of ``shown`` is in view. ``command`` is what a new agent
    is offered to be started with. ``prompt`` is
    the text that is being typed, None where there is none. ``wide``: the agent has the whole screen;
    ``zoom``: in CONTROL the panel that has the keys. ``reading`` says that keys read in the agent's terminal,
    of whose history ``view`` is shown; ``check`` is what is asked about before it is done there. ``arm``:
    seconds until a verdict key counts.
    ``look``: how the record is looked at; ``recorded`` one of its records, of which a rule is made.
    ``pace``: how the operator decides. ``choice``: which line of the palette, or of ``standing``, the answers
    that hold; ``sought``: what the help is to show alone."""

    width: int = 80
    height: int = 24
    mode: Mode = Mode.AGENT
    leader: bool = False
    panel: Panel = Panel.QUEUE
    log: Panel = Panel.AUDIT
    cover: Cover = Cover.NONE
    sheet: Sheet | None = None
    standing: tuple[Remembered, ...] = ()
    asks: Asks = NONE
    board: Board = EMPTY
    selected: int | None = None
    subject: Subject | None = None
    drawn_at: float | None = None
    policy_error: str = ""
    decided: int = 0
    denied: int = 0
    hint: Hint | None = None
    prompt: Prompt | None = None
    keys: Keymap = DEFAULT_KEYS
    arm: float = ARM_SECONDS
    wide: bool = False
    zoom: bool = False
    pace: Pace = NO_PACE
    choice: int = 0
    sought: str = ""
    reading: bool = False
    view: View = LIVE
    check: Check | None = None
    agent_clipboard: bool = False
    """Whether the agent's programs may set the operator's clipboard."""
    agents: tuple[Agent, ...] = ()
    shown: str = ""
    command: str = ""
    upto: int = 0
    joined: Joined | None = None
    marks: frozenset[tuple[int, int]] = frozenset()
    targets: tuple[int, ...] = ()
    scene: Scene = NOWHERE
    looked: Looked | None = None

    def __post_init__(self) -> None:
        if self.board.asks is not self.asks:
            object.__setattr__(self, "board", self.board.of(self.asks))

    look: Look = LOOK
    recorded: Ask | None = None

    @property
    def plan(self) -> Plan:
        return plan(
            self.width, self.height, self.mode, self.panel, self.log, bool(self.lost), self.wide, self.zoom,
            self.several,
        )  # fmt: skip

    @property
    def several(self) -> bool:
        """Whether there is more than one agent, so that it must be said which one is meant."""
        return len(self.agents) > 1

    def named(self, agent: str) -> str:
        """``agent`` where there are several; empty where it need not be said."""
        return agent if self.several else ""

    @property
    def running(self) -> int:
        """How many agents run, or are being started."""
        return sum(not agent.over for agent in self.agents)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The names of the agents that wait for answers, where there are several agents."""
        return tuple(agent.name for agent in self.agents if agent.waiting) if self.several else ()

    @property
    def pid(self) -> int | None:
        """The first agent's, once it runs."""
        return self.agents[0].pid if self.agents else None

    @property
    def status(self) -> int | None:
        """The first agent's exit status; None while any agent runs."""
        return None if self.running or not self.agents else self.agents[0].status

    @property
    def lost(self) -> str:
        """Why a gate is gone, and whose where there are several; empty while all is well."""
        whose = "{0.name}: {0.lost}" if self.several else "{0.lost}"
        return "; ".join(whose.format(agent) for agent in self.agents if agent.lost)

    @property
    def gone(self) -> bool:
        """Whether nothing is gated any more: a gate is lost, and no other agent goes on."""
        return bool(self.lost) and all(agent.over or agent.lost for agent in self.agents)

    @property
    def current(self) -> int | None:
        """The question that the screen is about: the queue's first in AGENT, the selected one in CONTROL.
        One that the filter hides is never it."""
        return self.selected if self.mode is Mode.CONTROL else self.board.at(0)

    @property
    def whole(self) -> Tree | None:
        """The folded command that the selection stands on in CONTROL; None when it stands on a card."""
        if self.mode is not Mode.CONTROL or self.selected is None:
            return None
        row = self.board.row_of(self.selected)
        return row if isinstance(row, Tree) else None

    @property
    def looked_at(self) -> tuple[int, ...]:
        """The questions that the operator reads; in AGENT mode it is the agent's terminal."""
        row = self.board.row_of(self.selected) if self.mode is Mode.CONTROL else None
        return tuple(ask.number for ask in row.upto(row.newest)) if row else ()

    @property
    def context(self) -> Context | None:
        """Which commands the next key may give; None: the key is the agent's."""
        if self.prompt is not None:
            return Context.PROMPT
        if self.cover is not Cover.NONE:
            return _COVERED.get(self.cover, Context.READ)
        if self.mode is Mode.CONTROL:
            return PANELS.get(self.panel, Context.CONTROL)
        if self.leader:
            return Context.LEADER
        return Context.SCROLL if self.reading else None

    @property
    def agent_has_keys(self) -> bool:
        return self.context is None

    def agent_has_keys_for(self, key: str) -> bool:
        """Whether ``key`` is the agent's."""
        return self.agent_has_keys and key not in self.keys.leaders

    def takes(self, key: str) -> bool:
        """Whether the room acts on ``key``. If not, the widget that has the focus gets it: the agent's
        terminal, or an editor."""
        if self.context in (Context.FORM, Context.PROGRAM):
            return self.keys.find(self.context, key) is not None
        return not self.agent_has_keys_for(key)

    def ask(self, number: int | None) -> Ask | None:
        """Question ``number`` that waits, or the record that is looked at like one."""
        return self.recorded if number == RECORDED else self.asks.get(number)

    def checked(self, now: float) -> bool:
        """Whether a yes to `check` at ``now`` counts."""
        at = self.check.drawn_at if self.check else None
        return at is not None and now - at >= self.arm

    def armed(self, now: float) -> bool:
        """Whether a verdict key pressed at ``now`` counts."""
        return self.subject is not None and self.drawn_at is not None and now - self.drawn_at >= self.arm
