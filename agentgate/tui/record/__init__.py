"""The audit view: its rows, its keys, and what they have done."""
