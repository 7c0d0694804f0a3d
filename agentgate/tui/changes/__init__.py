"""The files panel: its keys, and taking back what they name."""
