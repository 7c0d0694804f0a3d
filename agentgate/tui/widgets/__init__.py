"""The panels of the control room. Each takes plain data through ``show``; none knows session or state."""
