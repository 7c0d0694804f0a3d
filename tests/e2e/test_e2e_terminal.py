"""Reading back in the agent's terminal and copying from it, seen from the operator's own terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from tmux_kit import AGENTGATE, LEADER, Tmux, World, need_tmux_and_script

from agentgate.intercept.kernel.support import missing

pytestmark = [
    pytest.mark.timeout(170),
    pytest.mark.skipif(bool(missing()), reason=f"the kernel gate: {missing()}"),
]


def test_what_is_read_back_and_copied_reaches_the_terminal_outside(tmp_path: Path) -> None:
    need_tmux_and_script()
    world = World(tmp_path)
    (world.root / "rules.yaml").write_text("default: allow\n")
    command = [str(AGENTGATE), "tui", "--policy", str(world.root / "rules.yaml"), "--", "bash", "--norc"]
    with Tmux(world, command, 80, 24) as tmux:
        tmux._tmux("set-option", "-s", "set-clipboard", "on")
        tmux.wait("ready$")
        tmux.type("seq -f 'row %g' 1 200; printf '\\033]52;c;ZXZpbA==\\007'")
        tmux.wait("row 200")
        tmux.wait("wanted to set the clipboard (4 characters): it was not done")
        tmux.keys(LEADER, "[", "/")
        tmux.keys("r", "o", "w", "Space", "1", "7", "Enter")
        tmux.wait("row 17: 1 of 11")
        tmux.keys("n")
        tmux.wait("row 17: 2 of 11")
        tmux.keys("v", "j", "$")
        tmux.wait("selecting")
        tmux.keys("y")
        tmux.wait("15 characters copied")
        tmux.wait(lambda: tmux._tmux("list-buffers", "-F", "#{buffer_name}").strip())
        assert tmux._tmux("show-buffer") == "row 178\nrow 179"
        tmux.keys("Escape")
        tmux.wait("row 200")
        tmux.type("echo back in the shell")
        tmux.wait("\nback in the shell")
