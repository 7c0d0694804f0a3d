"""What a session changed on disk: what was there before, what differs now, and taking it back."""
