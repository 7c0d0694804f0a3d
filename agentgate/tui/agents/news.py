"""What is told of an agent - it runs, it ended, its gate is lost - and what the room makes of it. Pure."""

from __future__ import annotations

from dataclasses import replace

from agentgate.gate.events import AgentEnded, AgentLeft, AgentStarted, GateLost
from agentgate.tui.agents import roster as agents
from agentgate.tui.ink import outside
from agentgate.tui.state import Hint, State

__all__ = ["AgentNews", "heard"]

AgentNews = AgentStarted | AgentEnded | AgentLeft | GateLost


def heard(state: State, news: AgentNews, now: float) -> State:
    match news:
        case AgentStarted(pid, name):
            return _with(state, name, pid=pid)
        case AgentEnded(status, name):
            state = _with(state, name, status=status)
            text = f"{_who(state, name)} ended with status {status}"
            waiting = (
                state.agents[agents.find(state.agents, name) or 0].waiting if state.several else state.asks
            )
            return replace(state, hint=Hint(text + ("; actions still wait" if waiting else ""), now))
        case AgentLeft(agent=name):
            words = news.words.replace("the agent", _who(state, name), 1)
            return replace(
                state, hint=Hint(f"{words} ({state.keys.lead} q ends the session)", now, urgent=True)
            )
        case GateLost(reason, name):
            return replace(_with(state, name, lost=reason or "no reason is known"), leader=False)


def _with(state: State, name: str, **fields: object) -> State:
    state = replace(state, agents=agents.changed(state.agents, name, **fields))
    return state if state.shown else replace(state, shown=state.agents[0].name)


def _who(state: State, name: str) -> str:
    return outside(name, 40) if state.several else "the agent"
