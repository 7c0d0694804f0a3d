"""Everything that is written can be read, in every theme that can be chosen."""

from __future__ import annotations

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color

from agentgate.tui.ink import Ink
from agentgate.tui.theme import INKS, LEAST, NAMES, contrast, grounds, theme
from agentgate.tui.widgets.lines import INK_CSS

THEMES = {name: theme(name) for name in NAMES}


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast(Color(0, 0, 0), Color(255, 255, 255)) == pytest.approx(21)
    assert contrast(Color(119, 119, 119), Color(255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_all_inks_can_be_read_on_every_ground(name: str) -> None:
    theme = THEMES[name]
    least = 7.0 if theme.name == "agentgate-contrast" else LEAST
    inks = {ink: Color.parse(theme.variables[f"ink-{ink}"]) for ink in INKS}
    inks["plain"] = Color.parse(theme.to_color_system().generate()["foreground"])
    for meaning, ink in inks.items():
        for ground in grounds(theme):
            assert contrast(ink, ground) >= least, meaning
    # the chips and the alarm: the other way round
    assert contrast(Color.parse(theme.variables["alarm"]), Color(255, 255, 255)) >= LEAST


def test_every_ink_has_its_colour() -> None:
    for ink in Ink:
        assert ink is Ink.PLAIN or f".ink-{ink.value} " in INK_CSS


def test_ours_come_first_and_none_depends_on_unknown_colours() -> None:
    assert NAMES[:3] == ("agentgate-dark", "agentgate-light", "agentgate-contrast")
    assert "nord" in NAMES
    assert not [name for name in NAMES if name.startswith("ansi")]


@pytest.mark.parametrize("name", [name for name in NAMES if THEMES[name].dark])
def test_with_16_colours_what_differs_in_meaning_differs_in_colour(name: str) -> None:
    made = theme(name, sixteen=True)
    shown = {
        meaning: RichColor.parse(value).downgrade(ColorSystem.STANDARD).number
        for meaning, value in {
            "plain": made.to_color_system().generate()["foreground"],
            **{ink: made.variables[f"ink-{ink}"] for ink in ("allow", "deny", "wait", "guard")},
        }.items()
    }
    assert len(set(shown.values())) == len(shown), shown
    ground, row = made.background or "#000000", made.panel or ""
    assert RichColor.parse(row).downgrade(ColorSystem.STANDARD) != RichColor.parse(ground).downgrade(
        ColorSystem.STANDARD
    )
