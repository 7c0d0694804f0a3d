"""AgentGate: a control room that pauses every action of an AI coding agent until it is decided."""

__version__ = "0.1.0"
