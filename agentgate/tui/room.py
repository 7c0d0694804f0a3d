"""The screen: every widget of the room, and the one function that shows a state on them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import Screen
from textual.widget import AwaitMount, Widget

from agentgate.policy.model import Policy
from agentgate.tui import bars
from agentgate.tui.agents import tabs as agent_tabs
from agentgate.tui.bars import Facts
from agentgate.tui.ink import Ink
from agentgate.tui.layout import Box, Plan
from agentgate.tui.modes import Cover, Mode, Panel
from agentgate.tui.state import State
from agentgate.tui.terminal.pane import TerminalPane
from agentgate.tui.widgets.audit import AuditPanel
from agentgate.tui.widgets.bar import Bar
from agentgate.tui.widgets.detail import About, DetailPanel, Shown
from agentgate.tui.widgets.files import FilesPanel
from agentgate.tui.widgets.policy import PolicyPanel
from agentgate.tui.widgets.queue import QueuePanel

__all__ = ["Room"]


class Room(Screen[None], inherit_bindings=False):
    """Widgets stand where the plan says, by absolute offsets; panels lie in a layer over the agent's."""

    DEFAULT_CSS = """
    Room {
        layers: agent panels;
        background: $background;
        & > * { position: absolute; layer: panels; }
        & > TerminalPane { layer: agent; }
        & > #divider { background: $background; color: $line; }
        & > #alert { background: $panel; }
        & > #log-tabs { background: $background; }
        & > #banner { background: $alarm; }
    }
    """

    AUTO_FOCUS = None

    def __init__(self, first: str = "") -> None:
        """``first`` is the name of the agent that is there from the beginning."""
        super().__init__()
        self.panes = {first: TerminalPane(id="agent")}
        self._shown = first
        self.agent_tabs = Bar(id="agent-tabs")
        self.header = Bar(id="header")
        self.banner = Bar(id="banner")
        self.tabs = Bar(id="tabs")
        self.divider = Bar(id="divider")
        self.queue = QueuePanel(id="queue")
        self.detail = DetailPanel(id="detail")
        self.audit = AuditPanel(id="audit")
        self.policy = PolicyPanel(id="policy")
        self.files = FilesPanel(id="files")
        self.log_tabs = Bar(id="log-tabs")
        self.alert = Bar(id="alert")
        self.hints = Bar(id="hints")
        self.panels: dict[Panel, QueuePanel | DetailPanel | AuditPanel | PolicyPanel | FilesPanel] = {
            Panel.QUEUE: self.queue,
            Panel.DETAIL: self.detail,
            Panel.AUDIT: self.audit,
            Panel.POLICY: self.policy,
            Panel.FILES: self.files,
        }
        self._plan: Plan | None = None

    @property
    def pane(self) -> TerminalPane:
        """The terminal in view."""
        return self.panes[self._shown]

    def add(self, name: str, box: Box) -> AwaitMount:
        """A terminal for agent ``name``, not in view yet."""
        self.panes[name] = pane = TerminalPane()
        pane.leader = self.pane.leader
        pane.leader = self.pane.leader
        pane.bring(False, box.height, box.width)
        _place(pane, box)
        return self.mount(pane)

    def drop(self, name: str) -> None:
        """Remove the terminal of agent ``name``, which is not in view."""
        self.panes.pop(name).remove()

    def compose(self) -> ComposeResult:
        yield from self.panes.values()
        yield self.header
        yield self.agent_tabs
        yield self.banner
        yield self.divider
        yield self.tabs
        yield from self.panels.values()
        yield self.log_tabs
        yield self.alert
        yield self.hints

    def show(
        self, state: State, facts: Facts, policy: Policy, refusal: str, about: About, now: float
    ) -> None:
        """Make the screen say what ``state`` says. ``refusal``: why "always" is not offered, if not;
        ``about``: what else is known of the current question."""
        plan = state.plan
        self._bring(state)
        if plan != self._plan:
            self._plan = plan
            self._arrange(plan)
        width = state.width
        armed = state.armed(now)
        self.header.show(bars.header(state, facts, width, now))
        self.hints.show(bars.hints(state, armed, not refusal, width))
        if plan.alert:
            self.alert.show(bars.alert(state, facts.mark, width))
        if plan.tabs:
            self.tabs.show(bars.tabs(state, width))
        if plan.agent_tabs:
            self.agent_tabs.show(agent_tabs.line(state, plan.agent_tabs.width))
        if plan.log_tabs:
            self.log_tabs.show(bars.log_tabs(plan.others, plan.log_tabs.width))
        if plan.banner:
            self.banner.show(*bars.banner(state, width, plan.banner.height))
        if plan.divider:
            ink = Ink.DENY if state.mode is Mode.CONTROL else Ink.DIM
            self.divider.show(*[(("│", ink),)] * plan.divider.height)
        control = state.mode is Mode.CONTROL
        ask = state.ask(state.current)
        self.queue.show(state.board, state.current, state.marks, state.scene, state.several, now)
        keys = "" if control else f"{state.keys.lead} "
        whole = state.whole
        shown = Shown(ask, refusal, now, keys, armed, about, whole, state.scene) if ask else None
        self.detail.show(shown)
        self.policy.show(policy, facts.policy, state.policy_error, control and state.panel is Panel.POLICY)
        self.audit.show(state.look, control and state.panel is Panel.AUDIT)
        for panel, widget in self.panels.items():
            if panel is not Panel.POLICY:
                widget.set_class(control and state.panel is panel, "has-keys")
        self._give_focus(state)

    def _bring(self, state: State) -> None:
        """Put the terminal of ``state.shown`` before the eyes. The others lie there, too, unseen: they have
        its size, so what their agents write is laid out for what will be shown."""
        if state.shown in self.panes:
            self._shown = state.shown
        box = state.plan.agent
        for name, pane in self.panes.items():
            pane.bring(name == self._shown, box.height, box.width)
            pane.input_enabled = name == self._shown and state.agent_has_keys

    def _arrange(self, plan: Plan) -> None:
        for pane in self.panes.values():
            _place(pane, plan.agent)
        _place(self.agent_tabs, plan.agent_tabs)
        _place(self.header, plan.header)
        _place(self.hints, plan.hints)
        _place(self.banner, plan.banner)
        _place(self.divider, plan.divider)
        _place(self.tabs, plan.tabs)
        _place(self.log_tabs, plan.log_tabs)
        _place(self.alert, plan.alert)
        for panel, widget in self.panels.items():
            _place(widget, plan.panels.get(panel))

    def _give_focus(self, state: State) -> None:
        """The terminal has the focus while it has the keys; only then its cursor shows and its child
        thinks itself looked at."""
        if state.cover is not Cover.NONE:
            return
        if state.mode is Mode.AGENT:
            wanted: Widget = self.pane
        else:
            panel = self.panels[state.panel]
            wanted = panel.list if isinstance(panel, PolicyPanel) else panel
        if self.focused is not wanted:
            self.set_focus(wanted, scroll_visible=False)


def _place(widget: QueuePanel | Widget | Vertical, box: Box | None) -> None:
    widget.display = box is not None and box.width > 0 and box.height > 0
    if box is not None:
        widget.styles.offset = (box.x, box.y)
        widget.styles.width = box.width
        widget.styles.height = box.height
