"""The built-in demo: a scripted agent in a temporary project, with a small attack at its end."""

from agentgate.demo.show import main

__all__ = ["main"]
