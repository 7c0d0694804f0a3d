"""What may happen: the policy's language, its file, and what it says of an action.

``errors`` and ``model`` are the words; ``glob``, ``hosts`` and ``match`` decide (they run beside the
agent and import no YAML); ``load``, ``edit``, ``store`` and ``suggest`` work on the file for the operator.
"""
