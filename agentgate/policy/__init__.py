"""What may happen: the policy's language, its file, and what it says of an action.

``errors`` and ``model`` are the words; ``glob``, ``hosts`` and ``match`` decide (they run beside the
agent and import no YAML); ``load``, ``edit``, ``store`` and ``suggest`` work on the file for the operator.
``edit`` stands on ``layout`` (where things are in the text), ``place``, ``sequence`` and ``entries`` (what to
put where); ``findings`` tells what is to be known of a policy: its failing tests, and by ``shadow`` and
``covers`` which of its rules never have a say.
"""
