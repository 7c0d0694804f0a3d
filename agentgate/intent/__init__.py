"""Why: plain words for what an action does. A help for the reader, never a fact to decide on."""

from agentgate.intent.shell import unwrap_shell
from agentgate.intent.words import for_action, words

__all__ = ["for_action", "unwrap_shell", "words"]
