"""The agent's terminal: the emulator (`vt`), the keys it is sent (`keys`), the pane showing it (`pane`)."""
