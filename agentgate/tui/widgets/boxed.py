"""A box in the middle of the room, over everything: how all that covers it looks."""

from __future__ import annotations

from textual.screen import ModalScreen

__all__ = ["Boxed"]


class Boxed(ModalScreen[None], inherit_bindings=False):
    """Its one child is the box."""

    DEFAULT_CSS = """
    Boxed { align: center middle; background: $background 60%; }
    Boxed > Vertical {
        background: $surface;
        border: round $ink-dim;
        border-title-color: $ink-strong;
        border-title-style: bold;
        border-subtitle-color: $ink-dim;
        padding: 0 1;
    }
    """
