"""What the agent's terminal says of itself."""

from __future__ import annotations

import pytest

from agentgate import __version__
from agentgate.tui.launch import pane_environment

OUTER = {
    "TERM": "screen-256color",
    "TERM_PROGRAM": "tmux",
    "TERM_PROGRAM_VERSION": "3.4",
    "TMUX": "/tmp/tmux-0/default,1,0",
    "TMUX_PANE": "%3",
    "STY": "1.pts",
    "ZELLIJ_SESSION_NAME": "z",
    "KITTY_WINDOW_ID": "1",
    "KITTY_LISTEN_ON": "unix:/x",
    "VTE_VERSION": "7000",
    "WINDOWID": "3",
    "COLUMNS": "200",
    "LINES": "9",
    "ITERM_SESSION_ID": "w",
    "LC_TERMINAL": "iTerm2",
}


def test_it_is_our_emulator_and_no_other() -> None:
    assert pane_environment(OUTER) == {
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TERM_PROGRAM": "agentgate",
        "TERM_PROGRAM_VERSION": __version__,
    }


@pytest.mark.parametrize("name", ["PATH", "HOME", "LANG", "LC_ALL", "NO_COLOR", "EDITOR", "TERMS", "STYLE"])
def test_what_has_nothing_to_do_with_a_terminal_stays(name: str) -> None:
    assert pane_environment({name: "x"})[name] == "x"
