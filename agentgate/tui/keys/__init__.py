"""Keys and commands: the one table, what the operator made of it, and the palette."""
