"""What the operator sees: the control room, and the agent's terminal within it."""
