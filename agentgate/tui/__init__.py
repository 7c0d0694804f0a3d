"""What the operator sees: the control room, and the agents' terminals within it.

step, state, verbs    the room as a state machine: events in, a new state and effects out (pure)
performing, app       the effects done, the state shown
keys/                 the one table of commands, the operator's own keys, the palette
layout, bars, room    where everything stands (pure), and the screen
queue/ answers/ policy/ record/ changes/ agents/    one panel or concern each: its verbs, what they do
terminal/             the agent's terminal: emulator, pane, reading back
widgets/              what is drawn
"""
