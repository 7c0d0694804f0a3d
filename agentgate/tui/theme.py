"""The colours. Blue says allow, orange deny, yellow wait - never red against green.

Every mark also has a glyph and a word, so nothing depends on seeing the colours (NO_COLOR, 16 colours).

Ours are a calm dark theme, a light one and one of high contrast. Textual's own can be had by their names;
their text and our inks on them are taken as far towards white or black as it needs to be read: to `LEAST` on
each of the theme's grounds. (Not the two of the terminal's own colours: what those are is not known, so
nothing could be promised of them. A terminal of 16 colours gets the nearest of its own for any theme.)
"""

from __future__ import annotations

from dataclasses import replace

from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

__all__ = ["DARK", "INKS", "LEAST", "NAMES", "VARIABLES", "contrast", "grounds", "theme"]

LEAST = 4.5
"""Contrast of any text with its ground: WCAG 2.2, 1.4.3 (level AA)."""

INKS = ("dim", "strong", "allow", "deny", "wait", "guard", "claim")
_STEP = 0.04
_WHITE = Color(255, 255, 255)

_ON_DARK = {
    "ink-dim": "#7d8896",
    "ink-strong": "#eef2f6",
    "ink-allow": "#6cb6eb",
    "ink-deny": "#f0945d",
    "ink-wait": "#e9c46a",
    "ink-guard": "#d9a0e8",
    "ink-claim": "#9fb3c8",
}
_ON_LIGHT = {
    "ink-dim": "#5b6673",
    "ink-strong": "#0d1319",
    "ink-allow": "#0a5f9e",
    "ink-deny": "#a8480a",
    "ink-wait": "#7a5b00",
    "ink-guard": "#7d2f99",
    "ink-claim": "#41566d",
}

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
    variables=_ON_DARK | {"line": "#303844"},
)
_LIGHT = Theme(
    name="agentgate-light",
    dark=False,
    primary="#0a5f9e",
    secondary="#5b6673",
    warning="#7a5b00",
    error="#b3261e",
    success="#0a5f9e",
    accent="#a8480a",
    foreground="#262e37",
    background="#fafbfc",
    surface="#f1f3f6",
    panel="#e3e8ee",
    variables=_ON_LIGHT | {"line": "#c3cad3"},
)
_CONTRAST = Theme(
    name="agentgate-contrast",
    dark=True,
    primary="#7cc8ff",
    secondary="#c8c8c8",
    warning="#ffe14d",
    error="#ff5c57",
    success="#7cc8ff",
    accent="#ffb06a",
    foreground="#ffffff",
    background="#000000",
    surface="#0b0b0b",
    panel="#1f2937",
    variables={
        "ink-dim": "#c4cbd3",
        "ink-strong": "#ffffff",
        "ink-allow": "#7cc8ff",
        "ink-deny": "#ffb06a",
        "ink-wait": "#ffe14d",
        "ink-guard": "#f2b3ff",
        "ink-claim": "#d5e3f0",
        "line": "#8a939c",
    },
)


def contrast(one: Color, other: Color) -> float:
    """1 (the same) to 21, as WCAG 2.2 defines it."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: Color) -> float:
    def linear(part: int) -> float:
        value = part / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = color.rgb
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def grounds(theme: Theme) -> list[Color]:
    """What text stands on: panels, bars and covers, the chosen row."""
    made = theme.to_color_system().generate()
    return [Color.parse(made[name]) for name in ("background", "surface", "panel")]


def _readable(color: Color, on: list[Color], dark: bool) -> Color:
    """``color``, as far towards the end of the scale as it needs to be read on each of ``on``."""
    end = Color(255, 255, 255) if dark else Color(0, 0, 0)
    made, part = color, 0.0
    while part < 1 and min(contrast(made, ground) for ground in on) < LEAST:
        part += _STEP
        made = color.blend(end, min(part, 1.0))
    return made


def _whole(theme: Theme) -> Theme:
    """``theme`` with every colour that is ours, all of it to be read."""
    on, dark = grounds(theme), theme.dark
    made = theme.to_color_system().generate()
    inks = dict(_ON_DARK if dark else _ON_LIGHT)
    inks |= {name: value for name, value in theme.variables.items() if name.startswith("ink-")}
    line = theme.variables.get("line") or on[2].blend(_WHITE if dark else Color(0, 0, 0), 0.12).hex
    ours = {name: _readable(Color.parse(value), on, dark).hex for name, value in inks.items()}
    ours |= {
        "line": line,
        "alarm": _readable(Color.parse(made["error"]), [_WHITE], False).hex,
        "scrollbar": line,
        "scrollbar-hover": ours["ink-dim"],
        "scrollbar-active": ours["ink-allow"],
        "scrollbar-background": on[0].hex,
        "scrollbar-background-hover": on[0].hex,
        "scrollbar-background-active": on[0].hex,
    }
    text = _readable(Color.parse(made["foreground"]), on, dark).hex
    return replace(theme, foreground=text, variables={**theme.variables, **ours})


VARIABLES = _whole(DARK).variables
"""Ours beside Textual's own, for a theme that does not know them."""

_TEXTUALS = {name: theme for name, theme in BUILTIN_THEMES.items() if not theme.ansi}
_KNOWN = {DARK.name: DARK, _LIGHT.name: _LIGHT, _CONTRAST.name: _CONTRAST, **_TEXTUALS}
NAMES = tuple(_KNOWN)
"""What can be chosen, ours first."""


def theme(name: str, sixteen: bool = False) -> Theme:
    """One of `NAMES`, ready to be registered. ``sixteen``: for a terminal of 16 colours."""
    return _for_sixteen(_whole(_KNOWN[name])) if sixteen else _whole(_KNOWN[name])


def _for_sixteen(whole: Theme) -> Theme:
    """With colours of a dark theme that stay apart when each becomes the nearest of the sixteen: our blue
    would be the grey of plain text, and the chosen row black like all others."""
    if not whole.dark:
        return whole
    inks = {"ink-allow": "#55ffff", "ink-deny": "#ff5555", "ink-wait": "#ffff55", "ink-guard": "#ff55ff"}
    variables = {**whole.variables, **inks}
    return replace(whole, name=f"{whole.name}-16", panel="#0000aa", variables=variables)
