"""Several agents in one room: who they are, their terminals, and whose is in view."""
