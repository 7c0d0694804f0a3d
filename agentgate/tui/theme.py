"""The colours: one calm dark theme. Blue says allow, orange deny, yellow wait - never red against green.

Every mark also has a glyph and a word, so nothing depends on seeing the colours (NO_COLOR, 16 colours).
"""

from __future__ import annotations

from textual.theme import Theme

__all__ = ["DARK", "VARIABLES"]

VARIABLES = {
    "ink-dim": "#7d8896",
    "ink-strong": "#eef2f6",
    "ink-allow": "#6cb6eb",
    "ink-deny": "#f0945d",
    "ink-wait": "#e9c46a",
    "ink-guard": "#d9a0e8",
    "ink-claim": "#9fb3c8",
    "line": "#303844",
    "scrollbar": "#303844",
    "scrollbar-hover": "#46505f",
    "scrollbar-active": "#6cb6eb",
    "scrollbar-background": "#14171c",
    "scrollbar-background-hover": "#14171c",
    "scrollbar-background-active": "#14171c",
}
"""Ours beside Textual's own; a theme that does not know them gets these."""

DARK = Theme(
    name="agentgate-dark",
    dark=True,
    primary="#6cb6eb",
    secondary="#8f9bb3",
    warning="#e9c46a",
    error="#e5534b",
    success="#6cb6eb",
    accent="#f0945d",
    foreground="#c9d1d9",
    background="#14171c",
    surface="#181c22",
    panel="#232932",
    variables=VARIABLES,
)
